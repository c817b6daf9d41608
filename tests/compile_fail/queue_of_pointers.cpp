// expect: procpool: a queue can't hold raw pointers
// SPDX-License-Identifier: MIT
#include <procpool/queue.hpp>

struct task {
    int number = 0;
};

void run(task* first) {
    const procpool::Queue<task*> queue;
    queue.put(first);
}
