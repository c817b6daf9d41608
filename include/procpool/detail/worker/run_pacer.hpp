// SPDX-License-Identifier: MIT
// How far a worker is: what it tells its pool of each element, and when the results go.
#ifndef PROCPOOL_DETAIL_WORKER_RUN_PACER_HPP
#define PROCPOOL_DETAIL_WORKER_RUN_PACER_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/wire/element_times.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/worker/black_box.hpp"
#include "procpool/detail/worker/outbox.hpp"

namespace procpool::inline v0_1::detail::worker {

class growth_watch;

/// Who runs elements calls begin_element() and end_element() for each, an element that throws included.
template <class = only_if_used>
class basic_run_pacer {
public:
    /// Where nobody observes elements no `times` are needed.
    basic_run_pacer(black_box& box, outbox& results, wire::element_times* times = nullptr)
        : box_(box), outbox_(results), times_(times) {}

    /// The next elements are those of this frame. `recalls` are those that the worker knows of.
    void begin_run(const wire::task_header& header, std::uint64_t recalls) noexcept;

    /// False if none is left, or the rest was taken back.
    bool begin_element() noexcept {
        if (!claim(claimed_, left_)) return false;
        --claimed_;
        --left_;
        if (idle_) end_pause();
        box_.told.begun.store(++begun_, std::memory_order_release);
        return true;
    }
    void end_element();

    void end_run();

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
    void pause();

    /// From here on its memory may grow by so much.
    void watch_growth(std::size_t most);
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
    [[gnu::noinline]] void end_pause() noexcept;
    [[gnu::noinline]] void note_cpu_time() noexcept;

    /// After an element. Where they take less than to read the clock, one reading is enough for some of them.
    [[gnu::noinline]] void read_clock();

    /// Results of quick elements are sent in batches, since a write costs as much as some of them and wakes
    /// the pool; results of slow ones go at once, since the next may be slow too. Where nobody sees a result
    /// before all are there, they only must come before the worker has nothing left to do. `passed` is the
    /// time since the last reading.
    void flush_if_due(std::int64_t passed);

    void flush();

    black_box& box_;
    outbox& outbox_;
    wire::element_times* const times_;
    wire::element_times* times_of_run_ = nullptr;  // if they are to be written down
    std::uint64_t left_ = 0;                       // elements of the run that have not begun
    std::uint64_t claimed_ = 0;                    // of those
    std::uint64_t all_claimed_ = 0;                // since its start
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
    bool cpu_timed_ = false;
    bool idle_ = true;
    bool results_wait_ = false;
    bool overwritten_ = false;              // what the black box says of claims isn't what was claimed
    std::shared_ptr<growth_watch> growth_;  // not unique_ptr, which would compile a lot for each file
};
using run_pacer = basic_run_pacer<>;

}  // namespace procpool::inline v0_1::detail::worker

#endif
