// SPDX-License-Identifier: MIT
// Which trials are run: all that the counted calls make possible, or a sample of them.
#ifndef PROCPOOL_TESTS_FAULTS_SELECTION_HPP
#define PROCPOOL_TESTS_FAULTS_SELECTION_HPP

#include <functional>
#include <vector>

#include "sweep.hpp"

namespace faults {

/// What a feature calls, in its first run in a program and in later ones.
struct call_counts {
    trial_end cold;
    trial_end warm;
};

/// All trials of a feature, in the order of the table.
std::vector<trial> trials_of(const call_counts& counts);

/// `most` of them, always the same ones: of each kind of call a few before many of one kind.
std::vector<trial> sample_of(std::vector<trial> trials, std::size_t most);

}  // namespace faults

#endif
