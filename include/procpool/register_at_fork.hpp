// SPDX-License-Identifier: MIT
// register_at_fork(): what must happen around each fork of the library, as in an interpreter.
#ifndef PROCPOOL_REGISTER_AT_FORK_HPP
#define PROCPOOL_REGISTER_AT_FORK_HPP

#include <functional>
#include <utility>

#include "procpool/detail/os/this_process.hpp"

namespace procpool::inline v0_1 {

/// Functions for register_at_fork(); each may be left out.
struct ForkHooks {
    std::function<void()> before = {};           ///< before each fork
    std::function<void()> after_in_parent = {};  ///< also if the fork has failed
    std::function<void()> after_in_child = {};   ///< in the new process
};

/// Has these called around each fork of the library, in the thread that forks, as Python's
/// os.register_at_fork() does: `before` of the last registered first, the others in the order of
/// registration.
///
/// With start_method::fork a pool forks its zygote when it is made, and again when that was killed, in a
/// thread of the pool's own or one that waits for it, with no lock of the pool held. A Process forks one,
/// too, and can't be asked for anything by a hook of its own start. The zygote forks workers: hooks that a
/// program has registered before run there, too, and so do those that a fresh run of the program has
/// registered at namespace scope. Forks of the program's own are none of these (see pthread_atfork), nor are
/// fresh runs of it, which are started by vfork.
///
/// They stay registered, and must not throw. Thread-safe.
inline void register_at_fork(ForkHooks hooks) {
    detail::os::add_fork_hook(std::move(hooks.before), std::move(hooks.after_in_parent),
                              std::move(hooks.after_in_child));
}

}  // namespace procpool::inline v0_1

#endif
