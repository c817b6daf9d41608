// SPDX-License-Identifier: MIT
// One fault in one run of one feature.
#ifndef PROCPOOL_TESTS_FAULTS_TRIAL_HPP
#define PROCPOOL_TESTS_FAULTS_TRIAL_HPP

#include <string>
#include <vector>

#include "feature.hpp"
#include "plan.hpp"

namespace faults {

/// Which call of which process fails how.
struct trial {
    const feature* what = nullptr;
    role of = role::program;
    std::uint32_t which = plan::nothing;  // fault in the table; `nothing` counts calls
    std::uint32_t n = 1;                  // the nth call that can fail so
    bool lasting = false;                 // and all after it
    bool cold = false;                    // the first run of the feature in its program

    /// "pool_fork:zygote:fork:2:EAGAIN:lasting:cold"
    std::string name() const;
    bool operator==(const trial&) const = default;
};

const std::vector<feature>& all_features();

/// @throws std::invalid_argument if a name is none of a trial
trial trial_named(const std::string& name);

/// In the program of the trial: runs it, and tells in the plan how it ended.
void run_trial(const trial& one, plan& in);

}  // namespace faults

#endif
