// SPDX-License-Identifier: MIT
#include "engine.hpp"
#include "procpool/freeze_support.hpp"

void call_freeze_support(int argc, char** argv) { procpool::freeze_support(argc, argv); }
