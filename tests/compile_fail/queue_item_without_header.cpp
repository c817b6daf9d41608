// expect: procpool: an item of a queue can't be serialised
// SPDX-License-Identifier: MIT
#include <procpool/queue.hpp>

#include <map>
#include <string>

void run(const std::map<std::string, int>& words) {  // <cereal/types/map.hpp> is missing
    const procpool::JoinableQueue<std::map<std::string, int>> queue;
    queue.put(words);
}
