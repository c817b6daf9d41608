// SPDX-License-Identifier: MIT
// The launcher of fresh runs takes long to compile: here, once for all programs of the tests.
#include "support/freeze.hpp"

#include "procpool/freeze_support.hpp"

namespace test {

void freeze_support(int argc, const char* const* argv) { procpool::freeze_support(argc, argv); }

}  // namespace test
