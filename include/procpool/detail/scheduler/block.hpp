// SPDX-License-Identifier: MIT
// Elements on their way to a worker.
#ifndef PROCPOOL_DETAIL_SCHEDULER_BLOCK_HPP
#define PROCPOOL_DETAIL_SCHEDULER_BLOCK_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/wire/sink.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// Encoded elements [first, first + count) of a job, ready to go to a worker.
struct block {
    /// Who leaves so many bytes before `begin` gets the frames there that announce the elements.
    static constexpr std::size_t room_for_frames = 2 * sizeof(wire::task_header);

    std::uint64_t first = 0;
    std::uint64_t count = 0;
    std::uint64_t stride = 0;
    wire::buffer bytes;
    std::size_t begin = 0;  // where in `bytes` the elements start; what is before that is of no more use
    std::vector<std::string> attempts =
        {};                        // how those ended that were made with it (then it is one element)
    wire::pins pins;               // what the elements refer to
    wire::large_parts large = {};  // of the elements
    bool alone = false;            // nothing else may run beside it (then it is one element)
    unsigned losses = 0;           // times that they were with a peer of many workers when it was lost

    /// Bytes to be moved, wherever they lie.
    std::size_t weight() const noexcept { return bytes.size() - begin + large.bytes; }
    bool holds(std::uint64_t index) const noexcept { return index >= first && index - first < count; }
    std::span<const std::byte> payload() const noexcept { return bytes.bytes().subspan(begin); }

    /// Cuts off the first `n` elements.
    block take_front(std::uint64_t n);

    /// A copy of the n-th element alone.
    block element(std::uint64_t n) const { return copy(n, 1); }

    /// A copy of `n` elements after the first `from`.
    block copy(std::uint64_t from, std::uint64_t n) const;

    /// Adds the elements that follow these.
    void append(block next);

private:
    /// Which part is whose isn't known: all stay until all elements are done, their bytes are divided.
    wire::large_parts share_of_large(std::uint64_t n) const {
        return {large.memory, large.parts, large.bytes / std::max<std::uint64_t>(count, 1) * n};
    }
};

}  // namespace procpool::inline v0_1::detail::scheduler

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/scheduler/block_impl.hpp"
#endif

#endif
