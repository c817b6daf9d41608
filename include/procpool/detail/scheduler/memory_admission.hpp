// SPDX-License-Identifier: MIT
// Whether there is memory for another element to run beside those that do.
#ifndef PROCPOOL_DETAIL_SCHEDULER_MEMORY_ADMISSION_HPP
#define PROCPOOL_DETAIL_SCHEDULER_MEMORY_ADMISSION_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/peer.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/task_timing.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// What a user wants to be left.
struct memory_reserve {
    std::uint64_t bytes = 0;
    std::function<std::uint64_t()> available;  // bytes that can still be taken; may be a test's
};

/// A function's peak is learnt from the workers that run it: the memory by which they grow beyond what they
/// had before. From that it follows what those that run will still take.
///
/// A peer runs one function at a time, so that it is known whose peak it has. With the pool's lock held.
template <class = only_if_used>
class basic_memory_admission {
public:
    basic_memory_admission(peer_group& group, const time_source& clock, memory_reserve reserve)
        : group_(group), clock_(clock), reserve_(std::move(reserve)) {}

    /// How many of `count` elements of `job`, which are the next, `to` may get now.
    std::uint64_t admit(peer& to, const remote_job& job, std::uint64_t count) {
        if (count == 0 || !job.timing) return count;
        const bool alone = !job.ready.empty() && job.ready.front().alone;
        const bool nobody_runs = is_idle();
        if (nobody_runs) only_ = nullptr;
        if (alone) {
            waits_until_ = nobody_runs ? steady_time::min() : clock_.now() + 2 * check_interval;
            if (!nobody_runs) return hold();
            only_ = &to;
            begin(to, *job.timing);
            return 1;
        }
        if (only_ || clock_.now() < waits_until_) return hold();
        account& its = account_of(to);
        const bool is_busy = to.work().elements() > 0;
        if (is_busy && its.runs != job.timing) return hold();
        if (!nobody_runs && !has_memory_for(to, *job.timing)) return hold();
        if (!is_busy) begin(to, *job.timing);
        const bool may_go_ahead = job.timing->peak_known() && clock_.now() < ample_until_;
        return may_go_ahead ? count : std::min<std::uint64_t>(count, job.chunk);
    }

    /// Results of a peer have come.
    void note_results(const peer& from) {
        account& its = account_of(from);
        const auto now = clock_.now();
        held_until_ = steady_time::min();
        // A peak that isn't read now is read later.
        if (!its.runs || (now < its.read_again && its.runs->peak_known())) return;
        its.read_again = now + reading_interval;
        if (const auto memory = from.memory(); memory && its.pid == memory->pid)
            its.runs->note_peak(memory->peak - std::min(memory->peak, its.before));
    }
    /// It has died for want of memory, with such a peak.
    void note_death(const peer& dead, std::uint64_t peak) {
        const account& its = account_of(dead);
        if (its.runs) its.runs->note_peak(peak - std::min(peak, its.before));
        ample_until_ = held_until_ = steady_time::min();
    }

    /// When there may be memory though nothing comes.
    steady_time due() const noexcept { return due_; }
    /// Before elements are given out.
    void begin_step() noexcept {
        due_ = steady_time::max();
        if (only_ && only_->work().elements() == 0) only_ = nullptr;
    }
    /// Whether what waits in peers is to be taken back, since there isn't memory any more for all of them.
    bool is_to_be_taken_back() {
        if (!is_ample_ || clock_.now() < ample_until_) return false;
        look();
        return !is_ample_;
    }

private:
    static constexpr std::chrono::milliseconds reading_interval{10};

    /// Of the peer with the same index.
    struct account {
        long pid = 0;
        std::uint64_t before = 0;  // bytes that it had before it ran anything of this function
        task_timing* runs = nullptr;
        steady_time read_again = steady_time::min();
    };

    account& account_of(const peer& one) {
        if (accounts_.size() <= one.index) accounts_.resize(one.index + std::size_t{1});
        return accounts_[one.index];
    }

