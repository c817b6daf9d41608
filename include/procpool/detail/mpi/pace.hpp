// SPDX-License-Identifier: MIT
// How long who waits for messages sleeps: MPI makes progress only while somebody calls it.
#ifndef PROCPOOL_DETAIL_MPI_PACE_HPP
#define PROCPOOL_DETAIL_MPI_PACE_HPP

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>

#include "procpool/detail/clock.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// Soon after something came or went more is likely to, and some MPIs put a message on the wire only when its
/// sender calls them again. Later the bell wakes whoever sleeps; if one is lost, that costs a long nap.
///
/// To fall asleep and be woken takes longer than a quick call. Who waits for one stays awake for a while, but
/// not where another would have to wait for this processor, nor soon after it was in vain.
class pace {
public:
    explicit pace(int processors) : processors_(processors) {}

    /// Something went, or is about to come.
    void restart() noexcept { naps_ = 0; }
    /// A message came.
    void received(steady_time now) noexcept {
        restart();
        if (!awake_until_) return;
        if (now < *awake_until_)
            skips_after_failure_ = 1;
        else  // it yielded to others, which have much to do
            give_up();
        awake_until_.reset();
    }
    /// A message is likely to come at once.
    void stay_awake(steady_time now) noexcept {
        if (processors_ == 1 || awake_until_) return;
        if (skips_ == 0)
            awake_until_ = now + longest_awake;
        else
            --skips_;
    }

    bool is_awake() const noexcept { return awake_until_.has_value(); }

    /// The next nap; 0 is to look again at once. `busy` while a message is on its way.
    std::chrono::nanoseconds next(steady_time now, bool busy, bool has_bell) noexcept {
        if (awake_until_) {
            if (now < *awake_until_) return std::chrono::nanoseconds(0);
            awake_until_.reset();
            give_up();
        }
        struct stage {
            unsigned until;
            std::chrono::microseconds nap;
        };
        constexpr std::array<stage, 4> stages{{{2, std::chrono::microseconds(0)},
                                               {24, std::chrono::microseconds(50)},
                                               {48, std::chrono::microseconds(100)},
                                               {64, std::chrono::microseconds(1000)}}};
        constexpr std::chrono::milliseconds longest{100};
        const unsigned nth = naps_ < stages.back().until ? naps_++ : naps_;
        for (const stage& one : stages) {
            const bool is_last = one.until == stages.back().until;
            if (nth < one.until || (is_last && !has_bell))
                return busy && nth >= stages[0].until ? stages[2].nap : one.nap;
        }
        return busy ? std::chrono::nanoseconds(stages[2].nap) : longest;
    }

private:
    void give_up() noexcept {
        skips_ = skips_after_failure_ = std::min(2 * skips_after_failure_, most_skips);
    }

    static constexpr std::chrono::microseconds longest_awake{150};
    static constexpr unsigned most_skips = 64;

    const int processors_;
    unsigned naps_ = 0;
    std::optional<steady_time> awake_until_;
    unsigned skips_ = 0;  // so many quick calls are waited for asleep
    unsigned skips_after_failure_ = 1;
};

}  // namespace procpool::inline v0_1::detail::mpi

#endif
