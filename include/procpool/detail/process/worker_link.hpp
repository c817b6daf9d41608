// SPDX-License-Identifier: MIT
// The pool's end of one worker: its pipes, what is sent to it, what comes back.
#ifndef PROCPOOL_DETAIL_PROCESS_WORKER_LINK_HPP
#define PROCPOOL_DETAIL_PROCESS_WORKER_LINK_HPP

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/process_identity.hpp"
#include "procpool/detail/process/result_stream.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/run.hpp"
#include "procpool/detail/scheduler/runs_in_flight.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/worker/black_box.hpp"

namespace procpool::detail::process {

template <class = only_if_used>
class basic_worker_link {
public:
    enum class state { down, starting, up };

    state now = state::down;
    std::uint64_t serial = 0;
    long pid = 0;                         // as the zygote tells it: may be signalled
    std::uint64_t taken = 0;              // elements that it was given since its start
    std::uint64_t zygote = 0;             // which one forked it
    bool watching_tasks = false;          // its task pipe is full
    std::optional<os::exit_status> exit;  // it has died; what it left behind is still to be taken
    bool results_ended = false;           // its result pipe has ended
    std::optional<std::string> corrupt;   // why it must be killed

    /// It was told to end, for the sake of one element.
    struct termination {
        enum class reason { timeout, cancelled } why{};
        std::uint64_t element = 0;  // its number, as in `running`
        steady_time kill_at;        // it has so long to end by itself
    };
    std::optional<termination> terminating;
    bool stalled = false;    // its element takes long: it gets no others until it has gone on
    bool keeps_all = false;  // nothing can be taken back from it until then
    /// What the zygote tells of a death.
    struct {
        std::uint64_t peak_memory = 0;
        bool out_of_memory = false;
        std::string error_output;
    } remains;
    steady_time check_at = steady_time::max();  // when to look at what it does
    unsigned idle_checks = 0;                   // one after the other that have seen nothing new

    /// Begins anew with a worker that is about to start.
    /// @return the end of its result pipe that is the worker's.
    os::fd connect(std::byte* memory) {
        os::pipe_ends tasks = os::make_pipe();
        os::pipe_ends results = os::make_pipe();
        os::set_nonblocking(tasks.write);
        os::set_nonblocking(results.read);
        *this = basic_worker_link();
        now = state::starting;
        tasks_ = std::move(tasks.write);
        // Held open: a write to a dead worker's pipe then fills it instead of raising SIGPIPE, whose
        // handling belongs to the user's program.
        tasks_reader_ = std::move(tasks.read);
        box_ = new (memory) worker::black_box;
        stream_ = result_stream(std::move(results.read), *box_, memory + worker::outbox_offset);
        return std::move(results.write);
    }
    const os::fd& tasks_reader() const noexcept { return tasks_reader_; }
    const os::fd& tasks() const noexcept { return tasks_; }
    const os::fd& results() const noexcept { return stream_.pipe(); }
    const worker::black_box& box() const noexcept { return *box_; }
    bool has_arena_memory() const noexcept { return box_->arena_bytes.load(std::memory_order_acquire) != 0; }
    /// What it has got.
    const scheduler::runs_in_flight& work() const noexcept { return work_; }
    /// For messages; a result can be quicker than the zygote's news.
    long told_pid() const noexcept { return pid != 0 ? pid : box_->pid.load(std::memory_order_relaxed); }

    void disconnect() noexcept {
        tasks_.reset();
        stream_.close_pipe();
        tasks_reader_.reset();
    }
    /// The worker finds the end of its input, and leaves.
    void end_input() noexcept {
        tasks_.reset();
        tasks_reader_.reset();
    }

    // ---- sending

