// SPDX-License-Identifier: MIT
// How functions of modules are found, and found again.
#ifndef PROCPOOL_DETAIL_WIRE_CODE_ADDRESS_IMPL_HPP
#define PROCPOOL_DETAIL_WIRE_CODE_ADDRESS_IMPL_HPP

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/module.hpp"
#include "procpool/detail/os/per_thread.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/code_address.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::wire {

/// Where a function was found.
struct known_code {
    std::uintptr_t address = 0;
    bool stays = false;  // it is the program's own, which nobody closes
    std::uint64_t modules_closed = 0;
    os::located_code code;
};

/// Finds where an address of a library is, or one that isn't known yet.
template <class = only_if_used>
[[gnu::noinline]] const known_code* look_for_code(std::uintptr_t address, known_code& place) {
    const std::uint64_t closed = os::number_of_modules_closed();
    if (address != 0 && place.address == address && place.modules_closed == closed) return &place;
    auto code = os::locate_code(address);
    if (!code) return nullptr;
    const bool stays = code->path.empty();
    place = {address, stays, closed, std::move(*code)};
    return &place;
}

/// The location of a function, null if nothing there is code of a module; remembered, since looking it up
/// takes a microsecond, until a library is closed: another one may come to lie there.
template <class = only_if_used>
const known_code* find_known_code(std::uintptr_t address) {
    // Each thread's own, so that no fork copies a lock; 64 functions are many for one program. Two places for
    // each remainder: a task is two addresses, that of its code and often a function's, which may have the
    // same one, and would take turns.
    struct of_codes {};
    auto& known = os::of_this_thread<std::array<std::array<known_code, 2>, 32>, of_codes>();
    auto& places = known[(address >> 4) % known.size()];
    for (known_code& place : places)
        if (place.address == address) return place.stays ? &place : look_for_code(address, place);
    std::swap(places[0], places[1]);
    return look_for_code(address, places[0]);
}
template <class = only_if_used>
const os::located_code* find_code(std::uintptr_t address) {
    const known_code* const known = find_known_code(address);
    return known ? &known->code : nullptr;
}

template <class>
std::uint64_t generation_of_code(std::uintptr_t address) {
    const known_code* const known = find_known_code(address);
    return known && !known->stays ? known->modules_closed + 1 : 0;
}

/// Why a worker has no such function, though it was told of one.
template <class = only_if_used>
std::string why_not_found(const os::code_location& location, const std::string& path) {
    const std::string what = "procpool: the worker has no such function: ";
    if (path.empty() && os::runs_another_program)
        return what + "it is the program's own, and workers run another executable (see set_executable)";
    if (path.empty())
        return what + "it belongs to another build of this program (build id " + location.module.text() + ")";
    const auto loaded = os::module_loaded_from(path);
    if (!loaded) return what + path + " is not loaded there";
    return what + path + " is another build in the worker (build id " + loaded->text() +
           ") than in the program (build id " + location.module.text() +
           (location.module.is_build_id() ? "); was the file replaced? Load it anew and make a new pool"
                                          : "), or can't be told from one: link it with -Wl,--build-id");
}

template <class = only_if_used>
std::uintptr_t find_function(const os::code_location& location, const std::string& path) {
    std::uintptr_t address = os::resolve_code(location, path.empty());
    if (address == 0 && may_load_libraries && !path.empty() && !os::module_loaded_from(path)) {
        if (const std::string problem = os::load_module(path); !problem.empty())
            throw SerializationError("procpool: the worker can't load the library of a function: " + problem);
        address = os::resolve_code(location, false);
    }
    if (address == 0) throw SerializationError(why_not_found(location, path));
    return address;
}

template <class>
bool is_code(std::uintptr_t address) {
    return find_code(address) != nullptr;
}

template <class>
inline void encode_code(buffer& to, std::uintptr_t address) {
    const os::located_code* const code = find_code(address);
    if (!code)
        throw SerializationError("procpool: a function pointer that points to no function of this program");
    to.append_value<os::code_location>(*code);
    to.append_value(std::uint64_t{code->path.size()});
    to.append(code->path.data(), code->path.size());
}

template <class>
std::uintptr_t decode_code(cursor& from) {
    const auto location = from.value<os::code_location>();
    const auto path = from.sized();
    return find_function(location, {reinterpret_cast<const char*>(path.data()), path.size()});
}

template <class>
bool may_lie_elsewhere(cursor code) {
    return os::runs_another_program || os::workers_run_another_program ||
           !code.value<os::code_location>().module.is_build_id();
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
