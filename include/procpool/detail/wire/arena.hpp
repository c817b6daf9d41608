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
#include <iterator>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/available_memory.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fork_stamp.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/populate.hpp"
#include "procpool/detail/wire/arena_part.hpp"
#include "procpool/detail/wire/arena_part_header.hpp"
#include "procpool/detail/wire/arena_place.hpp"
#include "procpool/detail/wire/arena_window.hpp"

namespace procpool::inline v0_1::detail::wire {

/// The range of one writer, who is this process. Thread-safe.
template <class>
class basic_arena : public std::enable_shared_from_this<arena> {
public:
    /// The range is the first `size` bytes of the window, of which `limit` bytes at the most are memory at
    /// any time. How many are is counted in `reserved`, where others may read it, also after our death. What
    /// readers have kept comes back in the list that begins at `returned`.
    basic_arena(std::shared_ptr<const arena_window> window, std::size_t size, std::size_t limit,
                std::atomic<std::uint64_t>* reserved = nullptr,
                std::atomic<std::uint64_t>* returned = nullptr)
        : window_(std::move(window)),
          size_(size),
          limit_(limit),
          unused_{{0, size}},
          reserved_(reserved ? *reserved : own_reserved_),
          returned_(returned ? *returned : own_returned_) {}

    /// Room for a part of `size` bytes; nothing if that is more than the limit allows or the machine has.
    std::optional<arena_part> allocate(std::size_t size) {
        if (size > limit_) return std::nullopt;
        const std::size_t bytes = in_pages(arena_alignment + size);
        std::optional<piece> found;
        {
            const mutex_guard lock(mutex_);
            take_returned();
            most_alive_ = std::max(most_alive_, alive_ + bytes);
            found = take(capacity_for(bytes));
            if (!found) return std::nullopt;
            if (!reserve(*found, bytes)) {
                put_back(*found);
                return std::nullopt;
            }
            alive_ += bytes;
        }
        std::byte* const at = window_->data() + found->offset + arena_alignment;
        const arena_place place{window_->pool(), window_->first() + found->offset + arena_alignment};
        new (at - arena_alignment) arena_part_header{.is = {place.pool, place.offset, size}};
        return arena_part{std::shared_ptr<std::byte>(at, [self = this->shared_from_this(), piece = *found,
                                                          bytes](std::byte*) { self->free(piece, bytes); }),
                          place};
    }

    /// Whether it is no memory at all, but other_machines().
    bool is_elsewhere() const noexcept { return !window_; }
    /// Whether it is no copy in a forked child.
    bool is_here() const noexcept { return made_.is_here(); }

    /// Gives back all memory that no part takes.
    void trim() noexcept {
        const mutex_guard lock(mutex_);
        take_returned();
        make_room(0);
        most_alive_ = alive_;
    }

    /// Bytes of memory that are taken, parts or not.
    std::uint64_t reserved() const noexcept { return reserved_.load(std::memory_order_relaxed); }

private:
    struct piece {
        std::size_t offset;    // in the window
        std::size_t capacity;  // bytes of the range
        std::size_t reserved;  // bytes of memory, from the beginning
    };

    static std::size_t in_pages(std::size_t size) noexcept {
        const std::size_t page = os::page_size();
        return (size + page - 1) / page * page;
    }

    /// Sizes in steps of a quarter at the most, so that pieces fit again.
    static std::size_t capacity_for(std::size_t size) noexcept {
        const std::size_t step = std::max<std::size_t>(arena_threshold, std::bit_floor(size) / 4);
        return (size + step - 1) / step * step;
    }

    /// One that was used before and isn't much larger, or else new range, or else one that is much larger. At
    /// last those that are too small make room.
    std::optional<piece> take(std::size_t capacity) PROCPOOL_REQUIRES(mutex_) {
        if (auto found = take_free(capacity, 2 * capacity)) return found;
        if (auto found = take_range(capacity)) return found;
        if (auto found = take_free(capacity, size_)) return found;
        make_room(0);
        return take_range(capacity);
    }

    std::optional<piece> take_free(std::size_t least, std::size_t most) PROCPOOL_REQUIRES(mutex_) {
        const auto at = free_.lower_bound(least);
        if (at == free_.end() || at->first > most) return std::nullopt;
        const piece found = at->second.back();
        at->second.pop_back();
        if (at->second.empty()) free_.erase(at);
        return found;
    }

    std::optional<piece> take_range(std::size_t capacity) PROCPOOL_REQUIRES(mutex_) {
        const auto at = std::find_if(unused_.begin(), unused_.end(),
                                     [=](const auto& gap) { return gap.second >= capacity; });
        if (at == unused_.end()) return std::nullopt;
        const auto [offset, size] = *at;
        if (size > capacity) unused_.emplace_hint(std::next(at), offset + capacity, size - capacity);
        unused_.erase(at);
        return piece{offset, capacity, 0};
    }

    bool reserve(piece& one, std::size_t wanted) PROCPOOL_REQUIRES(mutex_) {
        if (wanted <= one.reserved) return true;
        const std::size_t more = wanted - one.reserved;
        // As much as was alive at a time, and half as much again, since pieces are larger than their parts.
        const std::size_t most = std::min(limit_, most_alive_ + most_alive_ / 2);
        if (reserved() + more > most) make_room(most - std::min(most, more));
        if (reserved() + more > limit_) return false;
        if (!os::has_memory_for(more)) return false;
        reserved_.fetch_add(more, std::memory_order_release);
        one.reserved = wanted;
        if (os::take_pages(window_->data() + one.offset + wanted - more, more)) return true;
        give_back_memory(one);  // a part of it may have been taken
        return false;
    }

