// SPDX-License-Identifier: MIT
// Runs trials, each in a child with a process group of its own, several at once.
#ifndef PROCPOOL_TESTS_FAULTS_SWEEP_HPP
#define PROCPOOL_TESTS_FAULTS_SWEEP_HPP

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "plan.hpp"
#include "trial.hpp"

namespace faults {

struct trial_end {
    trial what;
    bool reached = false;  // the call that was to fail was made
    verdict how = verdict::none;
    std::string text;     // the error, or what is wrong
    std::string details;  // of what is wrong: where the call failed, what was printed, stacks of a hang
    std::array<std::array<std::uint32_t, table.size()>, static_cast<std::size_t>(role::count)> counts{};
};

class sweep {
public:
    sweep(std::size_t at_once, std::chrono::seconds deadline);

    /// Calls `tell` with each end, in the order in which they come.
    void run(const std::vector<trial>& trials, const std::function<void(const trial_end&)>& tell);

private:
    using clock = std::chrono::steady_clock;
    struct place {
        pid_t pid = 0;  // 0: nothing runs here
        trial what;
        clock::time_point until;
        int output = -1;
    };

    void start(std::size_t at, const trial& one);
    [[noreturn]] void live(std::size_t at);
    trial_end finish(std::size_t at, int status, bool hung, std::string stacks);
    void clear_group(pid_t group);
    void reap();

    const std::chrono::seconds deadline_;
    plan_file plans_;
    std::vector<place> places_;
    std::map<pid_t, int> ended_;  // children that were waited for, with their status
};

}  // namespace faults

#endif
