// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

int main() {}
