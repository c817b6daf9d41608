// SPDX-License-Identifier: MIT
// stop_requested(): whether the task that runs shall come to its end.
#ifndef PROCPOOL_STOP_REQUESTED_HPP
#define PROCPOOL_STOP_REQUESTED_HPP

#include "procpool/detail/worker/element_position.hpp"

namespace procpool::inline v0_1 {

/// Whether the element that runs has been at it for its `soft_timeout`, or its call was cancelled. A task
/// asks now and then, and returns what it has so far, or throws. Costs next to nothing. False outside of
/// tasks. In a thread that a task of a Pool starts it is about the task.
///
/// A task of a Pool may also take a std::stop_token behind its arguments, which isn't passed to the call.
inline bool stop_requested() noexcept { return detail::worker::current_position().is_asked_to_stop(); }

}  // namespace procpool::inline v0_1

#endif
