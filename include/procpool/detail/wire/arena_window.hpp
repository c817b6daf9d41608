// SPDX-License-Identifier: MIT
// A pool's arenas as a process sees them, and how a part of a message is found there.
#ifndef PROCPOOL_DETAIL_WIRE_ARENA_WINDOW_HPP
#define PROCPOOL_DETAIL_WIRE_ARENA_WINDOW_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/fork_stamp.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/wire/arena_place.hpp"

namespace procpool::inline v0_1::detail::wire {

/// What stands before each part in an arena, so that no place is believed that was not given out.
struct arena_part_header {
    std::uint64_t pool = 0;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};
/// So far from the header, and so well aligned, is its part.
inline constexpr std::size_t arena_alignment = 64;
static_assert(sizeof(arena_part_header) <= arena_alignment);

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

    /// The `size` bytes at `place`, in whatever window of this process that is; nothing unless a part of that
    /// size was put there.
    static std::optional<std::span<const std::byte>> find(const arena_place& place, std::uint64_t size) {
        const auto lock = os::fd_registry::instance().hold_forks();
        for (const basic_arena_window* window : windows())
            if (window->is_mapped_here() && window->pool_ == place.pool && place.offset >= window->first_ &&
                place.offset - window->first_ < window->size())
                return window->part_at(place, size);
        return std::nullopt;
    }

private:
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
        arena_part_header header;
        std::memcpy(&header, data() + at - arena_alignment, sizeof header);
        if (header.pool != pool_ || header.offset != place.offset || header.size != size) return std::nullopt;
        return std::span<const std::byte>(data() + at, size);
    }

    const os::fork_stamp made_;
    const std::uint64_t pool_;
    const std::uint64_t first_;
    const os::mapping memory_;
};
using arena_window = basic_arena_window<>;

}  // namespace procpool::inline v0_1::detail::wire

#endif
