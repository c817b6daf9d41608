// SPDX-License-Identifier: MIT
// The pool's end of one worker: its pipes and its piece of memory, and what comes back through them.
#ifndef PROCPOOL_DETAIL_PROCESS_WORKER_LINK_HPP
#define PROCPOOL_DETAIL_PROCESS_WORKER_LINK_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/cpu_time.hpp"
#include "procpool/detail/os/futex.hpp"
#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/process_memory.hpp"
#include "procpool/detail/process/result_stream.hpp"
#include "procpool/detail/process/signs_of_life.hpp"
#include "procpool/detail/process/task_stream.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/peer.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/run.hpp"
#include "procpool/detail/wire/element_times.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/wire/frame_reader.hpp"
#include "procpool/detail/worker/black_box.hpp"

namespace procpool::inline v0_1::detail::process {

template <class = only_if_used>
class basic_worker_link final : public scheduler::peer {
public:
    std::uint64_t serial = 0;
    long pid = 0;                 // as the zygote tells it: may be signalled
    std::uint64_t zygote = 0;     // which one forked it
    std::uint64_t lost_at = 0;    // when that was lost, in the kernel's ticks; 0 while it wasn't
    std::int64_t asked_at = 0;    // when it was asked for, in steady ns
    bool watching_tasks = false;  // its task pipe is full
    bool results_ended = false;   // its result pipe has
    bool finalized = false;       // it has got the pool's finalizer
    /// By then it must have run that, whether or not it has begun.
    steady_time finalized_by = steady_time::max();
    std::optional<os::exit_status> exit;  // how it ended, once it is dead
    /// What the zygote tells of a death.
    struct {
        std::uint64_t peak_memory = 0;
        bool out_of_memory = false;
        std::string error_output;
    } remains;

    /// Begins anew with a worker that is about to start, and puts large results into `room`.
    /// @return the end of its result pipe that is the worker's.
    os::fd connect(std::byte* memory, const worker::arena_room& room = {}) {
        os::pipe_ends tasks = os::make_pipe();
        os::pipe_ends results = os::make_pipe();
        os::set_nonblocking(results.read);
        task_stream down(std::move(tasks));
        const std::uint32_t place = index;
        *this = basic_worker_link();
        index = place;
        asked_at = steady_ns();
        tasks_ = std::move(down);
        box_ = new (memory) worker::black_box;
        box_->room = room;
        stream_ = result_stream(std::move(results.read), *box_, memory + worker::outbox_offset);
        begin(box_->told,
              std::launder(reinterpret_cast<const wire::element_times*>(memory + worker::times_offset)));
        return std::move(results.write);
    }
    void die_with(const os::exit_status& how) {
        exit = how;
        die();
    }

    const os::fd& tasks_reader() const noexcept { return tasks_.reader(); }
    const os::fd& tasks() const noexcept { return tasks_.pipe(); }
    const os::fd& results() const noexcept { return stream_.pipe(); }
    const worker::black_box& box() const noexcept { return *box_; }
    /// So far: what was written for it, with the large arguments in shared memory.
    std::uint64_t bytes_sent() const noexcept { return tasks_.written() + work().large_bytes(); }
    std::uint64_t bytes_received() const noexcept { return stream_.received(); }
    bool has_arena_memory() const noexcept { return box_->arena_bytes.load(std::memory_order_acquire) != 0; }
    /// Whether it runs, or has run, what comes before anything else.
    bool is_ready() const noexcept { return box_->told.ready.load(std::memory_order_acquire) != 0; }
    /// Why its preload has failed, which it has run itself; empty if it hasn't.
    std::string preload_problem() const {
        if (box_->preload_failed.load(std::memory_order_acquire) == 0) return {};
        const auto* const text = reinterpret_cast<const char*>(box_) + worker::outbox_offset;
        return {text, ::strnlen(text, worker::longest_preload_problem)};
    }
    /// For messages; a result can be quicker than the zygote's news.
    long told_pid() const noexcept {
        return pid != 0 ? pid : os::to_pid(box_->told.pid.load(std::memory_order_relaxed));
    }

    /// Whether its zygote was asked for it and hasn't reported its birth.
    bool is_unreported() const noexcept { return pid == 0 && !is(scheduler::peer_state::absent); }
    /// Whether its zygote is to tell of its birth or its death.
    bool awaits_news() const noexcept {
        return is_alive() && (!has_started() || !tasks() || is(scheduler::peer_state::terminating) ||
                              is(scheduler::peer_state::draining));
    }

