// SPDX-License-Identifier: MIT
// All that a run consists of: what was planned, chance, the pool, and the jobs that are not over.
#ifndef PROCPOOL_TESTS_SIMULATION_WORLD_HPP
#define PROCPOOL_TESTS_SIMULATION_WORLD_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "job.hpp"
#include "node_host.hpp"
#include "peer.hpp"
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
          has_nodes(with(trouble::nodes) && dice.one_in(2)),
          most_per_peer(with(trouble::replacement) && dice.one_in(3) ? dice.from(1, 40) : ~std::uint64_t{0}),
          pool(has_nodes ? 0 : dice.from(1, 4), dice.next(),
               {.max_elements_per_peer = has_nodes ? ~std::uint64_t{0} : most_per_peer,
                .terminate_grace = std::chrono::milliseconds(dice.below(20)),
                .error_handler = {},
                .initializer = with(trouble::initializers) && !has_nodes && dice.one_in(4)
                                   ? std::make_shared<simulated_initializer>()
                                   : nullptr}) {
        if (has_nodes) make_hosts();
    }

    bool with(trouble which) const { return (what.troubles & static_cast<unsigned>(which)) != 0; }
    bool sometimes(trouble which, std::uint64_t n) { return with(which) && dice.one_in(n); }

    /// The job that an element belongs to; null if it is the initializer, or over.
    account* account_of(const simulated_peer::element& one) const {
        if (account* const of = simulation::account_of(one.job)) return of;
        if (hosts.empty()) return nullptr;
        const auto at = std::find_if(jobs.begin(), jobs.end(),
                                     [&](const entry& job) { return job.of->has_number(one.number); });
        return at != jobs.end() ? at->of : nullptr;
    }
    /// Calls `use(pool)` for each pool in which peers run elements.
    template <class Use>
    void each_pool_of_peers(Use use) {
        if (hosts.empty()) use(pool);
        for (const auto& host : hosts)
            if (host->is_alive) use(host->pool);
    }
    /// Until when all who drive sleep.
    steady_time sleeps_until() {
        steady_time until = pool.sleeps() ? pool.sleeps_until() : steady_time::max();
        for (const auto& host : hosts)
            if (host->is_alive)
                until = host->pool.sleeps() ? std::min(until, host->pool.sleeps_until()) : steady_time::min();
        return until;
    }
    void advance_to(steady_time when) {
        pool.time().advance_to(when);
        for (const auto& host : hosts) host->pool.time().advance_to(when);
    }

    /// For a person.
    std::string state() {
        std::string text;
        for (const auto& [job, of] : jobs)
            text += "\n    job " + std::to_string(job->id) + ": submitted " +
                    std::to_string(job->submitted()) + " of " + std::to_string(of->planned) + ", ready " +
                    std::to_string(job->ready_elements) + (job->sealed() ? ", sealed" : "") +
                    (job->key ? ", key " + std::to_string(*job->key) : "") +
                    (job->failure() ? ", failed" : "") + (job->complete() ? ", complete" : "") +
                    (job->abandoned ? ", abandoned" : "");
        for (const auto& one : pool.peers())
            text += "\n    peer in state " + std::to_string(static_cast<int>(one.state())) +
                    (one.alive ? ", alive" : "") + (one.is_running() ? ", runs" : "") + ", has " +
                    std::to_string(one.work().elements()) + " of " + std::to_string(one.taken) +
                    (one.retired ? ", retired" : "") + (one.input_ended ? ", input ended" : "") +
                    (one.has_outgoing() ? ", unsent" : "") + (one.holds_results() ? ", holds results" : "") +
                    (one.has_news() ? ", news" : "");
        for (const auto& host : hosts) text += host->state();
        return text;
    }

    const plan what;
    random dice;
    const bool has_nodes;
    const std::uint64_t most_per_peer;
    simulated_pool pool;
    bool fails_with_node = false;
    std::vector<std::unique_ptr<simulated_host>> hosts;
    std::vector<entry> jobs;
    std::uint64_t last_number = 0;  // of an element
    std::uint64_t deaths = 0;
    std::uint64_t losses = 0;
    bool was_resized = false;  // so keys may have moved
    bool closed = false;       // callers submit nothing more

private:
    void make_hosts() {
        fails_with_node = dice.one_in(4);
        std::vector<std::size_t> workers(dice.from(1, 3));
        for (std::size_t& count : workers) count = dice.from(1, 4);
        pool.open_nodes(workers, fails_with_node);
        for (std::size_t i = 0; i < workers.size(); ++i)
            hosts.push_back(std::make_unique<simulated_host>(
                pool.nodes()[i], workers[i], dice.next(),
                procpool::detail::scheduler::scheduler_options{
                    .max_elements_per_peer = most_per_peer,
                    .terminate_grace = std::chrono::milliseconds(dice.below(20)),
                    .error_handler = {},
                    .initializer = nullptr}));
    }
};

}  // namespace simulation

#endif
