// SPDX-License-Identifier: MIT
// What must be true of each run, whatever happens.
#ifndef PROCPOOL_TESTS_SIMULATION_INVARIANTS_HPP
#define PROCPOOL_TESTS_SIMULATION_INVARIANTS_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "job.hpp"
#include "peer.hpp"
#include "world.hpp"

namespace simulation {

/// An element begins that may: it is the one that was submitted, and doesn't run too often.
inline void check_begin(world& in, const simulated_peer& one) {
    const auto& element = *one.running;
    account* const job = in.account_of(element);
    if (!job) {
        if (in.hosts.empty() && one.told().begun != 1)
            throw broken("an initializer isn't the first that a peer runs");
        return;
    }
    if (in.hosts.empty() && element.job->key && !in.was_resized &&
        in.pool.place_of(*element.job) != static_cast<std::size_t>(&one - in.pool.peers().data()))
        throw broken("an element runs in another peer than its key says");
    account& of = *job;
    const record& kept = of.of(element.index);
    if (of.number(element.index) != element.number) throw broken("an element has another's bytes");
    // A node that is lost doesn't know of it.
    if (kept.withdrawn && element.job->retries == 0 && in.losses == 0)
        throw broken("an element runs after it was withdrawn");
    const unsigned most_nodes = in.losses > 0 ? 2 : 1;
    if (kept.begun > most_nodes * (1 + element.job->retries) + kept.innocent)
        throw broken("an element runs more often than it may: " + std::to_string(element.index) + " of job " +
                     std::to_string(element.job->id) + ", begun " + std::to_string(kept.begun) + " times, " +
                     std::to_string(element.job->retries) + " retries" + in.state());
}

/// After a step each element that was submitted is in one place.
inline void check_places(world& in) {
    for (const auto& [job, of] : in.jobs) {
        of->places.assign(of->elements.size(), 0);
        std::uint64_t ready = 0;
        for (const auto& some : job->ready) {
            ready += some.count;
            for (std::uint64_t i = 0; i < some.count; ++i) ++of->places.at(some.first + i);
        }
        if (ready != job->ready_elements) throw broken("the number of ready elements is wrong");
    }
    for (const auto& peer : in.pool.peers())
        for (const auto& run : peer.work().runs()) {
            // A job that a callback gave up at once may be over, and counted no more, while its elements run.
            if (account* const of = account_of(run.job.get()); of && !of->places.empty())
                for (std::uint64_t i = run.results; i < run.elements.count; ++i)
                    ++of->places.at(run.elements.first + i);
        }
    for (const auto& link : in.pool.nodes())
        for (const auto& run : link.node.work().runs())
            if (account* const of = account_of(run.job.get()); of && !of->places.empty())
                for (std::uint64_t i = 0; i < run.elements.count; ++i)
                    ++of->places.at(run.elements.first + i);
    in.pool.each_delayed([](const scheduler::remote_job& job, std::uint64_t index) {
        if (account* const of = account_of(&job); of && !of->places.empty()) ++of->places.at(index);
    });
    for (const auto& [job, of] : in.jobs) {
        if (job->failure() || job->abandoned) continue;
        for (std::uint64_t i = 0; i < of->places.size(); ++i) {
            const record& one = of->elements[i];
            const unsigned places = of->places[i] + (one.values > 0 || of->has_error(i));
            if (places == 1 || job->has_dropped(i, 1)) continue;
            if (places > 1) throw broken("an element is in two places");
            // What came back from a node and was withdrawn meanwhile fails in the next step.
            if (job->error_when_withdrawn && in.pool.has_something_at_hand()) continue;
            if (one.submitted > 0) throw broken("an element is lost");
        }
    }
}

/// No peer that may work is without work while elements are ready, and none has more than its window.
inline void check_idle(world& in) {
    if (in.pool.why_failed()) return;
    std::size_t workers = in.pool.all_peers().size() - in.pool.nodes().size();
    for (const auto& link : in.pool.nodes()) {
        if (!link.node.is_alive()) continue;
        workers += link.node.workers;
        if (link.node.work().elements() < link.node.workers && in.pool.has_ready())
            throw broken("a worker of a node has nothing to do, and elements are ready" + in.state());
    }
    if (in.pool.has_ready_for_idle_peer())
        throw broken("a peer has nothing to do, and elements are ready that only this one may run");
    if (workers != in.pool.size()) throw broken("the pool has another size than its peers together");
    for (const auto& one : in.pool.peers()) {
        constexpr std::uint64_t most_of_chunk = 8;  // which isn't cut
        if (one.taken >= in.most_per_peer && one.taken - in.most_per_peer >= most_of_chunk)
            throw broken("a peer has got more elements than it may");
        if (one.work().elements() > 40'000) throw broken("a peer has more elements than any window");
        if (one.can_work() && !one.input_ended && !one.retired && one.work().elements() == 0 &&
            one.taken == 0 && in.pool.has_ready())
            throw broken("a peer has nothing to do, and elements are ready");
    }
}

/// What has a time limit is checked in time.
inline void check_limits(simulated_pool& in) {
    for (auto& one : in.peers()) {
        if (!one.alive || !one.is_running() || !one.has_started() || !one.is_alive()) continue;
        const auto& element = *one.running;
        if (element.job->timeout == procpool::detail::job::no_limit || one.asked_to_end) continue;
        if (!one.work().has(*element.job, element.index)) continue;
        if (one.check_at > std::max(one.begun_at, in.time().now()) + element.job->timeout)
            throw broken("an element has a time limit, and nobody will look");
        if (in.time().now() > one.begun_at + element.job->timeout + std::chrono::milliseconds(40))
            throw broken("an element runs longer than it may");
    }
}

inline bool is_over(const entry& one) {
    if (!one.job->done()) return false;
    const auto* const series = dynamic_cast<const simulated_series*>(one.job.get());
    for (std::uint64_t call = 0; series && call < series->submitted(); ++call)
        if (!series->call_done(call)) return false;
    return true;
}

/// Of a job that is over.
inline void check_end(const world& in, const entry& one) {
    const bool failed = one.job->failure() != nullptr;
    for (std::uint64_t i = 0; i < one.of->elements.size(); ++i) {
        const record& element = one.of->elements[i];
        const unsigned ends = element.values + one.of->has_error(i);
        if (element.submitted > 0 && ends == 0 && !failed) throw broken("an element has no end");
        if (element.lost && !in.fails_with_node && in.losses < 2)
            throw broken("an element failed with the first node that was lost");
        if (ends > 1 && !one.job->has_dropped(i, 1)) throw broken("an element has two ends");
    }
    if (one.of->has_callback && one.of->callbacks_run != 1) throw broken("a callback didn't run once");
    if (const auto* const series = dynamic_cast<const simulated_series*>(one.job.get()))
        for (const auto& [call, runs] : series->call_callbacks_run)
            if (runs != 1)
                throw broken("a call's callback ran " + std::to_string(runs) + " times: call " +
                             std::to_string(call) + " of " + std::to_string(one.job->submitted()) +
                             (one.job->failure() ? ", failed" : ""));
}

/// Jobs that are over have one end for each element, and are looked at no more.
inline void check_ends(world& in) {
    std::erase_if(in.jobs, [&](const entry& one) {
        if (!is_over(one)) return false;
        check_end(in, one);
        std::erase(in.pool.open_, one.job);
        return true;
    });
}

}  // namespace simulation

#endif
