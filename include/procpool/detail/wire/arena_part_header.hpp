// SPDX-License-Identifier: MIT
// What stands before each part in an arena: what it is, and whether somebody keeps it.
#ifndef PROCPOOL_DETAIL_WIRE_ARENA_PART_HEADER_HPP
#define PROCPOOL_DETAIL_WIRE_ARENA_PART_HEADER_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace procpool::inline v0_1::detail::wire {

struct arena_part_header {
    /// No place is believed that was not given out: these are as the message says.
    struct identity {
        std::uint64_t pool = 0;
        std::uint64_t offset = 0;
        std::uint64_t size = 0;
    } is;
    /// Of a part that the reader keeps after its message was received (see returned_parts).
    enum class lending : std::uint32_t {
        none,
        kept,
        emptied,  // kept no more, and all pages but this one were given back
    };
    std::atomic<lending> lent{lending::none};
    std::atomic<std::uint64_t> next_returned{0};
};
/// So far from the header, and so well aligned, is its part.
inline constexpr std::size_t arena_alignment = 64;
static_assert(sizeof(arena_part_header) <= arena_alignment && offsetof(arena_part_header, is) == 0);

/// Of the part that lies here.
inline arena_part_header& header_of_part(std::byte* part) noexcept {
    return *reinterpret_cast<arena_part_header*>(part - arena_alignment);
}

/// Parts that a reader has kept and needs no more: a list through their headers, whose head lies in shared
/// memory, too. Their offsets among the arenas stand for them; 0 is the end.
///
/// One thread at a time gives back, one takes. What is read here is checked by who takes: tasks may have
/// written over it.
class returned_parts {
public:
    /// `head` is 0 at first.
    explicit returned_parts(std::atomic<std::uint64_t>& head) noexcept : head_(head) {}

    void give_back(std::byte* part, std::uint64_t offset) noexcept {
        std::atomic<std::uint64_t>& next = header_of_part(part).next_returned;
        std::uint64_t before = head_.load(std::memory_order_relaxed);
        do next.store(before, std::memory_order_relaxed);
        while (!head_.compare_exchange_weak(before, offset, std::memory_order_release,
                                            std::memory_order_relaxed));
    }

    bool empty() const noexcept { return head_.load(std::memory_order_relaxed) == 0; }
    /// The first one; the others follow.
    std::uint64_t take_all() noexcept { return head_.exchange(0, std::memory_order_acquire); }

private:
    std::atomic<std::uint64_t>& head_;
};

}  // namespace procpool::inline v0_1::detail::wire

#endif
