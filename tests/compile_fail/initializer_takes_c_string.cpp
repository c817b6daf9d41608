// expect: procpool: a raw pointer can't be sent
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

void open_model(const char* path);

void run(const char* path) {
    procpool::Pool pool(2, open_model, path);
    pool.apply([] {});
}
