// SPDX-License-Identifier: MIT
// The memory that all processes of a test program share, as the system gives it.
#ifndef PROCPOOL_TESTS_SUPPORT_TEST_MEMORY_HPP
#define PROCPOOL_TESTS_SUPPORT_TEST_MEMORY_HPP

#include <cstddef>

namespace test {

inline constexpr std::size_t size_of_test_memory = 1 << 20;
/// Where the others find it, for fresh runs of the program.
inline constexpr const char* test_memory_variable = "PROCPOOL_TESTS_MEMORY";

/// Maps it. The program's first process makes it. @throws std::exception
std::byte* map_test_memory();

}  // namespace test

#endif
