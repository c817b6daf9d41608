// SPDX-License-Identifier: MIT
// The records of a queue in one long stretch of memory: appended at one end, taken at the other.
//
// Records follow each other. Where memory in front is free again, or something is in the way, a record leads
// elsewhere. So there are up to three runs of records, in the order in which they are taken.
#ifndef PROCPOOL_DETAIL_SHARED_RECORD_CHAIN_HPP
#define PROCPOOL_DETAIL_SHARED_RECORD_CHAIN_HPP

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <span>
#include <utility>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd_fwd.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::shared {

/// Before each record's bytes.
struct record_header {
    std::uint64_t size = 0;      // of the bytes
    std::uint32_t leads_on = 0;  // this is no record: the next one lies at `size`
    std::uint32_t pinned = 0;    // what it refers to is kept by its sender until it is taken
};

/// Offsets of bytes in the stretch.
struct record_run {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;

    bool has(std::uint64_t at) const noexcept { return begin <= at && at < end; }
};

/// The stretch, as this process has it mapped.
struct record_memory {
    const os::fd& file;
    std::size_t offset;  // in the file
    std::span<std::byte> bytes;

    record_header& header_at(std::uint64_t at) const noexcept {
        return *std::launder(reinterpret_cast<record_header*>(bytes.data() + at));
    }
};

inline constexpr std::size_t record_alignment = sizeof(record_header);
constexpr std::uint64_t space_of_record(std::uint64_t size) noexcept {
    return sizeof(record_header) + (size + record_alignment - 1) / record_alignment * record_alignment;
}

[[noreturn]] inline void refuse_damaged_queue() {
    throw Error("procpool: the memory of a queue is damaged: a process has written where it should not");
}

/// How far the records are taken, for those who append some.
using taken_until = std::atomic<std::uint64_t>;

/// The end at which records are appended; what is not committed is not there, whatever became of its writer.
class record_tail {
public:
    /// Memory is taken in multiples of it.
    static constexpr std::uint64_t step = 64 << 10;

    /// Room for a record's bytes, after the `count` that were committed.
    /// @throws std::system_error with errc::not_enough_memory; then nothing has changed
    std::byte* append(const record_memory& memory, std::uint32_t count, const taken_until& taken,
                      std::size_t size, bool pinned) {
        const std::uint64_t space = space_of_record(size);
        place next = places_[count % 2];
        require_sound(next, memory);
        if (const auto at = elsewhere(next, taken.load(std::memory_order_acquire), space)) {
            grow(memory, *at + space + sizeof(record_header));
            if (next.olders == next.older.size()) refuse_damaged_queue();
            memory.header_at(next.at) = {.size = *at, .leads_on = 1};
            next.older[next.olders++] = {next.begin, next.at + sizeof(record_header)};
            next.begin = next.at = *at;
        } else {
            grow(memory, next.at + space + sizeof(record_header));
        }
        memory.header_at(next.at) = {.size = size, .pinned = pinned};
        std::byte* const room = memory.bytes.data() + next.at + sizeof(record_header);
        next.at += space;
        places_[(count + 1) % 2] = next;  // what counts when the count says so
        return room;
    }

    /// Whether records were appended up to there. Anybody may ask.
    bool has_reached(std::uint64_t end) const noexcept {
        return end <= ready_.load(std::memory_order_relaxed);
    }

    /// Whether there is much memory that could be given back. Anybody may ask.
    bool is_large() const noexcept { return ready_.load(std::memory_order_relaxed) > much; }

    /// Gives most of it back. No record may be left, and none may be appended or taken meanwhile.
    template <class = only_if_used>
    void trim(const record_memory& memory, std::uint32_t count) noexcept;

private:
    static constexpr std::uint64_t much = std::uint64_t{64} << 20;

    struct place {
        std::uint64_t at = 0;     // of the next record; there is room for its header
        std::uint64_t begin = 0;  // of the run that it belongs to
        std::array<record_run, 2> older{};
        std::uint32_t olders = 0;
    };

    /// A place says where this process writes.
    void require_sound(const place& next, const record_memory& memory) const {
        const std::uint64_t there = memory.bytes.size();
        if (next.at % record_alignment != 0 || next.at > there - sizeof(record_header) ||
            next.olders > next.older.size() || ready_.load(std::memory_order_relaxed) > there)
            refuse_damaged_queue();
        for (const record_run& run : std::span(next.older).first(next.olders))
            if (run.end % record_alignment != 0 || run.end > there) refuse_damaged_queue();
    }

    /// Where to go on if not right behind the last record. Forgets what is taken.
    std::optional<std::uint64_t> elsewhere(place& next, std::uint64_t taken, std::uint64_t space) const {
        while (next.olders > 0 && !next.older[0].has(taken)) next.older[0] = next.older[--next.olders];
        const std::uint64_t wanted = space + sizeof(record_header);
        if (next.olders == 0) {
            // Memory that is touched for the first time costs more than a jump; but not into a small gap.
            const std::uint64_t ready = ready_.load(std::memory_order_relaxed);
            const bool is_there = next.at + wanted <= ready;
            const bool has_gap = taken >= wanted && taken >= ready / 2;
            return !is_there && has_gap ? std::optional<std::uint64_t>(0) : std::nullopt;
        }
        next.older[0].begin = taken;
        std::uint64_t top = next.at + sizeof(record_header);
        bool is_in_the_way = false;
        for (const record_run& run : std::span(next.older).first(next.olders)) {
            top = std::max(top, run.end);
            is_in_the_way |= run.begin >= next.at && run.begin - next.at < wanted;
        }
        // There it is the third run, and nothing lies above.
        return is_in_the_way ? std::optional<std::uint64_t>(top) : std::nullopt;
    }

    void grow(const record_memory& memory, std::uint64_t end) {
        if (end > ready_.load(std::memory_order_relaxed)) take_memory(memory, end);
    }
    template <class = only_if_used>
    void take_memory(const record_memory& memory, std::uint64_t end);

    std::array<place, 2> places_{};
    std::atomic<std::uint64_t> ready_{0};  // memory up to here is there
};

/// The end at which records are taken.
class record_head {
public:
    struct record {
        std::span<const std::byte> bytes;
        bool pinned = false;
        std::uint64_t end = 0;
    };

    /// The next one, after the `count` that were taken. There must be one.
    /// @throws Error if there is no record where it should be
    record front(const record_memory& memory, std::uint32_t count) const {
        std::uint64_t at = ends_[count % 2];
        record_header header = read(memory, at);
        if (header.leads_on != 0) header = read(memory, at = header.size);
        const std::uint64_t there = memory.bytes.size() - at - sizeof(record_header);
        if (header.leads_on != 0 || header.size > there) refuse_damaged_queue();
        return {memory.bytes.subspan(at + sizeof(record_header), header.size), header.pinned != 0,
                at + space_of_record(header.size)};
    }

    /// Taken, when the count says so.
    void leave(const record& taken, std::uint32_t count) noexcept { ends_[(count + 1) % 2] = taken.end; }

private:
    static record_header read(const record_memory& memory, std::uint64_t at) {
        if (at % record_alignment != 0 || at > memory.bytes.size() - sizeof(record_header))
            refuse_damaged_queue();
        return memory.header_at(at);
    }

    std::array<std::uint64_t, 2> ends_{};
};

}  // namespace procpool::inline v0_1::detail::shared

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/shared/record_chain_impl.hpp"
#endif

#endif