    void disconnect() noexcept {
        tasks_.close();
        stream_.close_pipe();
    }
    /// The worker finds the end of its input, and leaves.
    void end_input() noexcept { tasks_.close(); }

    // ---- sending

    void give(std::shared_ptr<scheduler::remote_job> job, scheduler::block&& elements,
              std::uint32_t together = 1) override {
        taken += elements.count;
        keeps_all = false;
        scheduler::announcement frames = tasks_.announce(*job, elements, together);
        books().add(std::move(job), std::move(elements), std::move(frames));
    }
    std::vector<scheduler::returned> recall() override {
        std::vector<scheduler::returned> back = books().recall(box_->told.recall());
        for (const scheduler::returned& one : back) taken -= one.elements.count;
        signs_.owe_at_most(work().results() + work().elements());
        add_notice({.what = wire::task_header::kind::recalled, .count = ++recalls_});
        return back;
    }

    /// `job` is over: the worker need not keep its callable.
    void forget(std::uint64_t job) { tasks_.forget(job); }
    /// Tells a worker at once that has nothing else to read for now. True if there is something to send.
    bool send_forgotten() {
        if (!tasks_.has_to_forget() || work().elements() > 0) return false;
        books().add(tasks_.forgotten());
        return true;
    }
    /// Tells the worker that what it holds for us was received.
    void send_release() { add_notice({.what = wire::task_header::kind::release, .count = work().results()}); }
    /// Tells a worker that has nothing to do to give back memory that it keeps. True if there is something to
    /// send.
    bool send_trim() {
        if (work().elements() > 0) return false;
        add_notice({.what = wire::task_header::kind::trim});
        return true;
    }
    /// What the results so far refer to isn't needed any more.
    void acknowledge() noexcept {
        if (box_->received.load(std::memory_order_relaxed) != work().results())
            box_->received.store(work().results(), std::memory_order_release);
    }

    /// Writes what the pipe takes; false if something is left.
    bool write() { return tasks_.write(books()); }

    void want_trace() noexcept override { box_->crash.wanted.store(1, std::memory_order_release); }

    std::optional<std::chrono::nanoseconds> cpu_time_of(const running& element) override {
        const auto now = os::cpu_time_of(told_pid());
        if (!now) return std::nullopt;
        // It may have made up what it had taken when the element began: then it counts from the first look.
        if (std::exchange(looked_at_, element.number) != element.number) cpu_at_first_look_ = *now;
        const std::chrono::nanoseconds told(box_->told.cpu_at_begin.load(std::memory_order_relaxed));
        return *now - std::clamp(told, std::chrono::nanoseconds(0), cpu_at_first_look_);
    }

    std::optional<memory_state> memory() const override {
        const long process = told_pid();
        const auto found = process != 0 ? os::resident_memory_of(process) : std::nullopt;
        if (!found) return std::nullopt;
        return memory_state{process, found->now, found->peak};
    }
    void forget_peak() override { os::forget_peak_memory(told_pid()); }

    // ---- its signs of life, for the health check

    bool is_quiet(steady_time now) noexcept { return signs_.is_quiet(box_->told, stream_, tasks_, now); }
    std::chrono::nanoseconds quiet_for(steady_time now) const noexcept { return signs_.quiet_for(now); }
    std::int64_t quiet_since() const noexcept override { return signs_.quiet_since(box_->told, collected_); }
    /// For how long it could have sent the rest of a frame, a part of which has come.
    std::chrono::nanoseconds withholds_frame_for(steady_time now) {
        return signs_.withholds_for(stream_, pid, now);
    }
    /// Probes a worker that has read all that it was sent. True if there is something to send.
    bool send_probe() {
        if (signs_.is_probed() || !work().all_sent() || tasks_.read() < tasks_.written()) return false;
        add_notice({.what = wire::task_header::kind::probe});
        signs_.probe(tasks_.written() + sizeof(wire::task_header), work().results() + work().elements());
        return true;
    }
    bool owes_after_probe() noexcept { return signs_.owes_after_probe(stream_, tasks_, work()); }

    // ---- receiving: by the thread that drives, without the lock

    void receive(std::size_t limit) { stream_.receive(limit); }
    void receive_rest() { stream_.receive_rest(); }

    // ---- what came: with the lock held

    /// True once there is nothing more to receive: the worker is dead, or lost.
    bool ended() const noexcept { return stream_.ended(); }

