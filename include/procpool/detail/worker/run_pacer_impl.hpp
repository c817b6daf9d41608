// SPDX-License-Identifier: MIT
// What a pacer does at the ends of runs and of stretches.
#ifndef PROCPOOL_DETAIL_WORKER_RUN_PACER_IMPL_HPP
#define PROCPOOL_DETAIL_WORKER_RUN_PACER_IMPL_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/flush_policy.hpp"
#include "procpool/detail/os/cpu_time.hpp"
#include "procpool/detail/os/probes.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/standard_output.hpp"
#include "procpool/detail/worker/growth_watch.hpp"
#include "procpool/detail/worker/outbox_impl.hpp"
#include "procpool/detail/worker/run_pacer.hpp"

namespace procpool::inline v0_1::detail::worker {

template <class Mark>
void basic_run_pacer<Mark>::watch_growth(std::size_t most) {
    growth_ = std::make_shared<growth_watch>(most);
}

template <class Mark>
void basic_run_pacer<Mark>::begin_run(const wire::task_header& header, std::uint64_t recalls) noexcept {
    left_ = header.count;
    claimed_ = 0;
    together_ = std::max(header.together, 1u);
    recalls_ = recalls;
    // Results that somebody may wait for are not kept longer for the sake of these.
    bulk_ = header.bulk != 0 && (bulk_ || !results_wait_);
    most_between_readings_ = header.timed != 0 ? 1 : 256;
    times_of_run_ = (header.timed & wire::task_header::noted) != 0 ? times_ : nullptr;
    // The first says anew whether the others are quick.
    clock_every_ = reading_in_ = 1;
    cpu_timed_ = (header.timed & wire::task_header::by_cpu_time) != 0;
    if (cpu_timed_) note_cpu_time();
}

template <class Mark>
void basic_run_pacer<Mark>::note_cpu_time() noexcept {
    box_.told.cpu_at_begin.store(os::own_cpu_time().count(), std::memory_order_relaxed);
}

// For each element: inline, so that it becomes part of its callers where they see it.
template <class Mark>
inline void basic_run_pacer<Mark>::end_element() {
    // By an element that throws, or in wide characters, which are looked for here only: from now on after
    // each element, since it might die with what those before have printed.
    if (os::flush_standard_output()) most_between_readings_ = reading_in_ = 1;
    if (--reading_in_ == 0) read_clock();
}

template <class Mark>
void basic_run_pacer<Mark>::end_run() {
    read_clock();
    if (!overwritten_) return;
    // It can't be known any more what is to run: what is left runs elsewhere.
    flush();
    os::exit_process(EXIT_FAILURE);
}

template <class Mark>
void basic_run_pacer<Mark>::pause() {
    flush();
    idle_ = true;
}

template <class Mark>
void basic_run_pacer<Mark>::end_pause() noexcept {
    idle_ = false;
    now_ = steady_ns();
    box_.told.begun_at.store(now_, std::memory_order_relaxed);
}

template <class Mark>
void basic_run_pacer<Mark>::read_clock() {
    constexpr std::int64_t between_readings_ns = 2'000;
    const std::uint64_t elements = begun_ - timed_;
    if (elements == 0) return;
    const std::int64_t begun_at = std::exchange(now_, steady_ns());
    const std::int64_t passed = now_ - begun_at;
    const std::int64_t each = std::max<std::int64_t>(passed / static_cast<std::int64_t>(elements), 1);
    clock_every_ = std::min(std::clamp<std::int64_t>(between_readings_ns / each, 1, most_between_readings_),
                            2 * clock_every_);
    reading_in_ = clock_every_;
    timed_ = begun_;
    busy_ += passed;
    box_.told.busy_ns.store(busy_, std::memory_order_relaxed);
    box_.told.begun_at.store(now_, std::memory_order_relaxed);
    if (times_of_run_) {
        wire::element_times::entry& last = times_of_run_->of(begun_ - 1);
        last.begun.store(begun_at, std::memory_order_relaxed);
        last.ended.store(now_, std::memory_order_relaxed);
    }
    box_.told.ended.store(begun_, std::memory_order_release);
    os::probes::elements_end(begun_, passed, elements);
    flush_if_due(passed);
    if (cpu_timed_) note_cpu_time();
}

template <class Mark>
void basic_run_pacer<Mark>::flush_if_due(std::int64_t passed) {
    const std::int64_t longest_wait_ns = flush_policy_for(bulk_).held_back.count();
    const std::int64_t quick_ns = longest_wait_ns / 2;
    if (!std::exchange(results_wait_, true)) waiting_since_ = now_ - passed;
    if (passed < quick_ns && now_ - waiting_since_ < longest_wait_ns && !outbox_.half_full()) return;
    if (growth_) growth_->check(box_, now_);
    flush();
    // The pool may have been slow to read: that is nobody's running time.
    now_ = steady_ns();
    box_.told.begun_at.store(now_, std::memory_order_relaxed);
}

template <class Mark>
void basic_run_pacer<Mark>::flush() {
    outbox_.flush();
    results_wait_ = false;
}

}  // namespace procpool::inline v0_1::detail::worker

#endif
