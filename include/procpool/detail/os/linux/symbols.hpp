// SPDX-License-Identifier: MIT
// The name of the function at a code address of this process.
#ifndef PROCPOOL_DETAIL_OS_LINUX_SYMBOLS_HPP
#define PROCPOOL_DETAIL_OS_LINUX_SYMBOLS_HPP

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/type_name.hpp"

namespace procpool::inline v0_1::detail::os {

/// Function at `offset` in an ELF file, mangled, from its table of all symbols, which dladdr() does not know;
/// empty if the file is stripped or can't be read.
template <class = only_if_used>
std::string symbol_in_file(const std::string& path, std::uintptr_t offset) {
    std::ifstream file(path, std::ios::binary);
    const auto read_at = [&](std::uint64_t at, auto* to, std::size_t count) {
        file.seekg(static_cast<std::streamoff>(at));
        file.read(reinterpret_cast<char*>(to), static_cast<std::streamsize>(count * sizeof *to));
        return file.good();
    };
    ElfW(Ehdr) header;
    if (!read_at(0, &header, 1) || header.e_shentsize != sizeof(ElfW(Shdr))) return {};
    std::vector<ElfW(Shdr)> sections(header.e_shnum);
    if (!read_at(header.e_shoff, sections.data(), sections.size())) return {};
    for (const auto& table : sections) {
        if (table.sh_type != SHT_SYMTAB || table.sh_link >= sections.size()) continue;
        std::vector<ElfW(Sym)> symbols(table.sh_size / sizeof(ElfW(Sym)));
        if (!read_at(table.sh_offset, symbols.data(), symbols.size())) return {};
        for (const auto& symbol : symbols) {
            if ((symbol.st_info & 0xf) != STT_FUNC || offset < symbol.st_value ||
                offset - symbol.st_value >= symbol.st_size)
                continue;
            file.seekg(static_cast<std::streamoff>(sections[table.sh_link].sh_offset + symbol.st_name));
            std::string name;
            std::getline(file, name, '\0');
            return name;
        }
    }
    return {};
}

/// "function()", or "module+0x12ab", which addr2line understands.
template <class = only_if_used>
std::string describe_code(std::uintptr_t address) {
    // dladdr takes the loader's lock, which a child that is forked meanwhile would inherit locked.
    const auto no_fork = fd_registry::instance().hold_forks();
    Dl_info info{};
    void* extra = nullptr;
    if (::dladdr1(reinterpret_cast<void*>(address), &info, &extra, RTLD_DL_LINKMAP) == 0) return {};
    const auto readable = [](const char* symbol) {
        const std::string name = demangled(symbol);
        return name.substr(0, name.find(" [clone"));  // parts that the compiler has made of it
    };
    if (info.dli_sname) return readable(info.dli_sname);
    const auto* const module = static_cast<const link_map*>(extra);
    const std::uintptr_t offset = address - module->l_addr;
    // The program itself has no name here.
    const std::string path = *module->l_name ? module->l_name : "/proc/self/exe";
    const std::string name = symbol_in_file(path, offset);
    if (!name.empty()) return readable(name.c_str());
    std::array<char, 32> hex;
    std::snprintf(hex.data(), hex.size(), "+0x%zx", static_cast<std::size_t>(offset));
    return std::string(info.dli_fname ? info.dli_fname : "?").append(hex.data());
}

}  // namespace procpool::inline v0_1::detail::os

#endif
