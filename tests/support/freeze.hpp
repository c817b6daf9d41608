// SPDX-License-Identifier: MIT
// procpool::freeze_support() for programs of the tests.
#ifndef PROCPOOL_TESTS_SUPPORT_FREEZE_HPP
#define PROCPOOL_TESTS_SUPPORT_FREEZE_HPP

namespace test {

/// To be called first in main.
void freeze_support(int argc, const char* const* argv);

}  // namespace test

#endif
