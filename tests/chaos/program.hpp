// SPDX-License-Identifier: MIT
// The program under test: threads that run jobs, in rounds with a balance after each.
#ifndef PROCPOOL_TESTS_CHAOS_PROGRAM_HPP
#define PROCPOOL_TESTS_CHAOS_PROGRAM_HPP

#include <cstdint>
#include <optional>

namespace chaos {

struct settings {
    double seconds = 60;
    std::uint64_t seed = 0;
    std::size_t pools = 3;
    std::size_t threads = 4;
    std::optional<std::uint64_t> only_job;
    long pace_us = 15'000;  // mean time between two strikes; none if 0
    double patience = 60;   // seconds that a job may take
    bool hold = false;      // leave a hang to a debugger
};

/// @return the exit code
int run_program(const settings& all);

}  // namespace chaos

#endif
