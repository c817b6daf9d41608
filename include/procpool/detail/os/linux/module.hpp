// SPDX-License-Identifier: MIT
// The program and the shared libraries in this process: which one holds an address, where one is loaded.
#ifndef PROCPOOL_DETAIL_OS_LINUX_MODULE_HPP
#define PROCPOOL_DETAIL_OS_LINUX_MODULE_HPP

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/memory_map.hpp"
#include "procpool/detail/os/process.hpp"

namespace procpool::inline v0_1::detail::os {

/// Names one build of a module: its GNU build id, or where it is loaded if it has none (which only
/// processes forked from one another share). Any bytes are one, since it comes from other processes.
class module_id {
public:
    static constexpr std::size_t max_size = 30;

    module_id() noexcept = default;
    static module_id of_build(std::span<const std::byte> build_id) noexcept {
        return {build_id, kind::build};
    }
    static module_id of_place(std::uintptr_t base) noexcept {
        return {std::as_bytes(std::span(&base, 1)), kind::place};
    }

    bool is_build_id() const noexcept { return kind_ == kind::build; }
    /// Tells the modules of one program apart; 0 for none.
    std::uint64_t key() const noexcept {
        std::uint64_t first = 0;
        std::memcpy(&first, bytes_, std::min(size(), sizeof first));
        return first;
    }
    /// Hexadecimal digits, for messages.
    std::string text() const {
        if (!is_build_id()) return "none";
        std::string digits;
        for (std::size_t i = 0; i < size(); ++i) {
            constexpr const char* hexadecimal = "0123456789abcdef";
            digits += hexadecimal[std::to_integer<unsigned>(bytes_[i]) >> 4];
            digits += hexadecimal[std::to_integer<unsigned>(bytes_[i]) & 15];
        }
        return digits;
    }

    friend bool operator==(const module_id& a, const module_id& b) noexcept {
        return a.kind_ == b.kind_ && a.size_ == b.size_ && std::memcmp(a.bytes_, b.bytes_, a.size()) == 0;
    }

private:
    enum class kind : std::uint8_t { place, build };

    module_id(std::span<const std::byte> bytes, kind what) noexcept
        : kind_(what), size_(static_cast<std::uint8_t>(std::min(bytes.size(), max_size))) {
        std::memcpy(bytes_, bytes.data(), size_);
    }

    std::size_t size() const noexcept { return std::min<std::size_t>(size_, max_size); }

    kind kind_ = kind::place;
    std::uint8_t size_ = 0;
    std::byte bytes_[max_size] = {};
};

struct code_location {
    module_id module;
    std::uint64_t offset = 0;
};

struct located_code : code_location {
    std::string path;  // of the module's file; empty for the program itself
};

class loaded_module {
public:
    explicit loaded_module(const dl_phdr_info& info) noexcept : info_(info) {}

    std::uintptr_t base() const noexcept { return info_.dlpi_addr; }
    const char* path() const noexcept { return info_.dlpi_name; }

    bool contains(std::uintptr_t address, bool executable_only) const noexcept {
        for (const ElfW(Phdr) & segment : segments()) {
            if (segment.p_type != PT_LOAD || (executable_only && !(segment.p_flags & PF_X))) continue;
            const std::uintptr_t begin = base() + segment.p_vaddr;
            if (address >= begin && address - begin < segment.p_memsz) return true;
        }
        return false;
    }

    module_id id() const noexcept {
        for (const ElfW(Phdr) & segment : segments()) {
            if (segment.p_type != PT_NOTE) continue;
            const auto* at = reinterpret_cast<const std::byte*>(base() + segment.p_vaddr);
            const auto* const end = at + segment.p_memsz;
            const std::size_t align = segment.p_align == 8 ? 8 : 4;
            while (static_cast<std::size_t>(end - at) >= sizeof(ElfW(Nhdr))) {
                ElfW(Nhdr) note;
                std::memcpy(&note, at, sizeof note);
                const std::byte* const name = at + sizeof note;
                const std::byte* const content = name + round_up(note.n_namesz, align);
                if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0)
                    return module_id::of_build({content, note.n_descsz});
                at = content + round_up(note.n_descsz, align);
                if (at > end) break;
            }
        }
        return module_id::of_place(base());
    }

private:
    std::span<const ElfW(Phdr)> segments() const noexcept { return {info_.dlpi_phdr, info_.dlpi_phnum}; }
    static std::size_t round_up(std::size_t size, std::size_t to) noexcept {
        return (size + to - 1) / to * to;
    }

    const dl_phdr_info& info_;
};

/// Calls `visit(loaded_module)` for each module until it returns true; tells whether one did.
template <class Visit>
bool find_module(Visit visit) {
    const auto callback = [](dl_phdr_info* info, std::size_t, void* data) {
        return (*static_cast<Visit*>(data))(loaded_module(*info)) ? 1 : 0;
    };
    // A child that another thread forks meanwhile would find the loader's lock taken for ever.
    const auto no_fork = fd_registry::instance().hold_forks();
    return ::dl_iterate_phdr(callback, &visit) != 0;
}

/// The id of the program itself.
template <class = only_if_used>
module_id program_id() {
    module_id id;
    find_module([&](const loaded_module& first) {
        id = first.id();
        return true;
    });
    return id;
}

/// How many modules were closed since the process began: while that stays, an address means the same.
template <class = only_if_used>
std::uint64_t number_of_modules_closed() {
    std::uint64_t number = 0;
    const auto callback = [](dl_phdr_info* info, std::size_t, void* data) {
        *static_cast<std::uint64_t*>(data) = info->dlpi_subs;
        return 1;  // each module tells the same
    };
    const auto no_fork = fd_registry::instance().hold_forks();
    ::dl_iterate_phdr(callback, &number);
    return number;
}

/// Where in which module a code address lies; nothing if it is no code of a module.
template <class = only_if_used>
std::optional<located_code> locate_code(std::uintptr_t address) {
    located_code code;
    const bool found = find_module([&](const loaded_module& module) {
        if (!module.contains(address, true)) return false;
        code = {{module.id(), address - module.base()}, module.path()};
        return true;
    });
    if (!found) return std::nullopt;
    // A name without directories, or relative to one that was left since, opens nothing.
    if (!code.path.empty() && !code.path.starts_with('/')) code.path = what_is_mapped_at(address);
    return code;
}

/// The address of `location` in this process; 0 if the module isn't loaded here. A fresh run of the program
/// shares no addresses with it, so that modules without a build id can't be told there, but for the program.
template <class = only_if_used>
std::uintptr_t resolve_code(const code_location& location, bool in_program = false) {
    std::uintptr_t address = 0;
    find_module([&](const loaded_module& module) {
        const std::uintptr_t candidate = module.base() + location.offset;
        const bool by_place = !location.module.is_build_id() && started_anew;
        const bool same = by_place ? in_program && !runs_another_program : module.id() == location.module;
        if (same && module.contains(candidate, true)) address = candidate;
        return address != 0 || by_place;
    });
    return address;
}

/// The id of the module that was loaded from `path`; nothing if none was.
template <class = only_if_used>
std::optional<module_id> module_loaded_from(const std::string& path) {
    std::optional<module_id> id;
    find_module([&](const loaded_module& module) {
        if (path == module.path()) id = module.id();
        return id.has_value();
    });
    return id;
}

/// Loads a library for the rest of the process's life. @return what is wrong with it, nothing if all is well
inline std::string load_module(const std::string& path) {
    if (::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return {};
    const char* const why = ::dlerror();
    return why ? why : "unknown error";
}

}  // namespace procpool::inline v0_1::detail::os

#endif
