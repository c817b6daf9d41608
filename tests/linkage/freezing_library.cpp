// SPDX-License-Identifier: MIT
#include "procpool/freeze_support.hpp"

#include "support/engine.hpp"

void call_freeze_support(int argc, char** argv) { procpool::freeze_support(argc, argv); }
