// SPDX-License-Identifier: MIT
// Failures that are known, each with the reason why it is not mended yet.
#ifndef PROCPOOL_TESTS_FAULTS_KNOWN_HPP
#define PROCPOOL_TESTS_FAULTS_KNOWN_HPP

#include <string>
#include <vector>

#include "sweep.hpp"

namespace faults {

class known_failures {
public:
    /// Each line of the file: a trial's name, in which * stands for anything, and the reason.
    explicit known_failures(const std::string& path);

    /// The reason, if a trial that failed is one of them; else null. To be called with each end.
    const std::string* reason(const trial_end& end);

    /// Those of which trials were run that all went well.
    std::vector<std::string> mended() const;

private:
    struct line {
        std::string pattern;
        std::string reason;
        std::size_t good = 0;
        std::size_t bad = 0;
    };
    std::vector<line> lines_;
};

}  // namespace faults

#endif
