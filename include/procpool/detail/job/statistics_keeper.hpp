// SPDX-License-Identifier: MIT
// Counts what the elements of a pool take, for its statistics.
#ifndef PROCPOOL_DETAIL_JOB_STATISTICS_KEEPER_HPP
#define PROCPOOL_DETAIL_JOB_STATISTICS_KEEPER_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <span>
#include <vector>

#include "procpool/detail/mutex.hpp"
#include "procpool/observer.hpp"
#include "procpool/statistics.hpp"

namespace procpool::inline v0_1::detail::job {

/// Has a lock of its own, since it is asked while it is told.
class statistics_keeper final : public Observer {
public:
    explicit statistics_keeper(std::size_t workers) : workers_(workers) {
        set_text_from(std::chrono::nanoseconds(0));  // until there are some that take long
        for (std::size_t i = 0; i < workers; ++i) workers_[i].index = i;
    }

    void elements_end(const CallInfo& call, std::span<const ElementEnd> some) override {
        const mutex_guard lock(mutex_);
        for (const ElementEnd& one : some) {
            if (!one.worker || *one.worker >= workers_.size()) continue;
            Statistics::Worker& worker = workers_[*one.worker];
            ++worker.elements;
            if (one.outcome == element_outcome::threw) ++worker.failures;
            if (one.outcome == element_outcome::returned && one.attempt > 1) ++worker.flaky;
            worker.working += one.run_time();
            worker.bytes_sent += one.argument_bytes;
            worker.bytes_received += one.result_bytes;
            if (slowest_.size() < kept || one.run_time() > slowest_.back().run_time) keep(call, one);
        }
    }
    void worker_starts(const WorkerStart& start) override {
        const mutex_guard lock(mutex_);
        if (start.index < workers_.size()) ++workers_[start.index].starts;
    }

    std::chrono::steady_clock::time_point since() const noexcept { return since_; }
    std::vector<Statistics::Worker> workers() const {
        const mutex_guard lock(mutex_);
        return workers_;
    }
    std::vector<Statistics::Element> slowest() const {
        const mutex_guard lock(mutex_);
        return slowest_;
    }

private:
    static constexpr std::size_t kept = 5;

    void keep(const CallInfo& call, const ElementEnd& one) PROCPOOL_REQUIRES(mutex_) {
        if (slowest_.size() == kept) slowest_.pop_back();
        const auto at = std::find_if(slowest_.begin(), slowest_.end(), [&](const Statistics::Element& other) {
            return other.run_time < one.run_time();
        });
        slowest_.insert(at, {.call = call.name,
                             .call_id = call.id,
                             .index = one.index,
                             .worker = *one.worker,
                             .outcome = one.outcome,
                             .run_time = one.run_time(),
                             .arguments = one.arguments});
        if (slowest_.size() == kept) set_text_from(slowest_.back().run_time);
    }

    const std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
    mutable mutex mutex_;
    std::vector<Statistics::Worker> workers_ PROCPOOL_GUARDED_BY(mutex_);
    std::vector<Statistics::Element> slowest_ PROCPOOL_GUARDED_BY(mutex_);  // the slowest first
};

}  // namespace procpool::inline v0_1::detail::job

#endif
