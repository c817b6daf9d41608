// SPDX-License-Identifier: MIT
// What a worker tells of its elements while it runs them, in memory that it shares with its pool.
#ifndef PROCPOOL_DETAIL_WIRE_ACTIVITY_HPP
#define PROCPOOL_DETAIL_WIRE_ACTIVITY_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace procpool::inline v0_1::detail::wire {

/// Written by the worker, read by the pool, unless it says otherwise. Counters start at 0 with each new
/// worker. A corrupt worker may write anything here.
struct activity {  // NOLINT(clang-analyzer-optin.performance.Padding): each writer has its own cache lines
    /// The worker's process id: here it is known before the zygote's news of its birth come, and if they
    /// never come. It stands first, where zygote::birth_record writes it.
    std::atomic<std::int64_t> pid{0};
    /// When the worker began to wait for its first element, in steady nanoseconds; 0 before.
    std::atomic<std::int64_t> ready{0};
    /// Elements that it has laid claim to. In the upper bits, how often the pool has taken back the others.
    /// Both in one word, so that none is claimed and taken back at once.
    std::atomic<std::uint64_t> claimed_and_recalls{0};
    /// Elements begun; one more than the results means: the next one was running.
    std::atomic<std::uint64_t> begun{0};
    /// When the last one was begun, in steady nanoseconds. Where elements are so quick that the worker reads
    /// the clock after some of them only: not later than that.
    std::atomic<std::int64_t> begun_at{0};
    /// Elements ended, and the time that they took in all, when the worker last read the clock.
    std::atomic<std::uint64_t> ended{0};
    std::atomic<std::int64_t> busy_ns{0};
    /// Of that, the time in the initializer, once that has ended.
    std::atomic<std::int64_t> initializing_ns{0};
    /// CPU time that the worker had taken when the last one was begun, in nanoseconds; only if somebody wants
    /// to know.
    std::atomic<std::int64_t> cpu_at_begin{0};

    /// 1 once its memory has grown so much that it should be replaced.
    alignas(64) std::atomic<std::uint64_t> overgrown{0};

    enum class claim_end { claimed, taken_back, overwritten };
    /// The worker claims its next `count` elements. It has claimed `before` and knows of `recalls`: if there
    /// stands anything else but more recalls, somebody has written here who must not.
    claim_end claim(std::uint64_t before, std::uint64_t count, std::uint64_t recalls) noexcept {
        std::uint64_t now = before + recalls * first_recall;
        if (claimed_and_recalls.compare_exchange_strong(now, now + count, std::memory_order_acq_rel))
            return claim_end::claimed;
        return (now & claimed_mask) == before ? claim_end::taken_back : claim_end::overwritten;
    }
    /// Elements that it has laid claim to.
    std::uint64_t claimed() const noexcept {
        return claimed_and_recalls.load(std::memory_order_acquire) & claimed_mask;
    }
    /// The pool takes back all elements that are not claimed. @return the number of those that are
    std::uint64_t recall() noexcept {
        return claimed_and_recalls.fetch_add(first_recall, std::memory_order_acq_rel) & claimed_mask;
    }

    static constexpr std::uint64_t most_recalls = 1 << 16;
    static constexpr std::uint64_t first_recall = ~std::uint64_t{0} / most_recalls + 1;
    static constexpr std::uint64_t claimed_mask = first_recall - 1;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace procpool::inline v0_1::detail::wire

#endif