    bool is_idle() const {
        const auto peers = group_.peers();
        return std::all_of(peers.begin(), peers.end(),
                           [](const peer* one) { return one->work().elements() == 0; });
    }
    std::uint64_t hold() noexcept {
        due_ = std::min(due_, clock_.now() + check_interval);
        return 0;
    }

    /// A peer that has nothing to do gets elements of this function.
    void begin(peer& to, task_timing& function) {
        account& its = account_of(to);
        const auto memory = to.memory();
        const long pid = memory ? memory->pid : 0;
        if (its.runs == &function && its.pid == pid && pid != 0) return;
        its = {.pid = pid, .before = memory ? memory->now : 0, .runs = &function};
        if (memory) to.forget_peak();
    }

    /// Whether one more element of this function may run beside all others.
    bool has_memory_for(peer& to, const task_timing& function) {
        if (clock_.now() < ample_until_ && function.peak_known() && function.peak() <= largest_) return true;
        if (clock_.now() < held_until_) return false;
        if (!function.peak_known()) {  // the first of its kind shows what it takes
            const auto peers = group_.peers();
            if (std::any_of(peers.begin(), peers.end(), [&](const peer* one) {
                    return one->work().elements() > 0 && account_of(*one).runs == &function;
                }))
                return false;
        }
        largest_ = std::max(largest_, function.peak());
        look();
        if (is_ample_ && function.peak_known()) return true;
        // Nothing goes ahead of what can't be stopped any more.
        const std::uint64_t will_take = to_come(to, function);
        const bool is_enough = left_ >= will_take && left_ - will_take >= reserve_.bytes;
        if (!is_enough) held_until_ = clock_.now() + reading_interval;
        return is_enough && to.work().elements() == 0;
    }

    /// What an idle peer will take for it.
    std::uint64_t to_come(peer& to, const task_timing& function) {
        const account& its = account_of(to);
        const auto memory = to.memory();
        if (!memory || its.runs != &function || its.pid != memory->pid) return function.peak();
        return still_to_come(its, memory->now);
    }
    static std::uint64_t still_to_come(const account& its, std::uint64_t now) noexcept {
        const std::uint64_t most = its.before + its.runs->peak();
        return most - std::min(most, now);
    }

    /// Reads what there is, and what those that run will take of it.
    void look() {
        std::uint64_t expected = 0;
        std::uint64_t if_all_ran = 0;
        for (const peer* const one : group_.peers()) {
            if (!one->is_alive()) continue;
            const account& its = account_of(*one);
            const auto memory = one->work().elements() > 0 ? one->memory() : std::nullopt;
            const bool known = memory && its.runs && its.pid == memory->pid;
            if (known) expected += still_to_come(its, memory->now);
            if_all_ran += known
                              ? std::max(still_to_come(its, memory->now),
                                         its.before + largest_ - std::min(its.before + largest_, memory->now))
                              : largest_;
        }
        const std::uint64_t available = reserve_.available();
        left_ = available - std::min(available, expected);
        // As much again for peaks that nobody has seen yet.
        is_ample_ = available / 2 >= if_all_ran && available - if_all_ran >= reserve_.bytes;
        ample_until_ = is_ample_ ? clock_.now() + reading_interval : steady_time::min();
    }

    static constexpr std::chrono::milliseconds check_interval{50};

    peer_group& group_;
    const time_source& clock_;
    const memory_reserve reserve_;
    std::vector<account> accounts_;
    const peer* only_ = nullptr;  // has an element that is to be alone
    /// So long nothing else begins, since such an element waits; it asks again before that, if it is wanted.
    steady_time waits_until_ = steady_time::min();
    std::uint64_t largest_ = 0;  // peak of those that were asked for
    std::uint64_t left_ = 0;
    bool is_ample_ = false;  // so much that elements may be sent ahead
    steady_time ample_until_ = steady_time::min();
    steady_time held_until_ = steady_time::min();  // there isn't enough, and nothing has ended since
    steady_time due_ = steady_time::max();
};
using memory_admission = basic_memory_admission<>;

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
