// SPDX-License-Identifier: MIT
// A barrier's state in shared memory: how many have arrived since it was made.
#ifndef PROCPOOL_DETAIL_SHARED_BARRIER_STATE_HPP
#define PROCPOOL_DETAIL_SHARED_BARRIER_STATE_HPP

#include <atomic>
#include <cstdint>
#include <mutex>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/futex.hpp"
#include "procpool/detail/os/robust_mutex.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::shared {

/// One word says how many have arrived in all rounds, and whether the barrier is broken. So an arrival is one
/// store, the last of a round is one step with the waking of the others, and nobody has to leave before the
/// next round can begin. It changes under a mutex; only who can't have that in time breaks it up without.
class barrier_state {
public:
    static constexpr const char* name = "Barrier";

    explicit barrier_state(std::uint32_t parties)
        : parties_(parties), end_((std::uint32_t{1} << 30) / parties * parties * arrival) {}

    /// @return which of its round's arrivals this was
    std::uint32_t wait(steady_time deadline) {
        std::uint32_t round = 0, index = 0;
        {
            const auto lock = enter(deadline);
            if (!lock) {
                break_up();
                refuse();
            }
            const std::uint32_t seen = word_.load();
            if ((seen & broken_bit) != 0) refuse();
            round = round_of(seen);
            index = seen / arrival % parties_;
            resets_.fetch_and(~bit_of(round));
            if (index + 1 == parties_) {
                if (seen + arrival == end_)
                    os::futex_change_and_wake(word_, os::futex_change::set, 0);
                else
                    os::futex_change_and_wake(word_, os::futex_change::add, arrival);
                return index;
            }
            word_.fetch_add(arrival);
        }
        bool in_time = true;
        std::uint32_t seen = word_.load();
        while (!is_over(round, seen)) {
            if (!in_time) {
                const auto lock = enter(deadline);
                if (is_over(round, word_.load())) break;
                break_up();
                refuse();
            }
            in_time = os::futex_wait(word_, seen, deadline);
            seen = word_.load();
        }
        return index;
    }

    void abort() {
        const auto lock = enter(steady_time::min());
        break_up();
    }

    void reset() {
        const std::lock_guard lock(mutex_);
        const std::uint32_t seen = word_.load();
        if (seen / arrival % parties_ == 0) {
            word_.store(seen & ~broken_bit);
            return;
        }
        const std::uint32_t round = round_of(seen);
        resets_.fetch_or(bit_of(round));
        break_up();  // who dies now leaves a broken barrier, and nobody asleep
        const std::uint32_t next = (round + 1) * parties_ * arrival;
        word_.store(next == end_ ? 0 : next);
    }

    std::uint32_t parties() const noexcept { return parties_; }
    std::uint32_t waiting() const noexcept { return word_.load() / arrival % parties_; }
    bool broken() const noexcept { return (word_.load() & broken_bit) != 0; }

private:
    static constexpr std::uint32_t broken_bit = 1, arrival = 2;

    /// Without the lock if somebody is stopped while he has it: he may be about to end the round.
    std::unique_lock<os::robust_mutex> enter(steady_time deadline) {
        if (mutex_.lock_soon(deadline) == os::lock_result::busy) return {};
        return std::unique_lock(mutex_, std::adopt_lock);
    }

    std::uint32_t round_of(std::uint32_t word) const noexcept { return word / arrival / parties_; }
    static std::uint64_t bit_of(std::uint32_t round) noexcept { return std::uint64_t{1} << round % 64; }

    /// Whether all have arrived who were waited for in a round.
    bool is_over(std::uint32_t round, std::uint32_t word) const {
        const bool same_round = round_of(word) == round;
        // That it was reset is known for a while after.
        if (same_round ? (word & broken_bit) != 0 : (resets_.load() & bit_of(round)) != 0) refuse();
        return !same_round;
    }

    void break_up() {
        os::futex_change_and_wake(word_, os::futex_change::add_bits, static_cast<int>(broken_bit));
    }

    [[noreturn]] static void refuse() {
        throw BrokenBarrier(
            "procpool: the barrier is broken: "
            "it was aborted or reset, or somebody waited too long at it");
    }

    os::robust_mutex mutex_;
    os::futex_word word_{0};
    std::atomic<std::uint64_t> resets_{0};  // which of the last 64 rounds ended by a reset
    const std::uint32_t parties_;
    const std::uint32_t end_;  // where the word begins again, at the end of a round
};

}  // namespace procpool::inline v0_1::detail::shared

#endif
