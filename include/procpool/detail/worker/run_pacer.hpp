// SPDX-License-Identifier: MIT
// How far a worker is: what it tells its pool of each element, and when the results go.
#ifndef PROCPOOL_DETAIL_WORKER_RUN_PACER_HPP
#define PROCPOOL_DETAIL_WORKER_RUN_PACER_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/flush_policy.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/standard_output.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/worker/black_box.hpp"
#include "procpool/detail/worker/growth_watch.hpp"
#include "procpool/detail/worker/outbox.hpp"

namespace procpool::detail::worker {

/// Who runs elements calls begin_element() and end_element() for each, an element that throws included.
template <class = only_if_used>
class basic_run_pacer {
public:
    basic_run_pacer(black_box& box, outbox& results) : box_(box), outbox_(results) {}

    /// The next elements are those of this frame. `recalls` are those that the worker knows of.
    void begin_run(const wire::task_header& header, std::uint64_t recalls) noexcept {
        left_ = header.count;
        claimed_ = 0;
        together_ = std::max(header.together, 1u);
        recalls_ = recalls;
        // Results that somebody may wait for are not kept longer for the sake of these.
        bulk_ = header.bulk != 0 && (bulk_ || !results_wait_);
        most_between_readings_ = header.timed != 0 ? 1 : 256;
        // The first says anew whether the others are quick.
        clock_every_ = reading_in_ = 1;
    }

    /// False if none is left, or the rest was taken back.
    bool begin_element() noexcept {
        if (!claim(claimed_, left_)) return false;
        --claimed_;
        --left_;
        if (idle_) end_pause();
        box_.told.begun.store(++begun_, std::memory_order_release);
        return true;
    }
    void end_element() {
        // By an element that throws, or in wide characters, which are looked for here only: from now on after
        // each element, since it might die with what those before have printed.
        if (os::flush_standard_output()) most_between_readings_ = reading_in_ = 1;
        if (--reading_in_ == 0) read_clock();
    }

    void end_run() {
        read_clock();
        if (!overwritten_) return;
        // It can't be known any more what is to run: what is left runs elsewhere.
        flush();
        os::exit_process(EXIT_FAILURE);
    }

    /// From the element that has begun on, the next ones up to a reading of the clock or the end of the run.
    /// What is only counted may stay in registers.
    class stretch {
    public:
        explicit stretch(basic_run_pacer& of) noexcept
            : of_(of), begun_(of.begun_), left_(of.left_), claimed_(of.claimed_) {}
        stretch(const stretch&) = delete;
        stretch& operator=(const stretch&) = delete;
        ~stretch() {
            of_.reading_in_ -= static_cast<std::int64_t>(begun_ - of_.begun_);
            of_.begun_ = begun_;
            of_.left_ = left_;
            of_.claimed_ = claimed_;
        }

        /// The number of these elements, if none is taken back.
        std::uint64_t elements() const noexcept {
            return std::min(left_ + 1, static_cast<std::uint64_t>(of_.reading_in_));
        }
        /// Ends one of them, but for the last, and begins the next; false if that was taken back.
        bool begin_next() noexcept {
            if (!of_.claim(claimed_, left_)) return false;
            --claimed_;
            --left_;
            of_.box_.told.begun.store(++begun_, std::memory_order_release);
            return true;
        }

    private:
        basic_run_pacer& of_;
        std::uint64_t begun_;
        std::uint64_t left_;
        std::uint64_t claimed_;
    };

    /// Sends what is done, before a pause.
    void pause() {
        flush();
        idle_ = true;
    }

    /// From here on its memory may grow by so much.
    void watch_growth(std::size_t most) { growth_.emplace(most); }
    void watch_growth_no_more() noexcept { growth_.reset(); }

private:
    /// Whether one of the elements that are left may begin.
    bool claim(std::uint64_t& claimed, std::uint64_t left) noexcept {
        if (claimed > 0) return true;
        const std::uint64_t wanted = std::min(left, together_);
        if (wanted == 0) return false;
        const auto end = box_.told.claim(all_claimed_, wanted, recalls_);
        overwritten_ = end == wire::activity::claim_end::overwritten;
        if (end != wire::activity::claim_end::claimed) return false;
        all_claimed_ += wanted;
        claimed = wanted;
        return true;
    }

    // The end of one element is the beginning of the next: one reading of the clock for both.
    [[gnu::noinline]] void end_pause() noexcept {
        idle_ = false;
        now_ = steady_ns();
        box_.told.begun_at.store(now_, std::memory_order_relaxed);
    }

    /// After an element. Where they take less than to read the clock, one reading is enough for some of them.
    [[gnu::noinline]] void read_clock() {
        constexpr std::int64_t between_readings_ns = 2'000;
        const std::uint64_t elements = begun_ - timed_;
        if (elements == 0) return;
        const std::int64_t begun_at = std::exchange(now_, steady_ns());
        const std::int64_t passed = now_ - begun_at;
        const std::int64_t each = std::max<std::int64_t>(passed / static_cast<std::int64_t>(elements), 1);
        clock_every_ =
            std::min(std::clamp<std::int64_t>(between_readings_ns / each, 1, most_between_readings_),
                     2 * clock_every_);
        reading_in_ = clock_every_;
        timed_ = begun_;
        busy_ += passed;
        box_.told.busy_ns.store(busy_, std::memory_order_relaxed);
        box_.told.begun_at.store(now_, std::memory_order_relaxed);
        box_.told.ended.store(begun_, std::memory_order_release);
        flush_if_due(passed);
    }

    /// Results of quick elements are sent in batches, since a write costs as much as some of them and wakes
    /// the pool; results of slow ones go at once, since the next may be slow too. Where nobody sees a result
    /// before all are there, they only must come before the worker has nothing left to do. `passed` is the
    /// time since the last reading.
    void flush_if_due(std::int64_t passed) {
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

    void flush() {
        outbox_.flush();
        results_wait_ = false;
    }

    black_box& box_;
    outbox& outbox_;
    std::uint64_t left_ = 0;         // elements of the run that have not begun
    std::uint64_t claimed_ = 0;      // of those
    std::uint64_t all_claimed_ = 0;  // since its start
    std::uint64_t together_ = 1;
    std::uint64_t recalls_ = 0;
    std::uint64_t begun_ = 0;
    std::uint64_t timed_ = 0;  // of those, how many the clock was read for
    std::int64_t most_between_readings_ = 1;
    std::int64_t clock_every_ = 1;
    std::int64_t reading_in_ = 1;  // the clock is read after so many elements
    std::int64_t busy_ = 0;
    std::int64_t now_ = 0;
    std::int64_t waiting_since_ = 0;
    bool bulk_ = false;
    bool idle_ = true;
    bool results_wait_ = false;
    bool overwritten_ = false;  // what the black box says of claims isn't what was claimed
    std::optional<growth_watch> growth_;
};
using run_pacer = basic_run_pacer<>;

}  // namespace procpool::detail::worker

#endif
