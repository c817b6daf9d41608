// SPDX-License-Identifier: MIT
// at_worker_exit(): what a worker does before it leaves.
#ifndef PROCPOOL_AT_WORKER_EXIT_HPP
#define PROCPOOL_AT_WORKER_EXIT_HPP

#include <functional>
#include <utility>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/worker/exit_functions.hpp"
#include "procpool/error.hpp"
#include "procpool/worker.hpp"

namespace procpool::inline v0_1 {

/// Has this worker call `function` when it leaves by itself: when its pool was closed and is joined, or has
/// given it as many elements (`maxtasksperchild`) or as much memory as it may have.
///
/// To be called by an initializer or a task, in the thread that runs it: what another thread gives is not
/// called. All results are out when functions are called, the last one first; who joins the pool waits for
/// them, and what one throws is printed. A worker process that is killed calls nothing, and terminate() and
/// the pool's destructor kill, also in the midst of a function; a thread of a ThreadPool calls them however
/// the pool ends.
/// @throws Error outside of a worker
template <class = detail::only_if_used>
void at_worker_exit(std::function<void()> function) {
    if (!worker_index()) throw Error("procpool: at_worker_exit() is for the initializers and tasks of pools");
    detail::worker::exit_functions<>().push_back(std::move(function));
}

}  // namespace procpool::inline v0_1

#endif
