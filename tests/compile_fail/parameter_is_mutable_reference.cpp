// expect: procpool: the task takes a mutable reference
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

#include <string>

void shout(std::string& text) {
    for (char& c : text) c = '!';
}

void run(procpool::Pool& pool, std::vector<std::string>& texts) { pool.map(shout, texts); }
