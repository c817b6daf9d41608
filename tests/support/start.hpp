// SPDX-License-Identifier: MIT
// How pools of tests start that aren't about that.
#ifndef PROCPOOL_TESTS_SUPPORT_START_HPP
#define PROCPOOL_TESTS_SUPPORT_START_HPP

#include "procpool/detail/os/process.hpp"
#include "procpool/start_method.hpp"

namespace test {

/// The start method that takes least time.
inline constexpr procpool::start_method quickest_start =
    procpool::detail::os::can_fork ? procpool::start_method::fork : procpool::start_method::spawn;

}  // namespace test

#endif