    /// So many of the elements can be taken back only `together`.
    void give(std::shared_ptr<scheduler::remote_job> job, scheduler::block&& elements,
              std::uint32_t together = 1) {
        using kind = wire::task_header::kind;
        scheduler::run next;
        for (const std::uint64_t id : to_forget_)
            next.head.append_value(wire::task_header{.what = kind::forget, .job = id});
        to_forget_.clear();
        // What goes directly before the elements.
        std::array<wire::task_header, 2> frames;
        static_assert(sizeof frames == scheduler::block::room_for_frames);
        std::size_t count = 0;
        const wire::buffer& definition = job->definition();
        if (job->once() && same_as_last_once(definition)) {
            frames[count++] = {.what = kind::define_again, .job = job->id};
        } else if (!knows(job->id)) {
            next.head.append_value(wire::task_header{.what = job->once() ? kind::define_once : kind::define,
                                                     .job = job->id,
                                                     .length = definition.size()});
            next.head.append(definition.data(), definition.size());
            if (job->once()) {
                last_once_.clear();
                last_once_.append(definition.data(), definition.size());
            } else {
                known_jobs_.push_back(job->id);
            }
        }
        frames[count++] = {.what = kind::run,
                           .job = job->id,
                           .count = elements.count,
                           .stride = elements.stride,
                           .length = elements.payload().size(),
                           .together = together,
                           .number = runs_given_++,
                           .timed = job->timeout != job::no_limit,
                           .bulk = job->bulk};
        const std::size_t size = count * sizeof(wire::task_header);
        if (elements.begin >= size) {
            std::memcpy(elements.bytes.data() + elements.begin - size, frames.data(), size);
            next.in_front = size;
        } else {
            next.head.append(frames.data(), size);
        }
        taken += elements.count;
        keeps_all = false;
        next.job = std::move(job);
        next.elements = std::move(elements);
        work_.add(std::move(next));
    }

    /// `job` is over: the worker need not keep its callable.
    void forget(std::uint64_t job) {
        const auto at = std::find(known_jobs_.begin(), known_jobs_.end(), job);
        if (at == known_jobs_.end()) return;
        known_jobs_.erase(at);
        to_forget_.push_back(job);
    }

    /// Tells a worker at once that has nothing else to read for now. True if there is something to send.
    bool send_forgotten() {
        if (to_forget_.empty() || work_.elements() > 0) return false;
        scheduler::run next;
        for (const std::uint64_t id : to_forget_)
            next.head.append_value(wire::task_header{.what = wire::task_header::kind::forget, .job = id});
        to_forget_.clear();
        work_.add(std::move(next));
        return true;
    }

    /// So many elements are worth a message of their own.
    static constexpr std::uint64_t min_batch = 64;
    /// Whether so little is unsent that it is better sent with more.
    bool below_min_batch() const noexcept { return work_.unsent_elements() < min_batch; }

    /// Writes what the pipe takes; false if something is left.
    bool send() {
        while (!work_.all_sent()) {
            std::array<iovec, 64> parts;
            const std::size_t count = work_.unsent(parts);
            const os::transfer done = os::write_some(tasks_, parts.data(), static_cast<int>(count));
            if (done.would_block) return false;
            sent_ += done.bytes;
            work_.sent(done.bytes);
        }
        return true;
    }

    /// Tells the worker that what it holds for us was received.
    void send_release() {
        scheduler::run release;
        release.head.append_value(
            wire::task_header{.what = wire::task_header::kind::release, .count = work_.results()});
        work_.add(std::move(release));
    }

    /// Tells a worker that has nothing to do to give back memory that it keeps. True if there is something to
    /// send.
    bool send_trim() {
        if (work_.elements() > 0) return false;
        scheduler::run trim;
        trim.head.append_value(wire::task_header{.what = wire::task_header::kind::trim});
        work_.add(std::move(trim));
        return true;
    }

    /// What the results so far refer to isn't needed any more.
    void acknowledge() noexcept {
        if (box_->received.load(std::memory_order_relaxed) != work_.results())
            box_->received.store(work_.results(), std::memory_order_release);
    }

    // ---- whether it waits although it owes results, which nothing in its memory can be trusted to tell

