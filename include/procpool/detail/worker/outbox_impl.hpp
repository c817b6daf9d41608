// SPDX-License-Identifier: MIT
// What an outbox does with large results, with full frames, and with its pipe.
#ifndef PROCPOOL_DETAIL_WORKER_OUTBOX_IMPL_HPP
#define PROCPOOL_DETAIL_WORKER_OUTBOX_IMPL_HPP

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

#include "procpool/detail/fence.hpp"
#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/standard_output.hpp"
#include "procpool/detail/wire/arena.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/detail/worker/black_box.hpp"
#include "procpool/detail/worker/outbox.hpp"

namespace procpool::inline v0_1::detail::worker {

template <class Mark>
wire::sink basic_outbox<Mark>::scratch() {
    new_large_.parts.clear();
    if (!pins_.empty()) release_pins(box_.received.load(std::memory_order_acquire));
    return cleared({scratch_, new_pins_, inner_.memory ? &inner_ : &new_large_});
}

// For each result that isn't plain data: inline, as the end of an element is.
template <class Mark>
inline void basic_outbox<Mark>::put_encoded() {
    wire::end_sized({scratch_, new_pins_, &new_large_}, begin_);
    const bool pinned = !new_pins_.empty();
    for (auto& object : new_pins_) pins_.push_back({results_, std::move(object)});
    new_pins_.clear();
    // The pool says by itself that it has received them.
    for (auto& part : new_large_.parts) pins_.push_back({results_, std::move(part)});
    new_large_.parts.clear();
    put_sized(wire::result_header::kind::values, pinned);
}

template <class Mark>
void basic_outbox<Mark>::put_error() {
    wire::end_sized({scratch_, new_pins_}, begin_);
    new_pins_.clear();
    new_large_.parts.clear();
    put_sized(wire::result_header::kind::error, false);
}

template <class Mark>
void basic_outbox<Mark>::trim() noexcept {
    release_pins(box_.received.load(std::memory_order_acquire));
    if (new_large_.memory) new_large_.memory->trim();
    scratch_ = {};
}

template <class Mark>
void basic_outbox<Mark>::flush() {
    close_frame();
    if (used_ == 0) return;
    send(memory_, used_);
    used_ = 0;
    base_ = committed_;
    box_.base.store(base_, std::memory_order_release);
    // The pool may be reading what lies here: it must see the new base before other bytes.
    fence();
}

template <class Mark>
void basic_outbox<Mark>::release_pins(std::uint64_t received) noexcept {
    while (!pins_.empty() && pins_.front().result < received) pins_.pop_front();
}

template <class Mark>
wire::sink basic_outbox<Mark>::cleared(wire::sink out) {
    scratch_.clear();
    new_pins_.clear();
    begin_ = wire::begin_sized(out);
    return out;
}

template <class Mark>
inline void basic_outbox<Mark>::put_sized(kind what, bool pinned) {
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

template <class Mark>
void basic_outbox<Mark>::open_another_frame(kind what, std::uint64_t stride, std::size_t size) {
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

template <class Mark>
void basic_outbox<Mark>::close_frame() {
    if (room_end_ == 0) return;
    if (used_ == open_at_ + sizeof(wire::result_header))
        used_ = open_at_;  // it was opened for a result that never came
    else
        header_at_open_frame(
            [&](wire::result_header& header) { header.length = used_ - open_at_ - sizeof header; });
    box_.open_frame.store(black_box::no_frame, std::memory_order_release);
    room_end_ = 0;
}

template <class Mark>
void basic_outbox<Mark>::send_large(kind what, bool pinned, std::uint64_t stride, const void* value,
                                    std::uint64_t size) {
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

template <class Mark>
void basic_outbox<Mark>::send(const std::byte* from, std::size_t size) {
    os::flush_standard_output();  // what a task has printed is seen before its result
    if (reader_) {
        std::memcpy(reader_->room(size), from, size);
        reader_->filled(size);
        return;
    }
    try {
        if (os::write_all(pipe_, from, size)) return;
    } catch (const std::system_error& error) {
        // What went out of a frame can't be taken back.
        std::fprintf(stderr, "procpool: a worker ends, since it can't send its results: %s\n", error.what());
    }
    os::exit_process(EXIT_FAILURE);
}

}  // namespace procpool::inline v0_1::detail::worker

#endif
