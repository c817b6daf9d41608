// SPDX-License-Identifier: MIT
// Frames out of the bytes that come from a worker.
#ifndef PROCPOOL_DETAIL_WIRE_FRAME_READER_HPP
#define PROCPOOL_DETAIL_WIRE_FRAME_READER_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::wire {

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

}  // namespace procpool::inline v0_1::detail::wire

#endif
