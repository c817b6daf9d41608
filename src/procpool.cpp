// SPDX-License-Identifier: MIT
// The library procpool::engine.
#include "procpool/src.hpp"
