// SPDX-License-Identifier: MIT
// Waiting for something to become true, with a deadline instead of a guess.
#ifndef PROCPOOL_TESTS_SUPPORT_WAIT_HPP
#define PROCPOOL_TESTS_SUPPORT_WAIT_HPP

#include <chrono>
#include <functional>

namespace test {

/// So long that only something that never happens takes longer, also under sanitizers on a busy machine.
inline constexpr std::chrono::seconds patience{30};

/// Looks at `condition` until it is true; false if that takes longer than `patience`.
bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds most = patience);

}  // namespace test

#endif
