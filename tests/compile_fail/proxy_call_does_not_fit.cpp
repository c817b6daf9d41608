// expect: procpool: a proxy's call takes a function whose first parameter is a reference to the object
// SPDX-License-Identifier: MIT
#include <procpool/manager.hpp>

void run(const procpool::ListProxy<int>& list) {
    list.call([](std::string& text) { text.clear(); });
}
