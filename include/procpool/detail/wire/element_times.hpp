// SPDX-License-Identifier: MIT
// When each of a worker's last elements began and ended, in memory that it shares with its pool.
#ifndef PROCPOOL_DETAIL_WIRE_ELEMENT_TIMES_HPP
#define PROCPOOL_DETAIL_WIRE_ELEMENT_TIMES_HPP

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace procpool::inline v0_1::detail::wire {

/// Written by the worker for elements that somebody observes, read by the pool. An entry is good from the
/// moment when the worker tells that its element has ended (activity::ended) until it has begun `capacity`
/// more: so the pool lets no more of them be without a result. A corrupt worker may write anything here.
class element_times {
public:
    static constexpr std::uint64_t capacity = 4096;

    struct entry {
        std::atomic<std::int64_t> begun;  // steady nanoseconds
        std::atomic<std::int64_t> ended;
    };
    /// Of the element with this number among all that the worker has begun.
    entry& of(std::uint64_t number) noexcept { return entries_[number % capacity]; }
    const entry& of(std::uint64_t number) const noexcept { return entries_[number % capacity]; }

private:
    std::array<entry, capacity> entries_;
};
static_assert(std::atomic<std::int64_t>::is_always_lock_free);

}  // namespace procpool::inline v0_1::detail::wire

#endif
