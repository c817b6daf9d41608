// SPDX-License-Identifier: MIT
// The bytes that a worker sends, as they reach the pool: through its pipe, or straight from its outbox.
#ifndef PROCPOOL_DETAIL_PROCESS_RESULT_STREAM_HPP
#define PROCPOOL_DETAIL_PROCESS_RESULT_STREAM_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "procpool/detail/fence.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/wire/frame_reader.hpp"
#include "procpool/detail/worker/black_box.hpp"

namespace procpool::inline v0_1::detail::process {

template <class = only_if_used>
class basic_result_stream {
public:
    basic_result_stream() = default;
    basic_result_stream(os::fd pipe, const worker::black_box& box, const std::byte* outbox)
        : pipe_(std::move(pipe)), box_(&box), outbox_(outbox) {}

    const os::fd& pipe() const noexcept { return pipe_; }
    void close_pipe() noexcept { pipe_.reset(); }

    /// Reads what is there, up to about `limit` bytes.
    void receive(std::size_t limit) {
        constexpr std::size_t piece = 64 * 1024;
        for (std::size_t total = 0; total < limit;) {
            std::byte* const at = frames_.room(piece);
            const auto got = os::read_some(pipe_, at, piece);
            frames_.filled(got.bytes);
            received_ += got.bytes;
            total += got.bytes;
            ended_ = ended_ || got.closed;
            if (got.bytes < piece) return;
        }
    }

    /// True once there is nothing more to receive: the worker is dead, or lost.
    bool ended() const noexcept { return ended_; }

    /// Bytes that came through the pipe.
    std::uint64_t received() const noexcept { return received_; }
    /// Whether some are there that were not received yet.
    bool has_unread() const noexcept { return !ended_ && os::unread(pipe_) > 0; }

    /// After the worker's death: all that is in the pipe.
    void receive_rest() {
        if (ended_) return;
        do receive(~std::size_t{0});
        while (!ended_ && os::await_remains(pipe_));
    }

    /// Whether the frame that has begun to come is none of what the worker sends: that lies in its outbox, or
    /// is too large for it.
    bool begins_with_garbage() const noexcept {
        const auto begun = frames_.unfinished();
        if (begun.empty()) return false;
        const outbox_state now = read_state();
        const std::uint64_t begin = received_ - begun.size();
        // If it was sent as a whole, the rest of it is in the pipe; or the worker is corrupt in another way.
        if (now.base > begin || received_ <= box_->large_end.load(std::memory_order_acquire)) return false;
        if (received_ > now.committed) return true;
        const std::size_t size = std::min(begun.size(), sizeof(wire::result_header));
        const bool same = std::memcmp(begun.data(), outbox_ + (begin - now.base), size) == 0;
        fence();
        return !same && box_->base.load(std::memory_order_acquire) == now.base;
    }

    /// Whether a part of a frame has come, the rest of which should have been sent at once, and wasn't yet.
    bool has_partial_frame() const noexcept {
        return !frames_.unfinished().empty() && received_ > box_->large_end.load(std::memory_order_acquire) &&
               !has_unread();
    }

    /// Copies what a living worker has put into its outbox and does not send, since it is busy with a slow
    /// element; it will come through the pipe all the same. False if there is nothing new, or not for long.
    bool peek() {
        const outbox_state before = read_state();
        // If the pipe holds something that is not received yet, its turn comes first.
        if (before.base != received_ || !frames_.unfinished().empty() ||
            before.committed <= std::max(before.base, peeked_))
            return false;
        outbox_frames_ = {};
        copy(before, outbox_frames_);
        fence();
        // Nothing was committed meanwhile, so no frame was closed or opened in what was copied.
        if (!(read_state() == before)) return false;
        peeked_ = before.committed;
        return true;
    }
    /// The same after the worker's death: all that its outbox has, whatever of that came through the pipe.
    void take_outbox() {
        const outbox_state left = read_state();
        outbox_frames_ = {};
        copy(left, outbox_frames_);
    }

    wire::frame_reader& frames() noexcept { return frames_; }
    /// What was copied last from the outbox.
    wire::frame_reader& outbox_frames() noexcept { return outbox_frames_; }

private:
    struct outbox_state {
        std::uint64_t base;
        std::uint64_t committed;
        std::uint64_t open_frame;
        friend bool operator==(const outbox_state&, const outbox_state&) = default;
    };

    outbox_state read_state() const noexcept {
        // A worker opens a frame before it commits results, and closes it after that: in this order, what is
        // seen of them belongs together if `committed` stays the same.
        const std::uint64_t committed = box_->committed.load(std::memory_order_acquire);
        const std::uint64_t open = box_->open_frame.load(std::memory_order_acquire);
        const std::uint64_t base = box_->base.load(std::memory_order_acquire);
        // The worker may be corrupt.
        if (committed < base || committed - base > worker::outbox_capacity) return {base, base, open};
        return {base, committed, open};
    }

    void copy(const outbox_state& now, wire::frame_reader& to) const {
        const auto size = static_cast<std::size_t>(now.committed - now.base);
        if (size == 0) return;
        std::byte* const at = to.room(size);
        std::memcpy(at, outbox_, size);
        // The frame that was being filled has no length yet: it ends where the outbox ends.
        if (now.open_frame >= now.base && now.open_frame < now.committed &&
            now.committed - now.open_frame >= sizeof(wire::result_header)) {
            wire::result_header header;
            std::byte* const header_at = at + (now.open_frame - now.base);
            std::memcpy(&header, header_at, sizeof header);
            header.length = now.committed - now.open_frame - sizeof header;
            std::memcpy(header_at, &header, sizeof header);
        }
        to.filled(size);
    }

    os::fd pipe_;
    const worker::black_box* box_ = nullptr;
    const std::byte* outbox_ = nullptr;
    wire::frame_reader frames_;
    wire::frame_reader outbox_frames_;
    std::uint64_t received_ = 0;  // bytes of the stream
    std::uint64_t peeked_ = 0;    // the stream's position where the last peek ended
    bool ended_ = false;
};
using result_stream = basic_result_stream<>;

}  // namespace procpool::inline v0_1::detail::process

#endif
