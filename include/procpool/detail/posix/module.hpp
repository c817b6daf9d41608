// SPDX-License-Identifier: MIT
// The program and the shared libraries in this process: which one holds an address, where one is loaded.
#ifndef PROCPOOL_DETAIL_POSIX_MODULE_HPP
#define PROCPOOL_DETAIL_POSIX_MODULE_HPP

#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>

#include "procpool/detail/posix/fd.hpp"

namespace procpool::detail::posix {

/// Names one build of a module: its GNU build id, or where it is loaded if it has none (which only
/// processes forked from one another share).
class module_id {
public:
    static constexpr std::size_t max_size = 31;

    module_id() noexcept = default;
    explicit module_id(std::span<const std::byte> bytes) noexcept
        : size_(static_cast<std::uint8_t>(std::min(bytes.size(), max_size))) {
        std::memcpy(bytes_, bytes.data(), size_);
    }

    friend bool operator==(const module_id& a, const module_id& b) noexcept {
        return a.size_ == b.size_ && std::memcmp(a.bytes_, b.bytes_, a.size_) == 0;
    }

private:
    std::uint8_t size_ = 0;
    std::byte bytes_[max_size] = {};
};

struct code_location {
    module_id module;
    std::uint64_t offset = 0;
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
                    return module_id({content, note.n_descsz});
                at = content + round_up(note.n_descsz, align);
                if (at > end) break;
            }
        }
        const std::uintptr_t where = base();
        return module_id(std::as_bytes(std::span(&where, 1)));
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

/// Where in which module a code address lies; nothing if it is no code of a module.
inline std::optional<code_location> locate_code(std::uintptr_t address) {
    code_location location;
    const bool found = find_module([&](const loaded_module& module) {
        if (!module.contains(address, true)) return false;
        location = {module.id(), address - module.base()};
        return true;
    });
    if (!found) return std::nullopt;
    return location;
}

/// The address of `location` in this process; 0 if the module isn't loaded here.
inline std::uintptr_t resolve_code(const code_location& location) {
    std::uintptr_t address = 0;
    find_module([&](const loaded_module& module) {
        const std::uintptr_t candidate = module.base() + location.offset;
        if (!module.contains(candidate, true) || !(module.id() == location.module)) return false;
        address = candidate;
        return true;
    });
    return address;
}

}  // namespace procpool::detail::posix

#endif
