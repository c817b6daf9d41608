// SPDX-License-Identifier: MIT
#include <procpool/executor.hpp>

long cube(long x) { return x * x * x; }

int main() {
    procpool::ProcessPoolExecutor executor(2);
    return executor.submit(cube, 1L).result() == 1 ? 0 : 1;
}
