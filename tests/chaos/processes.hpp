// SPDX-License-Identifier: MIT
// The test's processes as /proc shows them.
#ifndef PROCPOOL_TESTS_CHAOS_PROCESSES_HPP
#define PROCPOOL_TESTS_CHAOS_PROCESSES_HPP

#include <string>
#include <vector>

namespace chaos {

struct process {
    long pid = 0;
    long parent = 0;
    char state = '?';
    /// Forks between the program and it: zygotes have odd numbers, workers even ones. -1 if its parent is
    /// gone.
    int depth = -1;

    bool is_running() const noexcept { return state == 'R'; }
    bool is_zygote() const noexcept { return depth > 0 && depth % 2 == 1; }
    bool is_worker() const noexcept { return depth > 0 && depth % 2 == 0; }
};

/// All processes of the program's process group that haven't ended, the program included.
std::vector<process> processes_of(long program);

/// What they are doing, one line for each thread.
std::string describe_processes_of(long program);

}  // namespace chaos

#endif
