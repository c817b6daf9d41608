// SPDX-License-Identifier: MIT
// What a crash leaves: the calls on the stack.
#ifndef PROCPOOL_DETAIL_OS_CRASH_RECORD_HPP
#define PROCPOOL_DETAIL_OS_CRASH_RECORD_HPP

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace procpool::inline v0_1::detail::os {

/// Lies in memory that is shared with the reader.
struct crash_record {
    static constexpr std::size_t most_frames = 32;
    std::atomic<std::uint32_t> frames{0};
    /// Written by the reader: not 0 if SIGTERM is to leave a trace as a crash does.
    std::atomic<std::uint32_t> wanted{0};
    /// A place in the code, that means the same in a process with other load addresses.
    struct call {
        std::atomic<std::uint64_t> module;  // key of its id
        std::atomic<std::uint64_t> offset;
    };
    std::array<call, most_frames> calls{};  // innermost first
};

}  // namespace procpool::inline v0_1::detail::os

#endif
