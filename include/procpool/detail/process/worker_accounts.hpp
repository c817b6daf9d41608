// SPDX-License-Identifier: MIT
// What the workers of a pool have done so far, those that are gone included.
#ifndef PROCPOOL_DETAIL_PROCESS_WORKER_ACCOUNTS_HPP
#define PROCPOOL_DETAIL_PROCESS_WORKER_ACCOUNTS_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/limits.hpp"
#include "procpool/detail/process/worker_link.hpp"
#include "procpool/statistics.hpp"

namespace procpool::inline v0_1::detail::process {

/// With the pool's lock held.
template <class = only_if_used>
class basic_worker_accounts {
public:
    /// The worker is dead, and all that it left was taken.
    void close(const worker_link& link, bool has_initializer) {
        if (gone_.size() <= link.index) gone_.resize(link.index + 1);
        Statistics::Worker life = life_of(link, has_initializer);
        life.peak_memory = link.remains.peak_memory;
        const bool by_itself = !link.tasks() && link.exit && link.exit->code == 0;
        life.deaths = by_itself ? 0 : 1;
        add(gone_[link.index], life);
    }

    std::vector<Statistics::Worker> all(const std::vector<worker_link>& links, bool has_initializer) const {
        std::vector<Statistics::Worker> result;
        for (const worker_link& link : links) {
            Statistics::Worker sum = link.index < gone_.size() ? gone_[link.index] : Statistics::Worker{};
            sum.index = link.index;
            // One that is dead, too, until it is closed: the pool may end before that.
            // Results can be quicker than the news that it has started.
            const bool has_worked = link.has_started() || link.work().results() > 0;
            if (has_worked && !link.is(scheduler::peer_state::absent)) {
                Statistics::Worker life = life_of(link, has_initializer);
                life.peak_memory =
                    link.is_alive() ? os::peak_memory_of(link.told_pid()) : link.remains.peak_memory;
                add(sum, life);
            }
            result.push_back(sum);
        }
        return result;
    }

private:
    static Statistics::Worker life_of(const worker_link& link, bool has_initializer) {
        const auto& told = link.box().told;
        Statistics::Worker life;
        const std::uint64_t results = link.work().results();
        const bool has_finalized = link.finalized && link.work().elements() == 0;
        const std::uint64_t not_of_calls = (has_initializer ? 1 : 0) + (has_finalized ? 1 : 0);
        life.elements = results - std::min<std::uint64_t>(results, not_of_calls);
        life.failures = link.threw;
        life.flaky = link.flaky;
        life.starts = link.has_started() ? 1 : 0;
        life.bytes_sent = link.bytes_sent();
        life.bytes_received = link.bytes_received();
        // A corrupt worker may have told any times.
        const std::int64_t age = std::max<std::int64_t>(steady_ns() - link.asked_at, 0);
        const std::int64_t ready = told.ready.load(std::memory_order_acquire);
        const std::int64_t starting =
            ready == 0 ? age : std::clamp<std::int64_t>(elapsed(link.asked_at, ready), 0, age);
        std::int64_t busy = told.busy_ns.load(std::memory_order_relaxed);
        const std::uint64_t ended = told.ended.load(std::memory_order_acquire);
        const std::uint64_t begun = told.begun.load(std::memory_order_acquire);
        if (ended < begun)  // it is, or was, in the midst of one
            busy += elapsed_since(told.begun_at.load(std::memory_order_relaxed)).count();
        busy = std::clamp<std::int64_t>(busy, 0, age - starting);
        const std::int64_t initializing = std::clamp<std::int64_t>(
            has_initializer && ended == 0 ? busy : told.initializing_ns.load(std::memory_order_relaxed), 0,
            busy);
        life.starting = std::chrono::nanoseconds(starting);
        life.initializing = std::chrono::nanoseconds(initializing);
        life.working = std::chrono::nanoseconds(busy - initializing);
        life.waiting = std::chrono::nanoseconds(age - starting - busy);
        return life;
    }
    static std::int64_t elapsed(std::int64_t from, std::int64_t to) noexcept {
        return to > from ? (from >= 0 ? to - from : to) : 0;
    }

    static void add(Statistics::Worker& to, const Statistics::Worker& life) noexcept {
        to.elements += life.elements;
        to.failures += life.failures;
        to.flaky += life.flaky;
        to.starts += life.starts;
        to.deaths += life.deaths;
        to.starting += life.starting;
        to.initializing += life.initializing;
        to.waiting += life.waiting;
        to.working += life.working;
        to.bytes_sent += life.bytes_sent;
        to.bytes_received += life.bytes_received;
        to.peak_memory = std::max(to.peak_memory, life.peak_memory);
    }

    std::vector<Statistics::Worker> gone_;
};
using worker_accounts = basic_worker_accounts<>;

}  // namespace procpool::inline v0_1::detail::process

#endif
