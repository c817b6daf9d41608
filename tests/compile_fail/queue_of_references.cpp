// expect: procpool: the items of a queue are values
// SPDX-License-Identifier: MIT
#include <procpool/queue.hpp>

void run(int& number) {
    const procpool::Queue<int&> queue;
    queue.put(number);
}
