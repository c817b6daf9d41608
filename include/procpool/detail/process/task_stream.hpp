// SPDX-License-Identifier: MIT
// The bytes that a worker reads, as they leave the pool: definitions of jobs, elements, and notices.
#ifndef PROCPOOL_DETAIL_PROCESS_TASK_STREAM_HPP
#define PROCPOOL_DETAIL_PROCESS_TASK_STREAM_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/run.hpp"
#include "procpool/detail/scheduler/runs_in_flight.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/wire/sink.hpp"

namespace procpool::inline v0_1::detail::process {

template <class = only_if_used>
class basic_task_stream {
public:
    using announcement = scheduler::announcement;

    basic_task_stream() = default;
    explicit basic_task_stream(os::pipe_ends pipe)
        : pipe_(std::move(pipe.write)), reader_(std::move(pipe.read)) {
        os::set_nonblocking(pipe_);
    }

    const os::fd& pipe() const noexcept { return pipe_; }
    /// The worker's end, held open: a write to a dead worker's pipe then fills it instead of raising SIGPIPE,
    /// whose handling belongs to the user's program.
    const os::fd& reader() const noexcept { return reader_; }
    void close() noexcept {
        pipe_.reset();
        reader_.reset();
    }

    /// Elements of a job, with the job's definition if the worker doesn't know it.
    announcement announce(const scheduler::remote_job& job, scheduler::block& elements,
                          std::uint32_t together) {
        using kind = wire::task_header::kind;
        announcement next = forgotten();
        // What goes directly before the elements.
        std::array<wire::task_header, 2> frames;
        static_assert(sizeof frames == scheduler::block::room_for_frames);
        std::size_t count = 0;
        const std::span<const std::byte> definition = job.definition();
        if (job.once() && same_as_last_once(definition)) {
            frames[count++] = {.what = kind::define_again, .job = job.id};
        } else if (!job.once() && job.shared_definition().part.memory && !knows(job.id)) {
            append_shared(next.head, job);
            known_jobs_.push_back(job.id);
        } else if (!knows(job.id)) {
            next.head.append_value(wire::task_header{.what = job.once() ? kind::define_once : kind::define,
                                                     .job = job.id,
                                                     .length = definition.size()});
            next.head.append(definition.data(), definition.size());
            if (job.once()) {
                last_once_.clear();
                last_once_.append(definition.data(), definition.size());
            } else {
                known_jobs_.push_back(job.id);
            }
        }
        if (!elements.attempts.empty())
            next.head.append_value(
                wire::task_header{.what = kind::attempt, .count = elements.attempts.size() + 1});
        const bool are_calls = job.elements_are_calls();
        frames[count++] = {.what = kind::run,
                           .job = job.id,
                           .count = elements.count,
                           .stride = elements.stride,
                           .length = elements.payload().size(),
                           .call = are_calls ? 0 : job.id,
                           .first = elements.first + (are_calls ? job.id : 0),
                           .together = together,
                           .number = runs_given_++,
                           .timed = what_is_timed(job),
                           .bulk = job.bulk};
        const std::size_t size = count * sizeof(wire::task_header);
        if (elements.begin >= size) {
            std::memcpy(elements.bytes.data() + elements.begin - size, frames.data(), size);
            next.in_front = size;
        } else {
            next.head.append(frames.data(), size);
        }
        return next;
    }
    /// A frame without elements.
    static announcement make_notice(const wire::task_header& header) {
        announcement notice;
        notice.head.append_value(header);
        return notice;
    }

    /// `job` is over: the worker need not keep its callable.
    void forget(std::uint64_t job) {
        const auto at = std::find(known_jobs_.begin(), known_jobs_.end(), job);
        if (at == known_jobs_.end()) return;
        known_jobs_.erase(at);
        to_forget_.push_back(job);
    }
    bool has_to_forget() const noexcept { return !to_forget_.empty(); }
    /// What tells the worker so.
    announcement forgotten() {
        announcement next;
        for (const std::uint64_t id : to_forget_)
            next.head.append_value(wire::task_header{.what = wire::task_header::kind::forget, .job = id});
        to_forget_.clear();
        return next;
    }

    /// Writes what the pipe takes; false if something is left.
    bool write(scheduler::runs_in_flight& work) {
        while (!work.all_sent()) {
            std::array<os::piece, 64> parts;
            std::size_t count = 0;
            work.unsent(parts.size(), [&](std::span<const std::byte> part) {
                parts[count++] = os::make_piece(part.data(), part.size());
            });
            const os::transfer done = os::write_some(pipe_, parts.data(), static_cast<int>(count));
            if (done.would_block) return false;
            written_ += done.bytes;
            work.sent(done.bytes);
        }
        return true;
    }

    /// Bytes that went into the pipe, and those of them that the worker has read.
    std::uint64_t written() const noexcept { return written_; }
    std::uint64_t read() const noexcept {
        const std::uint64_t unread = os::unread(reader_);
        return written_ - std::min(unread, written_);
    }

private:
    static std::uint8_t what_is_timed(const scheduler::remote_job& job) noexcept {
        using header = wire::task_header;
        return static_cast<std::uint8_t>(
            (std::min(job.timeout, job.soft_timeout) != job::no_limit ? header::by_clock : 0) |
            (job.cpu_timeout != job::no_limit ? header::by_cpu_time : 0) |
            (job.observed ? header::noted : 0) | (job.journal ? header::noted | header::kept : 0));
    }
    bool knows(std::uint64_t job) const noexcept {
        return std::find(known_jobs_.begin(), known_jobs_.end(), job) != known_jobs_.end();
    }
    static void append_shared(wire::buffer& to, const scheduler::remote_job& job) {
        const scheduler::task_definition::shared& where = job.shared_definition();
        to.append_value(wire::task_header{.what = wire::task_header::kind::define_shared,
                                          .job = job.id,
                                          .length = sizeof(std::uint64_t) + sizeof where.part.place,
                                          .first = where.begin});
        to.append_value(where.size | wire::lies_in_arena);
        to.append_value(where.part.place);
    }
    bool same_as_last_once(std::span<const std::byte> definition) const noexcept {
        return !definition.empty() && definition.size() == last_once_.size() &&
               std::memcmp(definition.data(), last_once_.data(), definition.size()) == 0;
    }

    os::fd pipe_;
    os::fd reader_;
    std::uint16_t runs_given_ = 0;
    std::uint64_t written_ = 0;
    std::vector<std::uint64_t> known_jobs_;
    std::vector<std::uint64_t> to_forget_;
    wire::buffer last_once_;  // the definition that was sent last for a job of one run
};
using task_stream = basic_task_stream<>;

}  // namespace procpool::inline v0_1::detail::process

#endif
