// expect: procpool: a shared value is plain data
// SPDX-License-Identifier: MIT
#include <procpool/value.hpp>

#include <string>

void run() {
    const procpool::Value<std::string> name("nobody");
    (void)name;
}
