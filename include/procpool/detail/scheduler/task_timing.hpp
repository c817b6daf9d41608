// SPDX-License-Identifier: MIT
// How long tasks take, learnt from those that have run.
#ifndef PROCPOOL_DETAIL_SCHEDULER_TASK_TIMING_HPP
#define PROCPOOL_DETAIL_SCHEDULER_TASK_TIMING_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace procpool::inline v0_1::detail::scheduler {

/// How long the elements of one kind of task take; shared by all calls with the same callable.
class task_timing {
public:
    bool known() const noexcept { return mean_ns_ > 0; }
    double mean_ns() const noexcept { return mean_ns_; }
    /// Whether messages and changes of context cost more than they do.
    bool quick() const noexcept {
        constexpr double quick_ns = 20e3;
        return known() && mean_ns_ < quick_ns;
    }
    void add(double busy_ns, double elements) noexcept {
        const double mean = std::max(1.0, busy_ns / elements);
        // The newest batch counts most: what tasks take can change within a job.
        mean_ns_ = known() ? 0.5 * mean_ns_ + 0.5 * mean : mean;
    }

private:
    double mean_ns_ = 0;
};

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
