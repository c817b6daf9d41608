// SPDX-License-Identifier: MIT
// How often tests do what goes wrong only now and then.
#ifndef PROCPOOL_TESTS_SUPPORT_ROUNDS_HPP
#define PROCPOOL_TESTS_SUPPORT_ROUNDS_HPP

#include <algorithm>
#include <cstdlib>

namespace test {

/// `all`, or so many percent of them as PROCPOOL_TEST_ROUNDS says.
inline int rounds(int all) {
    static const char* const percent = std::getenv("PROCPOOL_TEST_ROUNDS");
    return percent ? std::max(1, all * std::atoi(percent) / 100) : all;
}

}  // namespace test

#endif
