// SPDX-License-Identifier: MIT
// The name of the function at a code address of this process.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_SYMBOLS_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_SYMBOLS_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/module.hpp"
#include "procpool/detail/os/windows/image.hpp"
#include "procpool/detail/type_name.hpp"

namespace procpool::inline v0_1::detail::os {

/// Function at `offset` in a module, mangled, from the table that MinGW's linker leaves in its file; empty if
/// it is stripped or can't be read.
template <class = only_if_used>
std::string symbol_in_file(const std::wstring& path, std::uint64_t offset) {
    std::ifstream file{std::filesystem::path(path), std::ios::binary};
    const auto read_at = [&](std::uint64_t at, void* to, std::size_t size) {
        file.seekg(static_cast<std::streamoff>(at));
        file.read(static_cast<char*>(to), static_cast<std::streamsize>(size));
        return file.good();
    };
    std::uint32_t begin = 0;
    image_headers headers;
    if (!read_at(0x3C, &begin, sizeof begin) || !read_at(begin, &headers, sizeof headers)) return {};
    if (headers.symbol_table == 0) return {};
    std::vector<image_section> sections(headers.sections);
    if (!read_at(begin + 24 + std::uint64_t{headers.optional_size}, sections.data(),
                 sections.size() * sizeof(image_section)))
        return {};
    constexpr std::size_t entry_size = 18;
    std::vector<char> table(headers.symbols * entry_size);
    if (!read_at(headers.symbol_table, table.data(), table.size())) return {};
    std::uint32_t nearest = 0;
    const char* name = nullptr;
    for (std::size_t i = 0; i < headers.symbols; ++i) {
        const char* const entry = table.data() + i * entry_size;
        std::uint32_t value;
        std::int16_t section;
        std::uint16_t type;
        std::memcpy(&value, entry + 8, sizeof value);
        std::memcpy(&section, entry + 12, sizeof section);
        std::memcpy(&type, entry + 14, sizeof type);
        i += static_cast<unsigned char>(entry[17]);  // what belongs to it
        constexpr unsigned function = 2;
        if (section <= 0 || static_cast<std::size_t>(section) > sections.size() || type >> 4 != function)
            continue;
        const std::uint32_t at = sections[static_cast<std::size_t>(section) - 1].address + value;
        if (at > offset || at < nearest) continue;
        nearest = at;
        name = entry;
    }
    if (!name) return {};
    std::uint32_t inlined, at;
    std::memcpy(&inlined, name, sizeof inlined);
    if (inlined != 0) return std::string(name, std::find(name, name + 8, '\0'));
    std::memcpy(&at, name + 4, sizeof at);
    file.seekg(static_cast<std::streamoff>(headers.symbol_table + table.size() + at));
    std::string text;
    std::getline(file, text, '\0');
    return text;
}

/// "function()", or "module+0x12ab".
template <class = only_if_used>
std::string describe_code(std::uintptr_t address) {
    const auto module = module_at(address);
    if (!module) return {};
    const std::uint64_t offset = address - module->base();
    if (const std::string name = symbol_in_file(module->wide_path(), offset); !name.empty()) {
        const std::string plain = demangled(name.c_str());
        return plain.substr(0, plain.find(" [clone"));  // parts that the compiler has made of it
    }
    std::array<char, 32> hex;
    std::snprintf(hex.data(), hex.size(), "+0x%lx", static_cast<unsigned long>(offset));
    return module->path() + hex.data();
}

}  // namespace procpool::inline v0_1::detail::os

#endif