    /// Turns complete frames into deliveries. @throws wire::protocol_error for nonsense.
    void collect(std::vector<scheduler::delivery>& into) {
        collected_ = stream_.received();
        try {
            collect(stream_.frames(), received_results_, into);
        } catch (const SerializationError&) {
            stream_.frames().reject();
            throw;
        }
    }
    /// @throws wire::protocol_error if the frame that has begun to come is none
    void check_unfinished() const {
        if (stream_.begins_with_garbage()) throw wire::protocol_error(no_frame);
    }

    bool collect_early(std::vector<scheduler::delivery>& into) override {
        if (!stream_.peek()) return false;
        std::uint64_t position = received_results_;
        collect(stream_.outbox_frames(), position, into);
        return true;
    }

    /// After its death: what the pipe has brought, between garbage, too, and then what its outbox has.
    /// @return what was wrong with that
    std::optional<std::string> collect_remains(std::vector<scheduler::delivery>& into) {
        std::optional<std::string> wrong;
        const auto try_to_collect = [&](wire::frame_reader& frames, std::uint64_t& position) {
            try {
                collect(frames, position, into);
            } catch (const SerializationError& error) {
                frames.reject();
                if (!wrong) wrong = error.what();
            }
        };
        try_to_collect(stream_.frames(), received_results_);
        // A part of a frame is in the outbox as a whole, or its result was too large for that and is lost.
        while (stream_.frames().skip_to(received_results_)) {
            if (!wrong) wrong = no_frame;
            try_to_collect(stream_.frames(), received_results_);
        }
        stream_.take_outbox();
        std::uint64_t position = stream_.outbox_frames().next_sequence();
        if (position <= work().results()) try_to_collect(stream_.outbox_frames(), position);
        return wrong;
    }

    /// True once if a result that was collected refers to something that the worker holds.
    bool take_pinned() noexcept { return std::exchange(pinned_results_, false); }

private:
    void tell_to_stop(std::uint64_t begun) override {
        box_->stop_asked.store(static_cast<std::uint32_t>(begun), std::memory_order_release);
        os::futex_wake(box_->stop_asked);
    }

    static constexpr const char* no_frame = "procpool: a worker sent bytes that are no frame";

    void add_notice(const wire::task_header& header) { books().add(task_stream::make_notice(header)); }

    /// `position` is the number of results before the next frame. What was collected early is skipped.
    void collect(wire::frame_reader& frames, std::uint64_t& position,
                 std::vector<scheduler::delivery>& into) {
        while (const auto frame = frames.next()) {
            if (frame->header.sequence != position)
                throw wire::protocol_error("procpool: a worker's results are out of step");
            if (frame->header.what == wire::result_header::kind::values)
                collect_values(*frame, position, into);
            else if (position++ >= work().results())
                take_error(wire::cursor(frame->payload).sized(), told_pid(), into);
        }
    }

    void collect_values(const wire::frame_reader::frame& frame, std::uint64_t& position,
                        std::vector<scheduler::delivery>& into) {
        const std::uint64_t stride = frame.header.stride;
        if (stride != wire::variable_stride) {
            if (frame.payload.size() % stride != 0)
                throw wire::protocol_error("procpool: a worker's frame ends inside a result");
            // None of them can be trusted.
            if (position + frame.payload.size() / stride > work().results() + work().elements())
                throw wire::protocol_error("procpool: a worker sent more results than it was given elements");
        }
        wire::element_reader rest(frame.payload, stride);
        if (position < work().results()) {
            std::uint64_t known = 0;
            rest.next_run(work().results() - position, known);
            position += known;
        }
        if (!rest.done() && frame.header.pinned != 0) pinned_results_ = true;
        const std::uint64_t before = work().results();
        try {
            take_values(rest, stride, into);
        } catch (...) {
            position += work().results() - before;
            throw;
        }
        position += work().results() - before;
    }

    task_stream tasks_;
    result_stream stream_;
    worker::black_box* box_ = nullptr;
    signs_of_life signs_;
    std::uint64_t received_results_ = 0;  // results that came through the pipe
    std::uint64_t collected_ = 0;  // bytes received before the last collect(); others may ask while some come
    bool pinned_results_ = false;
    std::uint64_t recalls_ = 0;
    std::uint64_t looked_at_ = ~std::uint64_t{0};  // the last element whose CPU time was asked for
    std::chrono::nanoseconds cpu_at_first_look_{0};
};
using worker_link = basic_worker_link<>;

}  // namespace procpool::inline v0_1::detail::process

#endif
