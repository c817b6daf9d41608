// SPDX-License-Identifier: MIT
// The program and the DLLs in this process: which one holds an address, where one is loaded.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_MODULE_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_MODULE_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/memory_map.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/windows/api.hpp"
#include "procpool/detail/os/windows/image.hpp"
#include "procpool/detail/os/windows/text.hpp"

namespace procpool::inline v0_1::detail::os {

/// Names one build of a module: a hash of its headers, in which the linker has written when or of what it was
/// made, and of its debug id. Any bytes are one, since it comes from other processes.
class module_id {
public:
    module_id() noexcept = default;
    module_id(std::uint64_t headers, std::uint64_t debug) noexcept : headers_(headers), debug_(debug) {}
    bool is_build_id() const noexcept { return true; }
    /// Tells the modules of one program apart; 0 for none.
    std::uint64_t key() const noexcept { return headers_; }
    /// Hexadecimal digits, for messages.
    std::string text() const {
        char digits[33];
        std::snprintf(digits, sizeof digits, "%08lx%08lx%08lx%08lx",
                      static_cast<unsigned long>(headers_ >> 32), static_cast<unsigned long>(headers_),
                      static_cast<unsigned long>(debug_ >> 32), static_cast<unsigned long>(debug_));
        return digits;
    }
    friend bool operator==(const module_id&, const module_id&) noexcept = default;

private:
    std::uint64_t headers_ = 0;
    std::uint64_t debug_ = 0;
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
    explicit loaded_module(HINSTANCE__* module) noexcept : module_(module) {}
    HINSTANCE__* handle() const noexcept { return module_; }
    std::uintptr_t base() const noexcept { return reinterpret_cast<std::uintptr_t>(module_); }
    bool is_program() const noexcept { return module_ == ::GetModuleHandleW(nullptr); }
    std::string path() const { return narrowed(wide_path()); }
    std::wstring wide_path() const {
        std::wstring path(32768, L'\0');
        path.resize(::GetModuleFileNameW(module_, path.data(), static_cast<unsigned long>(path.size())));
        return path;
    }
    bool contains(std::uintptr_t address, bool executable_only) const noexcept {
        api::memory_information found{};
        return query_memory(address, found) && found.type == api::mem_image &&
               found.allocation_base == static_cast<void*>(module_) &&
               (!executable_only || (found.protection & api::page_executable) != 0);
    }
    module_id id() const noexcept {
        const loaded_image image(base());
        return {image.hash_of_headers(), image.hash_of_debug_id()};
    }

private:
    HINSTANCE__* module_;
};

/// The module that has this address; nothing if none has it.
inline std::optional<loaded_module> module_at(std::uintptr_t address) noexcept {
    HINSTANCE__* found = nullptr;
    if (!::GetModuleHandleExW(api::module_from_address | api::module_keep_count,
                              reinterpret_cast<const wchar_t*>(address), &found))
        return std::nullopt;
    return loaded_module(found);
}

/// Calls `visit(loaded_module)` for each module, the program first, until it returns true; tells whether one
/// did.
template <class Visit>
bool find_module(Visit visit) {
    std::vector<HINSTANCE__*> all(256);
    for (;;) {
        unsigned long bytes = 0;
        const auto room = static_cast<unsigned long>(all.size() * sizeof(HINSTANCE__*));
        if (!::K32EnumProcessModules(::GetCurrentProcess(), all.data(), room, &bytes)) return false;
        const bool fits = bytes <= room;
        all.resize(bytes / sizeof(HINSTANCE__*));
        if (fits) break;
    }
    return std::any_of(all.begin(), all.end(),
                       [&](HINSTANCE__* module) { return visit(loaded_module(module)); });
}

/// The id of the program itself.
template <class = only_if_used>
module_id program_id() {
    return loaded_module(::GetModuleHandleW(nullptr)).id();
}

/// How many modules were closed since the process began: while that stays, an address means the same.
template <class = only_if_used>
std::uint64_t number_of_modules_closed() {
    return 0;  // nobody counts: a library that tasks come from must stay
}

/// Where in which module a code address lies; nothing if it is no code of a module.
template <class = only_if_used>
std::optional<located_code> locate_code(std::uintptr_t address) {
    const auto module = module_at(address);
    if (!module || !module->contains(address, true)) return std::nullopt;
    return located_code{{module->id(), address - module->base()},
                        module->is_program() ? std::string() : module->path()};
}

/// The address of `location` in this process; 0 if the module isn't loaded here.
template <class = only_if_used>
std::uintptr_t resolve_code(const code_location& location, bool in_program = false) {
    std::uintptr_t address = 0;
    find_module([&](const loaded_module& module) {
        if (in_program && !module.is_program()) return true;  // the program is the first
        const std::uintptr_t candidate = module.base() + location.offset;
        if (module.id() == location.module && module.contains(candidate, true)) address = candidate;
        return address != 0;
    });
    return address;
}

/// The id of the module that was loaded from `path`; nothing if none was.
template <class = only_if_used>
std::optional<module_id> module_loaded_from(const std::string& path) {
    HINSTANCE__* const module = ::GetModuleHandleW(widened(path).c_str());
    return module ? std::optional(loaded_module(module).id()) : std::nullopt;
}

/// Loads a library for the rest of the process's life. @return what is wrong with it, nothing if all is well
inline std::string load_module(const std::string& path) {
    if (::LoadLibraryExW(widened(path).c_str(), nullptr, api::load_altered_path)) return {};
    const auto error = static_cast<int>(::GetLastError());
    return path + ": " + std::system_category().message(error);
}

}  // namespace procpool::inline v0_1::detail::os

#endif
