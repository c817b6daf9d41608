// SPDX-License-Identifier: MIT
// Which element of which call a worker runs, and the seed that belongs to it.
#ifndef PROCPOOL_DETAIL_WORKER_ELEMENT_POSITION_HPP
#define PROCPOOL_DETAIL_WORKER_ELEMENT_POSITION_HPP

#include <atomic>
#include <cstdint>
#include <limits>
#include <utility>

#include "procpool/detail/clock.hpp"

namespace procpool::inline v0_1::detail::worker {

/// Set for many elements at once; which of them it is, a counter tells that is there anyhow.
struct element_position {
    std::uint64_t pool_seed = 0;
    std::uint64_t call = 0;    // its number among those of the pool; 0 where the elements are single calls
    std::uint64_t offset = 0;  // added to the counter that is the element's index, or the call's number
    const std::atomic<std::uint64_t>* counter = nullptr;  // null while no element runs
    std::uint32_t attempt = 1;                            // at that element
    // Whether the element is asked to stop, which has one of these reasons:
    const std::atomic<std::uint32_t>* asked = nullptr;  // it is the lower half of the counter
    const std::atomic<bool>* given_up = nullptr;        // its call is
    std::int64_t stop_at = never;                       // that moment has come, in steady ns
    static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

    bool is_asked_to_stop() const noexcept {
        if (!counter) return false;
        if (asked && asked->load(std::memory_order_acquire) != 0)
            return asked->load(std::memory_order_acquire) ==
                   static_cast<std::uint32_t>(counter->load(std::memory_order_relaxed));
        if (given_up && given_up->load(std::memory_order_relaxed)) return true;
        return stop_at != never && steady_ns() >= stop_at;
    }
};

inline element_position position_in_process;
/// In a thread of a pool; others have none.
inline thread_local const element_position* position_in_thread = nullptr;

/// Of the element that this thread runs.
inline const element_position& current_position() noexcept {
    return position_in_thread ? *position_in_thread : position_in_process;
}

/// Says which element this thread runs, for as long as it lives; then again what it ran before.
class element_counter {
public:
    element_counter(std::uint64_t pool_seed, std::uint64_t call) noexcept
        : position_{.pool_seed = pool_seed, .call = call, .counter = &index_},
          before_(std::exchange(position_in_thread, &position_)) {}
    element_counter(const element_counter&) = delete;
    element_counter& operator=(const element_counter&) = delete;
    ~element_counter() { position_in_thread = before_; }

    void is(std::uint64_t index) noexcept { index_.store(index, std::memory_order_relaxed); }
    void is_attempt(std::uint32_t number) noexcept { position_.attempt = number; }
    void stops_if(const std::atomic<bool>& given_up) noexcept { position_.given_up = &given_up; }
    void stops_at(std::int64_t time) noexcept { position_.stop_at = time; }
    bool is_asked_to_stop() const noexcept { return position_.is_asked_to_stop(); }

private:
    std::atomic<std::uint64_t> index_{0};
    element_position position_;
    const element_position* const before_;
};

/// One step of the generator of that name: two numbers that differ become two that differ.
constexpr std::uint64_t splitmix64(std::uint64_t x) noexcept {
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

constexpr std::uint64_t seed_of_element(std::uint64_t pool_seed, std::uint64_t call,
                                        std::uint64_t index) noexcept {
    return splitmix64(splitmix64(splitmix64(pool_seed) ^ call) ^ index);
}

}  // namespace procpool::inline v0_1::detail::worker

#endif
