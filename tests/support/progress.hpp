// SPDX-License-Identifier: MIT
// Lines of progress, without what differs from run to run.
#ifndef PROCPOOL_TESTS_SUPPORT_PROGRESS_HPP
#define PROCPOOL_TESTS_SUPPORT_PROGRESS_HPP

#include <algorithm>
#include <cstddef>
#include <string>

namespace test {

/// Without the times: "map: 20 done".
inline std::string ends_in(const std::string& text) {
    std::string ends;
    std::size_t from = 0;
    for (std::size_t to = text.find('\n'); to != text.npos; from = to + 1, to = text.find('\n', from)) {
        std::string line = text.substr(from, to - from);
        const std::size_t time = line.find(" in ");
        std::size_t troubles = line.find("/s", time);
        for (const char* const unit : {"/min", "/h"}) troubles = std::min(troubles, line.find(unit, time));
        if (time != line.npos)
            line.erase(time, troubles == line.npos ? troubles : line.find_first_of(",\n", troubles) - time);
        ends += line + "\n";
    }
    return ends;
}

}  // namespace test

#endif
