// SPDX-License-Identifier: MIT
// How threads tell observers of elements.
#ifndef PROCPOOL_DETAIL_THREAD_THREAD_NOTES_IMPL_HPP
#define PROCPOOL_DETAIL_THREAD_THREAD_NOTES_IMPL_HPP

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/observation.hpp"
#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/thread/thread_job.hpp"
#include "procpool/detail/thread/thread_notes.hpp"
#include "procpool/observer.hpp"
#include "procpool/worker.hpp"

namespace procpool::inline v0_1::detail::thread {

/// Elements that run for a shorter time are told together.
inline constexpr std::chrono::microseconds told_together{100};

inline std::chrono::steady_clock::time_point time_of(std::int64_t ns) noexcept {
    return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(ns));
}

PROCPOOL_COMPILED_APART void tell_ends(thread_job& job, std::uint64_t first,
                                       const std::vector<element_times>& all) noexcept {
    if (all.empty()) return;
    // Whether many run before observers hear of the first, or each is told by itself.
    const std::chrono::nanoseconds time(all.back().ended - all.front().begun);
    if (!job.tells_each && time < told_together / 2)
        job.at_once = 2 * all.size();
    else if (time > told_together)
        job.at_once = all.size() / 2 + 1;
    job::observation::ends to(job.observed, all.size());
    if (to.are_lost()) return;
    const std::uint32_t worker = worker_index().value_or(0);
    for (std::uint64_t i = 0; i < all.size(); ++i) {
        ElementEnd end{.index = first + i, .worker = worker};
        end.attempt = all[i].attempt;
        end.outcome = all[i].good ? element_outcome::returned : element_outcome::threw;
        end.runs_again = all[i].runs_again;
        end.begun = time_of(all[i].begun);
        end.ended = time_of(all[i].ended);
        if (i > 0) to.begin({.index = end.index, .worker = worker, .begun = end.begun});
        to.end(std::move(end));
    }
}

PROCPOOL_COMPILED_APART void begin_observed(job::runner& pool, thread_job& job) {
    if (!job.tells_each) job.at_once = 1;  // until it is known how quick they are
    job::begin_call(pool, job);
}

PROCPOOL_COMPILED_APART void tell_begin(thread_job& job, const elements& some) noexcept {
    if (!job.observed->goes_on()) return;
    job.observed->by->note(job.observed, ElementBegin{.index = some.first,
                                                      .worker = worker_index().value_or(0),
                                                      .attempt = some.attempt,
                                                      .begun = std::chrono::steady_clock::now()});
}

inline void tell_unrun(thread_job& job, std::uint64_t first, std::uint64_t count,
                       element_outcome why) noexcept {
    job::observation::ends to(job.observed, count);
    if (to.are_lost()) return;
    for (std::uint64_t i = 0; i < count; ++i) {
        ElementEnd end{.index = first + i};
        end.outcome = why;
        end.begun = end.ended = std::chrono::steady_clock::now();
        to.end(std::move(end));
    }
}
PROCPOOL_COMPILED_APART void tell_cancelled(thread_job& job, std::uint64_t first,
                                            std::uint64_t count) noexcept {
    tell_unrun(job, first, count, element_outcome::cancelled);
}
PROCPOOL_COMPILED_APART void tell_not_kept(thread_job& job, std::uint64_t index) noexcept {
    tell_unrun(job, index, 1, element_outcome::not_sent);
}

PROCPOOL_COMPILED_APART void tell_thread(job::runner& pool, std::uint32_t index, thread_event what) noexcept {
    const auto now = std::chrono::steady_clock::now();
    if (what == thread_event::starts)
        pool.observed()->note(WorkerStart{.index = index, .asked = now, .began = now});
    else
        pool.observed()->note(WorkerEnd{.index = index, .ended = now});
}

}  // namespace procpool::inline v0_1::detail::thread

#endif
