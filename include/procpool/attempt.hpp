// SPDX-License-Identifier: MIT
// attempt(): how often the element that runs was begun.
#ifndef PROCPOOL_ATTEMPT_HPP
#define PROCPOOL_ATTEMPT_HPP

#include <cstdint>

#include "procpool/detail/worker/element_position.hpp"

namespace procpool::inline v0_1 {

/// Which attempt at the element that runs this is: 1 for the first, 2 after a failure (see the option
/// `retries`), and so on; 0 outside of tasks. In a thread that a task of a Pool starts it is the task's.
inline std::uint32_t attempt() noexcept {
    const detail::worker::element_position& at = detail::worker::current_position();
    return at.counter ? at.attempt : 0;
}

}  // namespace procpool::inline v0_1

#endif