    /// Gives up free pieces, small ones first, until no more than `most` bytes of memory are taken.
    void make_room(std::size_t most) noexcept PROCPOOL_REQUIRES(mutex_) {
        while (reserved() > most && !free_.empty()) {
            const auto at = free_.begin();
            discard(at->second.front());  // the one that was used least lately
            at->second.erase(at->second.begin());
            if (at->second.empty()) free_.erase(at);
        }
    }

    void give_back_memory(piece& one) noexcept {
        if (one.reserved == 0) return;
        os::give_back_pages(window_->data() + one.offset, one.reserved);
        reserved_.fetch_sub(std::exchange(one.reserved, 0), std::memory_order_release);
    }

    /// Gives a piece's memory back, and its range, joined with what is unused beside it.
    void discard(piece one) noexcept PROCPOOL_REQUIRES(mutex_) {
        give_back_memory(one);
        auto next = unused_.lower_bound(one.offset);
        if (next != unused_.end() && next->first == one.offset + one.capacity) {
            one.capacity += next->second;
            next = unused_.erase(next);
        }
        if (next != unused_.begin()) {
            const auto before = std::prev(next);
            if (before->first + before->second == one.offset) {
                before->second += one.capacity;
                return;
            }
        }
        try {
            unused_.emplace_hint(next, one.offset, one.capacity);
        } catch (const std::bad_alloc&) {
            // This range is not used again.
        }
    }

    void put_back(const piece& one) noexcept PROCPOOL_REQUIRES(mutex_) {
        if (one.reserved == 0) return discard(one);
        try {
            free_[one.capacity].push_back(one);
        } catch (const std::bad_alloc&) {
            if (const auto at = free_.find(one.capacity); at != free_.end() && at->second.empty())
                free_.erase(at);
            discard(one);
        }
    }

    void free(const piece& one, std::size_t bytes) noexcept {
        // A forked child has a copy of the books, and none of the memory.
        if (!made_.is_here()) return;
        const mutex_guard lock(mutex_);
        const std::uint64_t place = window_->first() + one.offset + arena_alignment;
        const auto lent = header_at(place).lent.load(std::memory_order_acquire);
        if (lent == arena_part_header::lending::none || back_early_.erase(place) != 0)
            return take_back({one, bytes}, lent);
        try {
            kept_.emplace(place, part{one, bytes});
        } catch (const std::bad_alloc&) {
            // It is never used again.
        }
    }

    // ---- parts that a reader keeps after we have done with them

    struct part {
        piece where;
        std::size_t bytes;
    };

    arena_part_header& header_at(std::uint64_t place) const noexcept {
        return header_of_part(window_->data() + (place - window_->first()));
    }
    /// Whether a part may lie there: what was in the list may be written over.
    bool is_place(std::uint64_t place) const noexcept {
        const std::uint64_t at = place - window_->first();
        return place >= window_->first() + arena_alignment && at < size_ &&
               (at - arena_alignment) % os::page_size() == 0;
    }

    void take_back(part one, arena_part_header::lending lent) noexcept PROCPOOL_REQUIRES(mutex_) {
        alive_ -= one.bytes;
        if (lent == arena_part_header::lending::emptied)
            discard(one.where);
        else
            put_back(one.where);
    }

    /// Takes what readers have given back.
    void take_returned() noexcept PROCPOOL_REQUIRES(mutex_) {
        if (returned_.empty()) return;
        std::uint64_t place = returned_.take_all();
        // More than that are none: it leads round in circles.
        for (std::size_t most = size_ / os::page_size(); most > 0 && is_place(place); --most) {
            const arena_part_header& header = header_at(place);
            const std::uint64_t next = header.next_returned.load(std::memory_order_relaxed);
            const auto at = kept_.find(place);
            if (at == kept_.end()) {
                take_early(place);
            } else {
                const part one = at->second;
                kept_.erase(at);
                take_back(one, header.lent.load(std::memory_order_relaxed));
            }
            place = next;
        }
    }
    /// It came back before it is free here.
    void take_early(std::uint64_t place) noexcept PROCPOOL_REQUIRES(mutex_) {
        try {
            back_early_.insert(place);
        } catch (const std::bad_alloc&) {
            // It is never used again.
        }
    }

    const std::shared_ptr<const arena_window> window_;
    const std::size_t size_;
    const std::size_t limit_;
    const os::fork_stamp made_;
    mutex mutex_;
    /// Bytes of parts, in whole pages.
    std::size_t alive_ PROCPOOL_GUARDED_BY(mutex_) = 0;
    /// At a time, since memory was given back.
    std::size_t most_alive_ PROCPOOL_GUARDED_BY(mutex_) = 0;
    /// Range without memory: sizes, by offset.
    std::map<std::size_t, std::size_t> unused_ PROCPOOL_GUARDED_BY(mutex_);
    /// Pieces with memory, by capacity; the last one used is the warmest.
    std::map<std::size_t, std::vector<piece>> free_ PROCPOOL_GUARDED_BY(mutex_);
    /// Parts that are free but for a reader who keeps them, by their place.
    std::map<std::uint64_t, part> kept_ PROCPOOL_GUARDED_BY(mutex_);
    /// Those that no reader keeps any more, but that aren't free yet.
    std::set<std::uint64_t> back_early_ PROCPOOL_GUARDED_BY(mutex_);
    std::atomic<std::uint64_t> own_reserved_{0};
    std::atomic<std::uint64_t>& reserved_;
    std::atomic<std::uint64_t> own_returned_{0};
    returned_parts returned_ PROCPOOL_GUARDED_BY(mutex_);
};

}  // namespace procpool::inline v0_1::detail::wire

#endif
