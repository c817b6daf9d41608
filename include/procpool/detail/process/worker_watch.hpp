// SPDX-License-Identifier: MIT
// Takes what workers send, and checks what they are doing.
#ifndef PROCPOOL_DETAIL_PROCESS_WORKER_WATCH_HPP
#define PROCPOOL_DETAIL_PROCESS_WORKER_WATCH_HPP

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/flush_policy.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/process_identity.hpp"
#include "procpool/detail/process/health_check.hpp"
#include "procpool/detail/process/worker_link.hpp"
#include "procpool/detail/process/worker_processes.hpp"
#include "procpool/detail/scheduler/scheduler.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::process {

/// With the pool's lock held.
template <class = only_if_used>
class basic_worker_watch {
public:
    basic_worker_watch(scheduler::scheduler& jobs, worker_processes& workers)
        : jobs_(jobs), workers_(workers) {}

    /// Those that are dead and whose remains are still to be taken.
    std::vector<worker_link*>& dying() noexcept { return dying_; }
    bool has_dying() const noexcept { return !dying_.empty(); }
    /// When check() is to be called, if results are to come.
    steady_time health_check_due() const noexcept { return health_check_.next(); }

    /// Enters results that have come.
    void collect(worker_link& link) PROCPOOL_REQUIRES(pool_mutex) {
        link.results_ended = link.ended();
        workers_.memory().notice_results(link.has_arena_memory());
        try {
            link.collect(jobs_.events().collected());
            link.check_unfinished();
        } catch (const SerializationError& error) {
            mark_corrupt(link, sent_garbage(error.what()));
        }
        jobs_.events().note_results(link);
        if (link.fault().empty() && !link.results_ended) return;
        if (workers_.stop_reading(link))
            dying_.push_back(&link);
        else if (link.fault().empty())
            link.check_at = deadline_in(exit_news_timeout);
    }

    /// Checks those workers for which it is time.
    void check() PROCPOOL_REQUIRES(pool_mutex) {
        const auto now = std::chrono::steady_clock::now();
        if (now >= health_check_.next()) check_health(now);
        for (worker_link& link : workers_.links())
            if (link.check_at <= now) check_worker(link, now);
    }

private:
    static std::string sent_garbage(const char* what) {
        return std::string("its results were garbage: ") + what;
    }
    /// A corrupt worker can only be killed, as soon as its process id is known.
    static void mark_corrupt(worker_link& link, std::string why) {
        link.find_faulty(std::move(why));
        link.check_at = steady_time::min();
    }

    /// Finds workers that owe results which will never come.
    void check_health(steady_time now) {
        health_check_.begin();
        for (worker_link& link : workers_.links()) {
            if (!link.has_started() || !link.is_alive() || link.results_ended || !link.fault().empty())
                continue;
            if (const char* const why = health_check_.find_fault(link, now)) mark_corrupt(link, why);
            workers_.send(link);  // a probe
        }
        health_check_.end(now);
    }

    void check_worker(worker_link& link, steady_time now) PROCPOOL_REQUIRES(pool_mutex) {
        link.check_at = steady_time::max();
        if (!link.is_alive()) return;
        const bool is_faulty = !link.fault().empty();
        if (is_faulty && workers_.has_lost(link)) {
            link.die_with({});  // nobody tells how it ended
            dying_.push_back(&link);
            return;
        }
        if (link.pid == 0) {  // born, but the news are not read: it can't be signalled
            link.check_at = now + interactive.collected_after;
            return;
        }
        if (link.results_ended && !is_faulty && !os::is_ending(link.pid))
            link.find_faulty("it had closed the pipe for its results");
        if (link.results_ended || is_faulty) {
            // By itself: the news are late. Else again, until they have come.
            if (!link.fault().empty()) workers_.end(link, scheduler::peer_group::ending::killed);
            link.check_at = now + exit_news_timeout;
            return;
        }
        // It has nothing else to do: if it hasn't even begun, somebody has stopped it.
        if (now >= link.finalized_by) jobs_.events().end_overdue(link, now);
        try {
            jobs_.events().check(link, now);
        } catch (const SerializationError& error) {
            mark_corrupt(link, sent_garbage(error.what()));
        }
    }

    /// A worker whose results have ended is dying; if nobody tells of its end for so long, it isn't.
    static constexpr std::chrono::milliseconds exit_news_timeout{100};

    scheduler::scheduler& jobs_;
    worker_processes& workers_;
    health_check health_check_;
    std::vector<worker_link*> dying_;
};
using worker_watch = basic_worker_watch<>;

}  // namespace procpool::inline v0_1::detail::process

#endif
