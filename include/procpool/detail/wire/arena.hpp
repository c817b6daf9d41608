// SPDX-License-Identifier: MIT
// Shared memory in which the large parts of messages lie, where their receiver reads them.
//
// A message holds the place of such a part instead of its bytes. The memory is one file of the pool's, in
// which each writer (the pool, for arguments; each worker, for its results) has a range of its own. Pieces
// are used again and again, since memory that is touched for the first time is slower than a pipe.
#ifndef PROCPOOL_DETAIL_WIRE_ARENA_HPP
#define PROCPOOL_DETAIL_WIRE_ARENA_HPP

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/posix/available_memory.hpp"
#include "procpool/detail/posix/fd.hpp"
#include "procpool/detail/posix/memfd.hpp"
#include "procpool/detail/posix/populate.hpp"
#include "procpool/detail/wire/arena_window.hpp"

namespace procpool::detail::wire {

/// Parts of so many bytes go through an arena; it costs as much as a copy through a pipe of about half of
/// that.
inline constexpr std::size_t arena_threshold = 64 * 1024;

/// The range of one writer, who is this process. Thread-safe.
template <class = only_if_used>
class basic_arena : public std::enable_shared_from_this<basic_arena<>> {
public:
    /// The range is the first `size` bytes of the window, of which `limit` bytes at the most are memory at
    /// any time. How many are is counted in `reserved`, where others may look, also after our death.
    basic_arena(std::shared_ptr<const arena_window> window, std::size_t size, std::size_t limit,
                std::atomic<std::uint64_t>* reserved = nullptr)
        : window_(std::move(window)),
          size_(size),
          limit_(limit),
          reserved_(reserved ? *reserved : own_reserved_) {}

    /// A part of a message, for as long as `memory` lives.
    struct part {
        std::shared_ptr<std::byte> memory;
        arena_place place;
    };

    /// Room for a part of `size` bytes; nothing if that is more than the limit allows or the machine has.
    std::optional<part> allocate(std::size_t size) {
        if (size > limit_) return std::nullopt;
        std::optional<piece> found;
        {
            const std::lock_guard lock(mutex_);
            found = take(capacity_for(arena_alignment + size));
            if (!found) return std::nullopt;
            if (!reserve(*found, arena_alignment + size)) {
                put_back(*found);
                return std::nullopt;
            }
        }
        std::byte* const at = window_->data() + found->offset + arena_alignment;
        const arena_place place{window_->pool(), window_->first() + found->offset + arena_alignment};
        const arena_part_header header{place.pool, place.offset, size};
        std::memcpy(at - arena_alignment, &header, sizeof header);
        return part{std::shared_ptr<std::byte>(at, [self = this->shared_from_this(),
                                                    piece = *found](std::byte*) { self->free(piece); }),
                    place};
    }

    /// Gives back all memory that no part takes.
    void trim() noexcept {
        const std::lock_guard lock(mutex_);
        for (auto& [capacity, pieces] : free_)
            for (piece& one : pieces) discard(one);
    }

    /// Bytes of memory that are taken, parts or not.
    std::uint64_t reserved() const noexcept { return reserved_.load(std::memory_order_relaxed); }

private:
    struct piece {
        std::size_t offset;    // in the window
        std::size_t capacity;  // bytes of the range
        std::size_t reserved;  // bytes of memory
    };

    /// Sizes in steps of a quarter at the most, so that pieces fit again.
    static std::size_t capacity_for(std::size_t size) noexcept {
        const std::size_t step = std::max<std::size_t>(arena_threshold, std::bit_floor(size) / 4);
        return (size + step - 1) / step * step;
    }

    /// One that was used before, or else new range, or else a larger one.
    std::optional<piece> take(std::size_t capacity) {
        auto at = free_.find(capacity);
        if (at == free_.end() || at->second.empty()) {
            if (capacity <= size_ - begun_)
                return piece{std::exchange(begun_, begun_ + capacity), capacity, 0};
            at = std::find_if(free_.lower_bound(capacity), free_.end(),
                              [](const auto& same) { return !same.second.empty(); });
            if (at == free_.end()) return std::nullopt;
        }
        const piece found = at->second.back();
        at->second.pop_back();
        return found;
    }

    bool reserve(piece& one, std::size_t size) {
        const std::size_t page = posix::page_size();
        const std::size_t wanted = (size + page - 1) / page * page;
        if (wanted <= one.reserved) return true;
        const std::size_t more = wanted - one.reserved;
        for (auto at = free_.begin(); at != free_.end() && reserved() + more > limit_; ++at)
            for (piece& other : at->second) discard(other);
        if (reserved() + more > limit_) return false;
        if (!posix::has_memory_for(more)) return false;
        reserved_.fetch_add(more, std::memory_order_release);
        one.reserved = wanted;
        if (posix::take_pages(window_->data() + one.offset + wanted - more, more)) return true;
        discard(one);  // a part of it may have been taken
        return false;
    }

    void discard(piece& one) noexcept {
        if (one.reserved == 0) return;
        posix::give_back_pages(window_->data() + one.offset, one.reserved);
        reserved_.fetch_sub(std::exchange(one.reserved, 0), std::memory_order_release);
    }

    void put_back(const piece& one) { free_[one.capacity].push_back(one); }

    void free(const piece& one) noexcept {
        // A forked child has a copy of the books, and none of the memory.
        if (generation_ != posix::fork_generation.load(std::memory_order_relaxed)) return;
        const std::lock_guard lock(mutex_);
        try {
            put_back(one);
        } catch (const std::bad_alloc&) {  // the piece is not used again
            piece lost = one;
            discard(lost);
        }
    }

    const std::shared_ptr<const arena_window> window_;
    const std::size_t size_;
    const std::size_t limit_;
    const unsigned generation_ = posix::fork_generation.load(std::memory_order_relaxed);
    mutable std::mutex mutex_;
    std::size_t begun_ = 0;                           // of the range, from its beginning
    std::map<std::size_t, std::vector<piece>> free_;  // by capacity; the last one used is the warmest
    std::atomic<std::uint64_t> own_reserved_{0};
    std::atomic<std::uint64_t>& reserved_;
};
using arena = basic_arena<>;

}  // namespace procpool::detail::wire

#endif
