// SPDX-License-Identifier: MIT
#include "cube/cube.hpp"

long cube(long x) { return x * x * x; }
