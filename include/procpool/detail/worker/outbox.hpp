// SPDX-License-Identifier: MIT
// Where a worker's finished results wait, safe from its death, until they go into its pipe together.
#ifndef PROCPOOL_DETAIL_WORKER_OUTBOX_HPP
#define PROCPOOL_DETAIL_WORKER_OUTBOX_HPP

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <system_error>

#include "procpool/detail/fence.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/standard_output.hpp"
#include "procpool/detail/wire/codec.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/worker/black_box.hpp"

namespace procpool::detail::worker {

template <class = only_if_used>
class basic_outbox {
public:
    basic_outbox(black_box& box, std::byte* memory, os::fd pipe)
        : box_(box), memory_(memory), pipe_(std::move(pipe)) {}

    /// Adds a result whose bytes are all that there is to it.
    void put_flat(const void* value, std::size_t size) {
        if (!holds(size)) {
            send_large(kind::values, false, size, value, size);
            return;
        }
        open_frame(kind::values, size, size);
        std::memcpy(memory_ + used_, value, size);
        used_ += size;
        commit();
    }

    /// Whether results of this size find room here.
    static constexpr bool holds(std::size_t size) noexcept {
        return sizeof(wire::result_header) + size <= outbox_capacity;
    }

    /// Adds results of one size, as many as there is room for, while nothing else is done here. As
    /// put_flat(), but what is counted may stay in registers.
    template <std::size_t Size>
    class flat_results {
    public:
        explicit flat_results(basic_outbox& to)
            : to_(to),
              room_(to.open_frame(kind::values, Size, Size) / Size),
              at_(to.memory_ + to.used_),
              begin_(to.base_ + to.used_) {}
        flat_results(const flat_results&) = delete;
        flat_results& operator=(const flat_results&) = delete;
        ~flat_results() {
            if (end_ == begin_) return;
            to_.used_ += end_ - begin_;
            to_.results_ += (end_ - begin_) / Size;
            to_.committed_ = end_;
        }

        /// For so many there is room, from the first on; at least for one.
        std::size_t room() const noexcept { return room_; }

        void put(const void* value) noexcept {
            std::memcpy(at_, value, Size);
            at_ += Size;
            end_ += Size;
            to_.box_.committed.store(end_, std::memory_order_release);
        }

    private:
        static_assert(holds(Size));
        basic_outbox& to_;
        const std::size_t room_;
        std::byte* at_;
        const std::uint64_t begin_;  // in the stream
        std::uint64_t end_ = begin_;
    };

    /// Large parts of results go there from now on.
    void use(std::shared_ptr<wire::arena> memory) noexcept { new_large_.memory = std::move(memory); }

    /// Where a result is encoded before put_encoded().
    wire::sink scratch() {
        new_large_.parts.clear();
        if (!pins_.empty()) release_pins(box_.received.load(std::memory_order_acquire));
        return cleared({scratch_, new_pins_, &new_large_});
    }
    /// The same before put_error().
    wire::sink error_scratch() { return cleared({scratch_, new_pins_}); }

    /// Adds what was encoded into scratch().
    void put_encoded() {
        wire::end_sized({scratch_, new_pins_, &new_large_}, begin_);
        const bool pinned = !new_pins_.empty();
        for (auto& object : new_pins_) pins_.push_back({results_, std::move(object)});
        new_pins_.clear();
        // The pool says by itself that it has received them.
        for (auto& part : new_large_.parts) pins_.push_back({results_, std::move(part)});
        new_large_.parts.clear();
        put_sized(wire::result_header::kind::values, pinned);
    }

    /// Adds an error record that was encoded into error_scratch().
    void put_error() {
        wire::end_sized({scratch_, new_pins_}, begin_);
        new_pins_.clear();
        new_large_.parts.clear();
        put_sized(wire::result_header::kind::error, false);
    }

    /// Gives back the memory that is kept for more results.
    void trim() noexcept {
        release_pins(box_.received.load(std::memory_order_acquire));
        if (new_large_.memory) new_large_.memory->trim();
        scratch_ = {};
    }

    bool empty() const noexcept { return used_ == 0; }
    bool half_full() const noexcept { return used_ > outbox_capacity / 2; }

    /// Sends everything; if nobody reads any more the pool is gone, and so is this process.
    void flush() {
        close_frame();
        if (used_ == 0) return;
        send(memory_, used_);
        used_ = 0;
        base_ = committed_;
        box_.base.store(base_, std::memory_order_release);
        // The pool may be reading what lies here: it must see the new base before other bytes.
        fence();
    }

    /// Lets go of what the first `received` results refer to.
    void release_pins(std::uint64_t received) noexcept {
        while (!pins_.empty() && pins_.front().result < received) pins_.pop_front();
    }

private:
    using kind = wire::result_header::kind;