    /// Whether it has sent nothing and begun nothing since the last call, though it has started.
    bool is_quiet(steady_time time) noexcept {
        const std::uint64_t begun = box_->begun.load(std::memory_order_acquire);
        const bool same = quiet_.received == stream_.received() && quiet_.begun == begun;
        quiet_.received = stream_.received();
        quiet_.begun = begun;
        if (!same || os::unread(tasks_reader_) >= sent_) {
            quiet_.since = 0;
            rest_ = {};
        } else if (quiet_.since == 0) {
            quiet_.since = time.time_since_epoch().count();
        }
        return quiet_.since != 0;
    }
    /// If a part of a frame has come and it gives no sign: for how long it could have sent the rest, as far
    /// as looks by this function tell. Who sends doesn't sleep, since the pipe has room; and it can't send
    /// while it is stopped or waits for a CPU. But who sleeps again and again may be seen between that, so to
    /// wait counts a little.
    std::chrono::nanoseconds kept_back_a_rest(steady_time time) {
        if (!stream_.has_partial_frame()) {
            rest_ = {};
            return {};
        }
        const os::main_thread_state sender = os::look_at_main_thread(pid);
        const os::main_thread_state before = std::exchange(rest_.sender, sender);
        const steady_time since = std::exchange(rest_.looked_at, time);
        if (since == steady_time() || sender.stopped || before.stopped) return rest_.kept_back;
        const std::chrono::nanoseconds passed = time - since;
        rest_.kept_back +=
            sender.waits || before.waits ? std::max(sender.cpu_time - before.cpu_time, passed / 10) : passed;
        return rest_.kept_back;
    }
    /// For how long it has given no sign.
    std::chrono::nanoseconds quiet_for(steady_time time) const noexcept {
        return time.time_since_epoch() - std::chrono::nanoseconds(quiet_.since);
    }

    /// Asks one that has read all that it was sent: when it has read this, it has answered what came before.
    /// True if there is something to send.
    bool send_probe() {
        if (probe_.end != 0 || !work_.all_sent() || os::unread(tasks_reader_) > 0) return false;
        scheduler::run probe;
        probe.head.append_value(wire::task_header{.what = wire::task_header::kind::probe});
        probe_ = {sent_ + probe.head.size(), work_.results() + work_.elements()};
        work_.add(std::move(probe));
        return true;
    }
    /// Whether it has read the question, and didn't answer all that came before.
    bool owes_after_probe() noexcept {
        const std::uint64_t unread = os::unread(tasks_reader_);
        if (probe_.end == 0 || unread > sent_ || sent_ - unread < probe_.end) return false;
        if (stream_.has_unread()) return false;  // it may be the answer
        return work_.results() < std::exchange(probe_, {}).results;
    }

    /// Whether what it tells of its elements can be.
    bool tells_the_possible() const noexcept {
        const std::uint64_t ended = box_->ended.load(std::memory_order_acquire);
        const std::uint64_t begun = box_->begun.load(std::memory_order_acquire);
        const std::uint64_t claimed = box_->claimed();
        return ended <= begun && work_.results() <= begun && begun <= claimed &&
               claimed <= work_.results() + work_.elements();
    }

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

    /// Takes results early that the worker holds back while a slow element runs; false if there are none.
    bool collect_early(std::vector<scheduler::delivery>& into) {
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
        if (position <= work_.results()) try_to_collect(stream_.outbox_frames(), position);
        return wrong;
    }

    /// Elements that are to be run once more, since they threw and their job asks for that.
    std::vector<scheduler::returned> take_second_tries() noexcept { return std::exchange(second_tries_, {}); }

    /// True once if a result that was collected refers to something that the worker holds.
    bool take_pinned() noexcept { return std::exchange(pinned_results_, false); }

    /// Time and number of elements ended since the last call.
    std::pair<double, double> take_timing() noexcept {
        const std::uint64_t ended = box_->ended.load(std::memory_order_acquire);
        const std::int64_t busy = box_->busy_ns.load(std::memory_order_relaxed);
        // As doubles: a corrupt worker's times may be any, and their difference none.
        const std::pair<double, double> since{static_cast<double>(busy) - static_cast<double>(busy_seen_),
                                              static_cast<double>(ended - ended_seen_)};
        busy_seen_ = busy;
        ended_seen_ = ended;
        return since;
    }

