// SPDX-License-Identifier: MIT
// A pool's arenas as a process sees them, and how a part of a message is found there.
#ifndef PROCPOOL_DETAIL_WIRE_ARENA_WINDOW_HPP
#define PROCPOOL_DETAIL_WIRE_ARENA_WINDOW_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/fork_stamp.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/wire/arena_part_header.hpp"
#include "procpool/detail/wire/arena_place.hpp"

namespace procpool::inline v0_1::detail::wire {

/// Keeps parts of messages where they lie, for as long as somebody reads them there.
class part_lender {
public:
    virtual ~part_lender() = default;
    /// The part of `size` bytes at `at` in the window; null if it can't stay.
    virtual std::shared_ptr<std::byte> lend(std::uint64_t at, std::size_t size) = 0;
};

/// A stretch of a pool's arenas, as this process sees it.
template <class = only_if_used>
class basic_arena_window {
public:
    /// `memory` begins at `first` among the arenas of `pool`.
    basic_arena_window(std::uint64_t pool, std::uint64_t first, os::mapping memory)
        : pool_(pool), first_(first), memory_(std::move(memory)) {
        const auto lock = os::fd_registry::instance().hold_forks();
        windows().push_back(this);
    }
    basic_arena_window(const basic_arena_window&) = delete;
    basic_arena_window& operator=(const basic_arena_window&) = delete;
    ~basic_arena_window() {
        const auto lock = os::fd_registry::instance().hold_forks();
        std::erase(windows(), this);
    }

    std::uint64_t pool() const noexcept { return pool_; }
    std::uint64_t first() const noexcept { return first_; }
    std::byte* data() const noexcept { return memory_.data(); }
    std::size_t size() const noexcept { return memory_.size(); }

    /// Parts that are found here may be kept by `lender`. To be called before anybody looks for them.
    void lend_by(std::weak_ptr<part_lender> lender) noexcept { lender_ = std::move(lender); }

    /// The `size` bytes at `place`, in whatever window of this process that is; nothing unless a part of that
    /// size was put there.
    static std::optional<std::span<const std::byte>> find(const arena_place& place, std::uint64_t size) {
        const auto lock = os::fd_registry::instance().hold_forks();
        const basic_arena_window* const window = window_of(place);
        return window ? window->part_at(place, size) : std::nullopt;
    }
    /// The same, to be kept there; null if there is no such part, or it can't stay.
    static std::shared_ptr<std::byte> borrow(const arena_place& place, std::uint64_t size) {
        std::shared_ptr<part_lender> lender;
        std::uint64_t at = 0;
        {
            const auto lock = os::fd_registry::instance().hold_forks();
            const basic_arena_window* const window = window_of(place);
            if (!window || !window->part_at(place, size)) return nullptr;
            lender = window->lender_.lock();
            at = place.offset - window->first_;
        }
        return lender ? lender->lend(at, size) : nullptr;
    }

private:
    /// With forks held.
    static const basic_arena_window* window_of(const arena_place& place) noexcept {
        for (const basic_arena_window* window : windows())
            if (window->is_mapped_here() && window->pool_ == place.pool && place.offset >= window->first_ &&
                place.offset - window->first_ < window->size())
                return window;
        return nullptr;
    }

    /// Leaked: pools of static lifetime end after it would.
    static std::vector<const basic_arena_window*>& windows() {
        static auto* const all = new std::vector<const basic_arena_window*>;
        return *all;
    }

    /// Not in a forked child, which may itself have windows of the same pool.
    bool is_mapped_here() const noexcept { return made_.is_here(); }

    std::optional<std::span<const std::byte>> part_at(const arena_place& place, std::uint64_t size) const {
        const std::uint64_t at = place.offset - first_;
        if (at % arena_alignment != 0 || at < arena_alignment || size > this->size() - at)
            return std::nullopt;
        arena_part_header::identity is;
        std::memcpy(&is, data() + at - arena_alignment, sizeof is);
        if (is.pool != pool_ || is.offset != place.offset || is.size != size) return std::nullopt;
        return std::span<const std::byte>(data() + at, size);
    }

    const os::fork_stamp made_;
    const std::uint64_t pool_;
    const std::uint64_t first_;
    const os::mapping memory_;
    std::weak_ptr<part_lender> lender_;
};
using arena_window = basic_arena_window<>;

}  // namespace procpool::inline v0_1::detail::wire

#endif