    struct pin {
        std::uint64_t result;
        std::shared_ptr<const void> object;
    };

    wire::sink cleared(wire::sink out) {
        scratch_.clear();
        new_pins_.clear();
        begin_ = wire::begin_sized(out);
        return out;
    }

    void put_sized(kind what, bool pinned) {
        const std::size_t total = scratch_.size();
        if (!holds(total)) {
            send_large(what, pinned, wire::variable_stride, scratch_.data(), total);
            return;
        }
        // Errors and values that refer to something of ours travel in frames of their own.
        const bool alone = what == kind::error || pinned;
        if (alone) close_frame();
        open_frame(what, wire::variable_stride, total);
        if (pinned) header_at_open_frame([](wire::result_header& header) { header.pinned = 1; });
        std::memcpy(memory_ + used_, scratch_.data(), total);
        used_ += total;
        commit();
        if (alone) close_frame();
    }

    /// Makes sure that a frame of this kind is open and has room for `size` more bytes.
    /// @return the room in it
    std::size_t open_frame(kind what, std::uint64_t stride, std::size_t size) {
        if (open_stride_ != stride || used_ + size > room_end_) open_another_frame(what, stride, size);
        return room_end_ - used_;
    }
    // Apart, so that the rest is small enough to become part of its callers.
    [[gnu::noinline]] void open_another_frame(kind what, std::uint64_t stride, std::size_t size) {
        close_frame();
        if (used_ + sizeof(wire::result_header) + size > outbox_capacity) flush();
        const wire::result_header header{.what = what, .sequence = results_, .stride = stride};
        std::memcpy(memory_ + used_, &header, sizeof header);
        open_at_ = used_;
        used_ += sizeof header;
        room_end_ = outbox_capacity;
        open_stride_ = stride;
        box_.open_frame.store(committed_, std::memory_order_release);
    }

    /// A result is complete: from here on it survives this process.
    void commit() noexcept {
        committed_ = base_ + used_;
        box_.committed.store(committed_, std::memory_order_release);
        ++results_;
    }

    template <class Change>
    void header_at_open_frame(Change change) {
        wire::result_header header;
        std::memcpy(&header, memory_ + open_at_, sizeof header);
        change(header);
        std::memcpy(memory_ + open_at_, &header, sizeof header);
    }

    void close_frame() {
        if (room_end_ == 0) return;
        if (used_ == open_at_ + sizeof(wire::result_header))
            used_ = open_at_;  // it was opened for a result that never came
        else
            header_at_open_frame(
                [&](wire::result_header& header) { header.length = used_ - open_at_ - sizeof header; });
        box_.open_frame.store(black_box::no_frame, std::memory_order_release);
        room_end_ = 0;
    }

    void send_large(kind what, bool pinned, std::uint64_t stride, const void* value, std::uint64_t size) {
        flush();
        const wire::result_header header{.what = what,
                                         .pinned = static_cast<std::uint16_t>(pinned),
                                         .sequence = results_,
                                         .stride = stride,
                                         .length = size};
        // The pool counts bytes; these never lie in the outbox.
        base_ += sizeof header + header.length;
        box_.large_end.store(base_, std::memory_order_release);
        send(reinterpret_cast<const std::byte*>(&header), sizeof header);
        send(static_cast<const std::byte*>(value), size);
        committed_ = base_;
        box_.base.store(base_, std::memory_order_release);
        box_.committed.store(committed_, std::memory_order_release);
        ++results_;
    }

    void send(const std::byte* from, std::size_t size) {
        os::flush_standard_output();  // what a task has printed is seen before its result
        try {
            if (os::write_all(pipe_, from, size)) return;
        } catch (const std::system_error& error) {
            // What went out of a frame can't be taken back.
            std::fprintf(stderr, "procpool: a worker ends, since it can't send its results: %s\n",
                         error.what());
        }
        os::exit_process(EXIT_FAILURE);
    }

    black_box& box_;
    std::byte* const memory_;
    os::fd pipe_;
    std::size_t used_ = 0;
    // As in the black box, where a task may write by mistake.
    std::uint64_t base_ = 0;
    std::uint64_t committed_ = 0;
    std::uint64_t results_ = 0;
    std::size_t room_end_ = 0;  // of the frame that is open; 0 if none is
    std::size_t open_at_ = 0;
    std::uint64_t open_stride_ = 0;
    wire::buffer scratch_;   // of one result
    std::size_t begin_ = 0;  // where in it the result begins, behind its size
    wire::pins new_pins_;
    wire::large_parts new_large_;
    std::deque<pin> pins_;
};
using outbox = basic_outbox<>;

}  // namespace procpool::detail::worker

#endif
