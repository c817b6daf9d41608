// SPDX-License-Identifier: MIT
// The timings of all tasks of a pool.
#ifndef PROCPOOL_DETAIL_SCHEDULER_TIMING_TABLE_HPP
#define PROCPOOL_DETAIL_SCHEDULER_TIMING_TABLE_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "procpool/detail/scheduler/task_timing.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// The timings of the tasks that a pool has run, found by their definition.
class timing_table {
public:
    task_timing& of(std::span<const std::byte> definition) noexcept {
        constexpr std::size_t significant = 160;  // the code's location and the first captures
        // FNV-1a, a word at a time. Another task in the same place costs the timing, nothing else.
        std::uint64_t hash = 0xCBF29CE484222325u;
        for (std::size_t i = 0; i + sizeof hash <= std::min(definition.size(), significant);
             i += sizeof hash) {
            std::uint64_t word;
            std::memcpy(&word, definition.data() + i, sizeof word);
            hash = (hash ^ word) * 0x100000001B3u;
            hash ^= hash >> 29;
        }
        entry& place = entries_[hash % entries_.size()];
        if (place.hash != hash) place = {hash, {}};
        return place.timing;
    }

private:
    struct entry {
        std::uint64_t hash = 0;
        task_timing timing;
    };
    std::array<entry, 256> entries_;
};

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
