// expect: procpool: a dataset has a const get
// SPDX-License-Identifier: MIT
#include <procpool/loader.hpp>

struct dataset {
    std::size_t size() const { return 3; }
    void get(std::size_t i, float& to) const;
};

void f(procpool::Pool& pool) {
    procpool::Loader loader(pool, dataset{}, {}, procpool::sample_array<float>(2));
}
