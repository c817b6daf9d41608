// SPDX-License-Identifier: MIT
// One random run of the scheduler among simulated peers, and what must be true of it.
#ifndef PROCPOOL_TESTS_SIMULATION_SIMULATION_HPP
#define PROCPOOL_TESTS_SIMULATION_SIMULATION_HPP

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "job.hpp"
#include "pool.hpp"
#include "random.hpp"

namespace simulation {

/// What a run may do, besides maps and single calls of elements that return.
enum class trouble : unsigned {
    deaths = 1,          // peers die at any moment
    errors = 2,          // elements throw, kill their peers, or hang
    limits = 4,          // time limits
    retries = 8,         // further tries
    cancellation = 16,   // abandon, withdraw, fail_fast
    series = 32,         // single calls that share a job
    callbacks = 64,      // which call back in
    replacement = 128,   // peers that get only so many elements
    ends = 256,          // close, wind_up and terminate
    initializers = 512,  // that peers run first, and may die in
    nodes = 1024,        // peers that are nodes, which have pools of their own
    losses = 2048,       // nodes that are lost for good
};
constexpr unsigned all_troubles = 4095;

struct plan {
    std::uint64_t seed = 1;
    std::uint64_t actions = 200;  // of callers, peers and time, before the pool is left to end
    unsigned troubles = all_troubles;
};

struct counts {
    std::uint64_t elements = 0;
    std::uint64_t deaths = 0;
    std::uint64_t steps = 0;
};

/// Runs it. @return what was wrong, if anything was
std::optional<std::string> run(const plan& what, counts& total);

}  // namespace simulation

#endif
