// expect: procpool: this callable captures by reference
// SPDX-License-Identifier: MIT
#include <procpool/manager.hpp>

void run(const procpool::ListProxy<int>& list, int& sum) {
    list.call([&sum](std::vector<int>& all) { sum += all[0]; });
}
