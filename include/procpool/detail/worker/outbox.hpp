// SPDX-License-Identifier: MIT
// Where a worker's finished results wait, safe from its death, until they go into its pipe together.
#ifndef PROCPOOL_DETAIL_WORKER_OUTBOX_HPP
#define PROCPOOL_DETAIL_WORKER_OUTBOX_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <utility>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/wire/frame_reader.hpp"
#include "procpool/detail/wire/other_machines.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/detail/worker/black_box.hpp"

namespace procpool::inline v0_1::detail::worker {

/// What is not done for each result is defined in outbox_impl.hpp.
template <class = only_if_used>
class basic_outbox {
public:
    basic_outbox(black_box& box, std::byte* memory, os::fd pipe)
        : box_(box), memory_(memory), pipe_(std::move(pipe)) {}
    /// Of tasks that run in the program itself, where `reader` gets the results.
    basic_outbox(black_box& box, std::byte* memory, wire::frame_reader& reader)
        : box_(box), memory_(memory), reader_(&reader) {}

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

    /// Results go to another machine from now on, where no place in an arena means anything: only a result as
    /// a whole lies there, which the pool takes out.
    void serve_other_machine() { inner_.memory = wire::other_machines(); }

    /// The same for the next results if they are to outlive the program.
    void keep_results(bool are_kept) {
        if (are_kept == results_are_kept_) return;
        results_are_kept_ = are_kept;
        inner_.memory = are_kept ? wire::other_machines() : nullptr;
    }

    /// Where a result is encoded before put_encoded().
    wire::sink scratch();
    /// The same before put_error().
    wire::sink error_scratch() { return cleared({scratch_, new_pins_, inner_.memory ? &inner_ : nullptr}); }

    /// Adds what was encoded into scratch().
    void put_encoded();

    /// Adds an error record that was encoded into error_scratch().
    void put_error();

    /// Gives back the memory that is kept for more results.
    void trim() noexcept;

    bool empty() const noexcept { return used_ == 0; }
    bool half_full() const noexcept { return used_ > outbox_capacity / 2; }

    /// Sends everything; if nobody reads any more the pool is gone, and so is this process.
    void flush();

    /// Lets go of what the first `received` results refer to.
    void release_pins(std::uint64_t received) noexcept;

private:
    using kind = wire::result_header::kind;

    struct pin {
        std::uint64_t result;
        std::shared_ptr<const void> object;
    };

    wire::sink cleared(wire::sink out);

    void put_sized(kind what, bool pinned);

    /// Makes sure that a frame of this kind is open and has room for `size` more bytes.
    /// @return the room in it
    std::size_t open_frame(kind what, std::uint64_t stride, std::size_t size) {
        if (open_stride_ != stride || used_ + size > room_end_) open_another_frame(what, stride, size);
        return room_end_ - used_;
    }
    // Apart, so that the rest is small enough to become part of its callers.
    [[gnu::noinline]] void open_another_frame(kind what, std::uint64_t stride, std::size_t size);

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

    void close_frame();

    void send_large(kind what, bool pinned, std::uint64_t stride, const void* value, std::uint64_t size);

    void send(const std::byte* from, std::size_t size);

    black_box& box_;
    std::byte* const memory_;
    os::fd pipe_;
    wire::frame_reader* reader_ = nullptr;  // in place of the pipe
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
    wire::large_parts inner_;  // other_machines(), if results go there: what is in them stays in them
    bool results_are_kept_ = false;
    std::deque<pin> pins_;
};
using outbox = basic_outbox<>;

}  // namespace procpool::inline v0_1::detail::worker

#endif