    // ---- what it is doing

    using running = scheduler::runs_in_flight::running;

    /// Whether it says that it runs an element.
    bool says_it_runs() const noexcept {
        // In this order: what is seen to have ended has begun.
        const std::uint64_t ended = box_->ended.load(std::memory_order_acquire);
        return ended < box_->begun.load(std::memory_order_acquire);
    }

    /// What runs now; nothing between two elements.
    std::optional<running> now_running() {
        const std::uint64_t begun = box_->begun.load(std::memory_order_acquire);
        std::int64_t since = box_->begun_at.load(std::memory_order_relaxed);
        const bool runs = begun != 0 && box_->ended.load(std::memory_order_acquire) < begun;
        // Where nothing happens any more, the results of those before have come.
        const bool still = quiet_.since != 0 && quiet_.begun == begun && quiet_.received == collected_;
        if (still && (!runs || begun - 1 != work_.results())) return work_.at(work_.results(), quiet_.since);
        if (!runs) return std::nullopt;
        if (begun == begun_seen_) since = std::min(since, begun_before_);
        return work_.at(begun - 1, std::max(since, begun_after_));
    }

    /// The element whose result comes next.
    std::optional<running> first_unanswered() { return work_.at(work_.results(), 0); }

    /// Whether it has begun another element since the last call.
    bool progresses(steady_time time) noexcept {
        const std::uint64_t begun = box_->begun.load(std::memory_order_acquire);
        const bool changed = begun != std::exchange(begun_seen_, begun);
        const std::int64_t before = std::exchange(checked_at_, time.time_since_epoch().count());
        if (changed) {
            begun_after_ = before;
            begun_before_ = checked_at_;
        }
        return changed;
    }

    /// Takes back all elements that the worker has not claimed: it will skip them.
    std::vector<scheduler::returned> recall() {
        std::vector<scheduler::returned> back = work_.recall(box_->recall());
        for (const scheduler::returned& one : back) taken -= one.elements.count;
        probe_.results = std::min(probe_.results, work_.results() + work_.elements());
        scheduler::run notice;
        notice.head.append_value(
            wire::task_header{.what = wire::task_header::kind::recalled, .count = ++recalls_});
        work_.add(std::move(notice));
        return back;
    }

    // ---- after its death

    /// The element that was being executed; of a corrupt worker also those that had begun before and whose
    /// results are lost, one after the other as they are taken. If it can't be known, the first without
    /// result.
    std::optional<running> interrupted() {
        const bool was_ended_for_it = terminating && terminating->element == work_.results();
        if (knows_what_began() && box_->begun.load(std::memory_order_acquire) <= work_.results() &&
            !was_ended_for_it)
            return std::nullopt;
        return work_.at(work_.results(), box_->begun_at.load(std::memory_order_relaxed));
    }
    /// Whether what it tells of the elements that it began can be.
    bool knows_what_began() const noexcept {
        const std::uint64_t begun = box_->begun.load(std::memory_order_acquire);
        return work_.results() <= begun && begun <= work_.results() + work_.elements();
    }
    /// Takes that element out of its run: it has come to its end.
    scheduler::block take_interrupted(scheduler::run& from) { return work_.take_interrupted(from); }
    std::deque<scheduler::run> take_unfinished() { return work_.take_unfinished(); }

private:
    bool knows(std::uint64_t job) const noexcept {
        return std::find(known_jobs_.begin(), known_jobs_.end(), job) != known_jobs_.end();
    }
    bool same_as_last_once(const wire::buffer& definition) const noexcept {
        return !definition.empty() && definition.size() == last_once_.size() &&
               std::memcmp(definition.data(), last_once_.data(), definition.size()) == 0;
    }

    static constexpr const char* no_frame = "procpool: a worker sent bytes that are no frame";

    /// `position` is the number of results before the next frame. What was collected early is skipped.
    void collect(wire::frame_reader& frames, std::uint64_t& position,
                 std::vector<scheduler::delivery>& into) {
        while (const auto frame = frames.next()) {
            if (frame->header.sequence != position)
                throw wire::protocol_error("procpool: a worker's results are out of step");
            if (frame->header.what == wire::result_header::kind::values)
                collect_values(*frame, position, into);
            else if (position++ >= work_.results())
                collect_error(*frame, into);
        }
    }

