// expect: apply_async copies (std::ref passes a reference)
// SPDX-License-Identifier: MIT
#include <procpool/thread_pool.hpp>

void run(procpool::ThreadPool& pool, int& number) {
    pool.apply_async([](int& n) { ++n; }, number).get();
}
