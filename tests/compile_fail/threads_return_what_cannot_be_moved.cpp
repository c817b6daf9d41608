// expect: procpool: the task's result can't be moved or copied to the caller
// SPDX-License-Identifier: MIT
#include <procpool/thread_pool.hpp>

#include <mutex>

void run(procpool::ThreadPool& pool) {
    pool.apply([] { return std::mutex(); });
}