    void collect_error(const wire::frame_reader::frame& frame, std::vector<scheduler::delivery>& into) {
        scheduler::run& from = work_.oldest();
        scheduler::remote_job& job = *from.job;
        const auto record = wire::cursor(frame.payload).sized();
        if (job.retry_exceptions && from.elements.attempts.size() < job.retries && !job.abandoned) {
            second_tries_.push_back({from.job, from.elements.element(from.results)});
            second_tries_.back().elements.attempts.push_back("threw " + wire::text_of_exception(record));
        } else {
            into.push_back({.job = from.job,
                            .first = from.elements.first + from.results,
                            .count = 1,
                            .what = scheduler::delivery::kind::error_record,
                            .bytes = record,
                            .error = {},
                            .pid = told_pid(),
                            .note = scheduler::attempts_before(from.elements)});
        }
        work_.got(1);
    }

    void collect_values(const wire::frame_reader::frame& frame, std::uint64_t& position,
                        std::vector<scheduler::delivery>& into) {
        const std::uint64_t stride = frame.header.stride;
        if (stride != wire::variable_stride) {
            if (frame.payload.size() % stride != 0)
                throw wire::protocol_error("procpool: a worker's frame ends inside a result");
            // None of them can be trusted.
            if (position + frame.payload.size() / stride > work_.results() + work_.elements())
                throw wire::protocol_error("procpool: a worker sent more results than it was given elements");
        }
        wire::element_reader rest(frame.payload, stride);
        if (position < work_.results()) {
            std::uint64_t known = 0;
            rest.next_run(work_.results() - position, known);
            position += known;
        }
        if (!rest.done() && frame.header.pinned != 0) pinned_results_ = true;
        while (!rest.done()) {
            scheduler::run& from = work_.oldest();
            std::uint64_t count = 0;
            const auto values = rest.next_run(from.left(), count);
            into.push_back({.job = from.job,
                            .first = from.elements.first + from.results,
                            .count = count,
                            .what = scheduler::delivery::kind::values,
                            .stride = stride,
                            .bytes = values,
                            .error = {}});
            position += count;
            work_.got(count);
        }
    }

    os::fd tasks_;
    os::fd tasks_reader_;
    result_stream stream_;
    worker::black_box* box_ = nullptr;
    std::uint64_t received_results_ = 0;  // results that came through the pipe
    std::uint64_t ended_seen_ = 0;
    std::int64_t busy_seen_ = 0;
    std::uint64_t begun_seen_ = 0;
    std::int64_t checked_at_ = 0;  // steady ns
    // What runs was begun after the one and before the other, whatever the worker's clock says.
    std::int64_t begun_after_ = 0;
    std::int64_t begun_before_ = 0;
    std::uint16_t runs_given_ = 0;
    std::uint64_t sent_ = 0;  // bytes of what it is to read
    struct {
        std::uint64_t received = 0;
        std::uint64_t begun = 0;
        std::int64_t since = 0;  // 0 if there were some
    } quiet_;
    struct {
        std::chrono::nanoseconds kept_back{0};
        steady_time looked_at;
        os::main_thread_state sender;  // then
    } rest_;
    std::uint64_t collected_ = 0;  // bytes received before the last collect(); others may ask while some come
    struct {
        std::uint64_t end = 0;      // where it ends in what it is to read; 0 if it isn't asked
        std::uint64_t results = 0;  // that it has then sent
    } probe_;
    bool pinned_results_ = false;
    std::vector<scheduler::returned> second_tries_;
    scheduler::runs_in_flight work_;
    std::uint64_t recalls_ = 0;
    std::vector<std::uint64_t> known_jobs_;
    std::vector<std::uint64_t> to_forget_;
    wire::buffer last_once_;  // the definition that was sent last for a job of one run
};
using worker_link = basic_worker_link<>;

}  // namespace procpool::detail::process

#endif
