// SPDX-License-Identifier: MIT
// Places for batches: which are free, and how many are in the consumer's hands.
#ifndef PROCPOOL_DETAIL_LOADER_FREE_SLOTS_HPP
#define PROCPOOL_DETAIL_LOADER_FREE_SLOTS_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "procpool/detail/mutex.hpp"

namespace procpool::inline v0_1::detail::loader {

/// Thread-safe: batches may be dropped in any thread.
class free_slots {
public:
    explicit free_slots(std::uint32_t count) {
        free_.reserve(count);  // so that to give one back can't fail
        for (std::uint32_t slot = count; slot > 0; --slot) free_.push_back(slot - 1);
    }

    std::optional<std::uint32_t> take() {
        const mutex_guard lock(mutex_);
        if (free_.empty()) return std::nullopt;
        const std::uint32_t slot = free_.back();
        free_.pop_back();
        return slot;
    }
    void give_back(std::uint32_t slot) noexcept {
        const mutex_guard lock(mutex_);
        free_.push_back(slot);
    }

    /// The consumer has got one.
    void hand_out() noexcept {
        const mutex_guard lock(mutex_);
        ++held_;
    }
    /// The consumer needs it no more.
    void return_held(std::uint32_t slot) noexcept {
        const mutex_guard lock(mutex_);
        --held_;
        free_.push_back(slot);
    }
    std::size_t held() const noexcept {
        const mutex_guard lock(mutex_);
        return held_;
    }

private:
    mutable mutex mutex_;
    std::vector<std::uint32_t> free_ PROCPOOL_GUARDED_BY(mutex_);
    std::size_t held_ PROCPOOL_GUARDED_BY(mutex_) = 0;
};

}  // namespace procpool::inline v0_1::detail::loader

#endif
