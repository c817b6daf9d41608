// SPDX-License-Identifier: MIT
// What goes through a worker's pipes: a header of fixed size, then `length` bytes.
#ifndef PROCPOOL_DETAIL_WIRE_FRAME_HPP
#define PROCPOOL_DETAIL_WIRE_FRAME_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/sink.hpp"

namespace procpool::inline v0_1::detail::wire {

// A sequence of encoded elements is either of one fixed `stride` in bytes, or (stride 0) each element is
// preceded by its size as a std::uint64_t, and may lie in an arena (see sink.hpp).
inline constexpr std::uint64_t variable_stride = 0;

/// Number of the job that is a pool's initializer; those of calls begin at 1.
inline constexpr std::uint64_t initializer_number = 0;

/// Down, to a worker.
struct task_header {
    static constexpr std::uint32_t magic_number = 0x31544B50;  // "PKT1"
    enum class kind : std::uint32_t {
        define,        // job's callable: the location of its task_ops, then the callable
        define_once,   // the same, forgotten after its next run
        define_again,  // the same as the last define_once
        run,           // `count` elements of the job
        forget,        // the job's callable won't be needed again
        release,       // the first `count` results are received: what they refer to may go
        trim,          // nothing to do for now: memory that is kept for more work may go
        recalled,      // elements before this that were not begun were taken back, for the `count`-th time
        probe,         // whoever reads this has answered all that came before
    };
    std::uint32_t magic = magic_number;
    kind what{};
    std::uint64_t job = 0;
    std::uint64_t count = 0;
    std::uint64_t stride = 0;
    std::uint64_t length = 0;
    std::uint32_t together = 1;  // so many elements can be taken back only together
    std::uint16_t number = 0;    // runs before this one, so that none is missing unseen
    std::uint8_t timed = 0;      // it matters when exactly each begins
    std::uint8_t bulk = 0;       // nobody sees a result before all are there
};

/// Up, from a worker. Results come in the order in which elements were sent, so they need no index;
/// `sequence`, the number of results before this frame, shows that both sides count alike.
struct result_header {
    static constexpr std::uint32_t magic_number = 0x31524B50;  // "PKR1"
    enum class kind : std::uint16_t { values, error };
    std::uint32_t magic = magic_number;
    kind what{};
    std::uint16_t pinned = 0;  // a value refers to something that the worker holds until `release`
    std::uint64_t sequence = 0;
    std::uint64_t stride = 0;
    std::uint64_t length = 0;

    bool is_known() const noexcept {
        return magic == magic_number && (what == kind::values || what == kind::error);
    }
};

/// A worker sent something that no worker sends.
class protocol_error : public SerializationError {
public:
    using SerializationError::SerializationError;
};

/// Cuts the bytes that come from a worker into frames. The worker may be corrupt: memory is claimed as
/// bytes arrive, never because a header says so.
class frame_reader {
public:
    struct frame {
        result_header header;
        std::span<const std::byte> payload;
    };

    /// Room for `size` more bytes; call filled() with what was put there. Frames taken before are void.
    std::byte* room(std::size_t size) {
        if (taken_ > 0) {
            bytes_.drop_front(taken_);
            last_ = taken_ = 0;
        }
        std::byte* const at = bytes_.extend(size);
        bytes_.shrink_to(bytes_.size() - size);
        return at;
    }
    void filled(std::size_t size) { bytes_.extend(size); }

    /// The next complete frame, valid until room() is called.
    std::optional<frame> next() {
        last_ = taken_;
        const auto rest = bytes_.bytes().subspan(taken_);
        if (rest.size() < sizeof(result_header)) return std::nullopt;
        const auto header = cursor(rest).value<result_header>();
        if (!header.is_known()) throw protocol_error("procpool: a worker sent bytes that are no frame");
        if (rest.size() - sizeof header < header.length) return std::nullopt;
        taken_ += sizeof header + header.length;
        return frame{header, rest.subspan(sizeof header, header.length)};
    }

    /// The sequence number of the next frame; 0 if there is none.
    std::uint64_t next_sequence() const noexcept {
        const auto rest = unfinished();
        if (rest.size() < sizeof(result_header)) return 0;
        return cursor(rest).value<result_header>().sequence;
    }

    /// What has come of a frame that has not ended.
    std::span<const std::byte> unfinished() const noexcept { return bytes_.bytes().subspan(taken_); }

    /// What next() has returned is no frame: its bytes are anything.
    void reject() noexcept { taken_ = last_; }
    /// Skips what comes next, which is no complete frame, and all that is before the next one with this
    /// sequence number; false if there is none.
    bool skip_to(std::uint64_t sequence) noexcept {
        constexpr std::uint32_t magic = result_header::magic_number;
        const auto first = std::as_bytes(std::span(&magic, 1));
        const auto all = bytes_.bytes();
        auto at = all.begin() + static_cast<std::ptrdiff_t>(taken_);
        while (at != all.end()) {
            at = std::search(at + 1, all.end(), first.begin(), first.end());
            const auto rest = all.subspan(static_cast<std::size_t>(at - all.begin()));
            if (rest.size() < sizeof(result_header)) return false;
            const auto header = cursor(rest).value<result_header>();
            if (!header.is_known() || header.sequence != sequence ||
                header.length > rest.size() - sizeof header)
                continue;
            taken_ = all.size() - rest.size();
            return true;
        }
        return false;
    }

private:
    buffer bytes_;
    std::size_t taken_ = 0;
    std::size_t last_ = 0;  // where the last frame begins
};

/// Walks a sequence of encoded elements, whichever its stride.
class element_reader {
public:
    element_reader(std::span<const std::byte> bytes, std::uint64_t stride) : rest_(bytes), stride_(stride) {}

    bool done() const noexcept { return rest_.left() == 0; }
    std::span<const std::byte> next() {
        return stride_ == variable_stride ? take_bulk(rest_) : rest_.take(stride_);
    }
    /// The bytes of the next elements, sizes included: `most` of them, or all that are left; sets `count`.
    std::span<const std::byte> next_run(std::uint64_t most, std::uint64_t& count) {
        if (stride_ != variable_stride) {
            count = std::min<std::uint64_t>(most, rest_.left() / stride_);
            return rest_.take(count * stride_);
        }
        cursor ahead = rest_;
        for (count = 0; count < most && ahead.left() > 0; ++count) skip_bulk(ahead);
        return rest_.take(rest_.left() - ahead.left());
    }
    std::span<const std::byte> rest() { return rest_.take(rest_.left()); }

private:
    cursor rest_;
    std::uint64_t stride_;
};

}  // namespace procpool::inline v0_1::detail::wire

#endif
