// SPDX-License-Identifier: MIT
// All that a run consists of: what was planned, chance, the pool, and the jobs that are not over.
#ifndef PROCPOOL_TESTS_SIMULATION_WORLD_HPP
#define PROCPOOL_TESTS_SIMULATION_WORLD_HPP

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "job.hpp"
#include "pool.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "random.hpp"
#include "simulation.hpp"

namespace simulation {

/// A job, and the part of it that the simulation looks at.
struct entry {
    std::shared_ptr<scheduler::remote_job> job;
    account* of;
};

/// Nothing for the job that is the initializer.
inline account* account_of(const scheduler::remote_job* job) {
    return dynamic_cast<account*>(const_cast<scheduler::remote_job*>(job));
}

struct world {
    explicit world(const plan& planned)
        : what(planned),
          dice(what.seed),
          most_per_peer(with(trouble::replacement) && dice.one_in(3) ? dice.from(1, 40) : ~std::uint64_t{0}),
          pool(dice.from(1, 4), dice.next(),
               {.max_elements_per_peer = most_per_peer,
                .terminate_grace = std::chrono::milliseconds(dice.below(20)),
                .error_handler = {},
                .initializer = with(trouble::initializers) && dice.one_in(4)
                                   ? std::make_shared<simulated_initializer>()
                                   : nullptr}) {}

    bool with(trouble which) const { return (what.troubles & static_cast<unsigned>(which)) != 0; }
    bool sometimes(trouble which, std::uint64_t n) { return with(which) && dice.one_in(n); }

    /// For a person.
    std::string state() {
        std::string text;
        for (const auto& [job, of] : jobs)
            text += "\n    job " + std::to_string(job->id) + ": submitted " +
                    std::to_string(job->submitted()) + " of " + std::to_string(of->planned) + ", ready " +
                    std::to_string(job->ready_elements) + (job->sealed() ? ", sealed" : "") +
                    (job->failure() ? ", failed" : "") + (job->complete() ? ", complete" : "") +
                    (job->abandoned ? ", abandoned" : "");
        for (const auto& one : pool.peers())
            text += "\n    peer in state " + std::to_string(static_cast<int>(one.state())) +
                    (one.alive ? ", alive" : "") + (one.is_running() ? ", runs" : "") + ", has " +
                    std::to_string(one.work().elements()) + " of " + std::to_string(one.taken) +
                    (one.input_ended ? ", input ended" : "") + (one.has_outgoing() ? ", unsent" : "") +
                    (one.holds_results() ? ", holds results" : "") + (one.has_news() ? ", news" : "");
        return text;
    }

    const plan what;
    random dice;
    const std::uint64_t most_per_peer;
    simulated_pool pool;
    std::vector<entry> jobs;
    std::uint64_t last_number = 0;  // of an element
    std::uint64_t deaths = 0;
    bool closed = false;  // callers submit nothing more
};

}  // namespace simulation

#endif
