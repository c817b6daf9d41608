// SPDX-License-Identifier: MIT
#include "known.hpp"

#include <fnmatch.h>

#include <fstream>
#include <stdexcept>

namespace faults {

known_failures::known_failures(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw std::invalid_argument("can't read " + path);
    for (std::string text; std::getline(file, text);) {
        if (text.empty() || text.front() == '#') continue;
        const auto space = text.find(' ');
        const auto reason = text.find_first_not_of(' ', space);
        if (reason == text.npos) throw std::invalid_argument(path + ": no reason in line: " + text);
        lines_.push_back({text.substr(0, space), text.substr(reason)});
    }
}

const std::string* known_failures::reason(const trial_end& end) {
    const std::string name = end.what.name();
    const std::string* found = nullptr;
    for (line& one : lines_) {
        if (::fnmatch(one.pattern.c_str(), name.c_str(), 0) != 0) continue;
        if (end.how == verdict::bad) {
            ++one.bad;
            found = &one.reason;
        } else if (end.reached) {
            ++one.good;
        }
    }
    return found;
}

std::vector<std::string> known_failures::mended() const {
    std::vector<std::string> patterns;
    for (const line& one : lines_)
        if (one.good > 0 && one.bad == 0) patterns.push_back(one.pattern);
    return patterns;
}

}  // namespace faults
