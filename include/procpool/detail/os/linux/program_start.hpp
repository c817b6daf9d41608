// SPDX-License-Identifier: MIT
// What runs in the program before main: its initial functions, and a life in main's place.
#ifndef PROCPOOL_DETAIL_OS_LINUX_PROGRAM_START_HPP
#define PROCPOOL_DETAIL_OS_LINUX_PROGRAM_START_HPP

#include <pthread.h>
#include <setjmp.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "procpool/detail/os/module.hpp"

namespace procpool::inline v0_1::detail::os {

/// A function that runs before main; the GNU C library passes main's arguments.
using initial_function = void (*)(int argc, char** argv, char** environment);

}  // namespace procpool::inline v0_1::detail::os

// NOLINTBEGIN(bugprone-reserved-identifier): the linker's and the C library's names
extern "C" {
// The program's initial functions in their order, as linkers provide it; absent in shared libraries.
[[gnu::weak, gnu::visibility("hidden")]] extern procpool::detail::os::initial_function __init_array_start[];
[[gnu::weak, gnu::visibility("hidden")]] extern procpool::detail::os::initial_function __init_array_end[];
#ifdef __GLIBC__
void __pthread_register_cancel(__pthread_unwind_buf_t*);
#endif
}
// NOLINTEND(bugprone-reserved-identifier)

namespace procpool::inline v0_1::detail::os {

/// To be called by `self`: runs the initial functions after it, which construct the program's other global
/// variables. False, and nothing has run, if `self` is none of the program's own, but a shared library's.
inline bool run_initial_functions_after(initial_function self, int argc, char** argv, char** environment) {
    const auto code = locate_code(reinterpret_cast<std::uintptr_t>(self));
    if (!code || !code->path.empty()) return false;
    initial_function* at = __init_array_start;
    initial_function* const end = __init_array_end;
    while (at != end && *at != self) ++at;
    if (at == end) return false;
    for (++at; at != end; ++at) (*at)(argc, argv, environment);
    return true;
}

/// Calls a `life` that never returns with what the C library would set up for main: where pthread_exit ends.
template <class Life>
[[noreturn]] void live_instead_of_main(Life life) {
#ifdef __GLIBC__
    __pthread_unwind_buf_t end;
    if (__sigsetjmp(reinterpret_cast<__jmp_buf_tag*>(end.__cancel_jmp_buf), 0) == 0) {
        __pthread_register_cancel(&end);
        life();
    }
#else
    life();
#endif
    ::_exit(EXIT_FAILURE);
}

}  // namespace procpool::inline v0_1::detail::os

#endif
