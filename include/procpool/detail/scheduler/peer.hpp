// SPDX-License-Identifier: MIT
// What runs elements, as the scheduler sees it: a worker process, or whatever stands for one.
#ifndef PROCPOOL_DETAIL_SCHEDULER_PEER_HPP
#define PROCPOOL_DETAIL_SCHEDULER_PEER_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/assert.hpp"
#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/retrying.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/element_notes.hpp"
#include "procpool/detail/scheduler/element_watch.hpp"
#include "procpool/detail/scheduler/peer_state.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/run.hpp"
#include "procpool/detail/scheduler/runs_in_flight.hpp"
#include "procpool/detail/wire/activity.hpp"
#include "procpool/detail/wire/element_times.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/wire/frame_reader.hpp"
#include "procpool/observer.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// Runs elements one after the other, in the order in which it gets them, and sends their results in that
/// order. Here are the books on what it has got; how elements reach it and results come back is its kind's.
///
/// With the pool's lock held.
template <class = only_if_used>
class basic_peer {
public:
    virtual ~basic_peer() = default;

    // ---- what each kind does in its own way

    /// It gets elements, which go out with the group's next send(); so many of them can be taken back only
    /// `together`.
    virtual void give(std::shared_ptr<remote_job> job, block&& elements, std::uint32_t together) = 0;
    /// Takes back all elements that it has not claimed: it will skip them.
    virtual std::vector<returned> recall() = 0;
    /// Takes results early that it holds back while a slow element runs; false if there are none.
    /// @throws wire::protocol_error for nonsense
    virtual bool collect_early(std::vector<delivery>& into) = 0;
    /// Since when nothing has come from it and it has begun nothing, in steady ns; 0 if that isn't so, or
    /// if something that came isn't collected yet.
    virtual std::int64_t quiet_since() const noexcept = 0;
    /// The CPU time that this element, which runs, has taken; nothing if that can't be known.
    virtual std::optional<std::chrono::nanoseconds> cpu_time_of(const runs_in_flight::running& /*element*/) {
        return std::nullopt;
    }

    /// Tells this element, which runs, that it shall come to its end by itself.
    void ask_to_stop(const runs_in_flight::running& element) {
        if (std::exchange(asked_to_stop_, element.number + 1) != element.number + 1)
            tell_to_stop(element.number + 1);
    }
    /// When it is ended, it is to leave a trace of what it was doing.
    virtual void want_trace() noexcept {}
    /// Its memory in bytes, and the process that has it; nothing if that can't be known.
    struct memory_state {
        long pid = 0;
        std::uint64_t now = 0;
        std::uint64_t peak = 0;  // since forget_peak()
    };
    virtual std::optional<memory_state> memory() const { return std::nullopt; }
    virtual void forget_peak() {}

    /// What it tells of its elements.
    const wire::activity& told() const noexcept { return *told_; }
    /// What it has got.
    const runs_in_flight& work() const noexcept { return work_; }

    // ---- its state

    peer_state state() const noexcept { return state_.state(); }
    bool is(peer_state which) const noexcept { return state_.is(which); }
    /// Whether it may get elements.
    bool can_work() const noexcept { return is(peer_state::up) || is(peer_state::starting); }
    /// Whether it is there and may still run something.
    bool is_alive() const noexcept { return !is(peer_state::absent) && !is(peer_state::dead); }

    /// It has started.
    void tell_start() noexcept {
        has_started_ = true;
        if (is(peer_state::starting)) state_.become(peer_state::up);
    }
    bool has_started() const noexcept { return has_started_; }
    /// Its element takes long.
    void stall() noexcept {
        if (can_work()) state_.become(peer_state::stalled);
    }
    /// A result has come, or its elements were shared out.
    void unstall() noexcept {
        if (is(peer_state::stalled)) state_.become(has_started_ ? peer_state::up : peer_state::starting);
    }
    /// No more results will come.
    void drain() noexcept {
        if (is_alive() && !is(peer_state::draining)) state_.become(peer_state::draining);
    }
    /// It is known how it ended.
    void die() noexcept { state_.become(peer_state::dead); }
    /// There is nobody any more.
    void leave() noexcept { state_.become(peer_state::absent); }

    /// It was told to end, for the sake of one element.
    struct termination {
        enum class reason { timeout, cpu_timeout, cancelled } why{};
        std::uint64_t element = 0;  // its number, as in `running`
        steady_time kill_at;        // it has so long to end by itself
    };
    const std::optional<termination>& terminated_for() const noexcept { return terminated_for_; }
    void terminate_for(const termination& cause) noexcept {
        terminated_for_ = cause;
        if (!is(peer_state::draining)) state_.become(peer_state::terminating);
    }
    /// Why it can only be killed; empty if it needn't be.
    const std::string& fault() const noexcept { return fault_; }
    void find_faulty(std::string why) {
        PROCPOOL_ASSERT(!why.empty());
        if (fault_.empty()) fault_ = std::move(why);
        if (is_alive() && !is(peer_state::terminating) && !is(peer_state::draining))
            state_.become(peer_state::terminating);
    }

    // ---- what it is doing

    using running = runs_in_flight::running;

    bool says_it_runs() const noexcept { return element_watch::says_it_runs(told()); }
    bool tells_the_possible() const noexcept { return element_watch::tells_the_possible(told(), work_); }
    bool knows_what_began() const noexcept { return element_watch::knows_what_began(told(), work_); }
    /// What runs now; nothing between two elements.
    std::optional<running> now_running() { return watch_.now_running(told(), work_, quiet_since()); }
    /// The element whose result comes next.
    std::optional<running> first_unanswered() { return work_.at(work_.results(), 0); }
    /// Whether it has begun another element since the last call.
    bool progresses(steady_time now) noexcept { return watch_.progresses(told(), now); }
    /// Time (ns) and number of elements ended since the last call.
    std::pair<double, double> take_timing() noexcept { return watch_.take_timing(told()); }

    bool was_asked_to_stop(std::uint64_t number) const noexcept { return asked_to_stop_ == number + 1; }

    // ---- after its death

    /// The element that was being executed; of a corrupt worker also those that had begun before and whose
    /// results are lost, one after the other as they are taken. If it can't be known, the first without
    /// result.
    std::optional<running> interrupted() {
        const bool was_ended_for_it = terminated_for_ && terminated_for_->element == work_.results();
        if (knows_what_began() && told().begun.load(std::memory_order_acquire) <= work_.results() &&
            !was_ended_for_it)
            return std::nullopt;
        return work_.at(work_.results(), told().begun_at.load(std::memory_order_relaxed));
    }
    /// Takes that element out of its run: it has come to its end.
    block take_interrupted(run& from) { return work_.take_interrupted(from); }
    std::deque<run> take_unfinished() { return work_.take_unfinished(); }

    /// Elements that are to be run once more, since they threw and their job asks for that.
    std::vector<returned> take_second_tries() noexcept { return std::exchange(second_tries_, {}); }

    // ---- what observers are told

    element_notes& notes() noexcept { return notes_; }
    /// Of the element that runs, if that is observed. @return whether they know of all that runs
    bool tell_what_runs() noexcept {
        const auto one = now_running();
        if (!one) return false;
        if (one->of->job->observed) notes_.running(index, *one, work_.results());
        return true;
    }

    // ---- the scheduler's notes

    std::uint32_t index = 0;     // among the group's
    std::size_t workers = 1;     // that run its elements side by side
    bool checks_itself = false;  // what runs too long there isn't ended from here
    std::uint64_t taken = 0;     // elements that it was given since its start
    bool retired = false;        // it gets no more elements, and leaves when it has run its own
    bool leaving = false;        // it runs what it runs last
    bool keeps_all = false;      // nothing can be taken back from it until a result has come
    steady_time check_at = steady_time::max();  // when to check what it does
    std::uint64_t threw = 0;                    // elements, or attempts of them
    std::uint64_t flaky = 0;                    // elements that have returned after another attempt
    unsigned idle_checks = 0;                   // one after the other that have seen nothing new

protected:
    basic_peer() = default;
    basic_peer(basic_peer&&) = default;
    basic_peer& operator=(basic_peer&&) = default;

    /// Begins anew, with one that is about to start.
    void begin(const wire::activity& told, const wire::element_times* times = nullptr) noexcept {
        PROCPOOL_ASSERT(is(peer_state::absent));
        told_ = &told;
        notes_ = element_notes(told, times);
        state_.become(peer_state::starting);
    }

    runs_in_flight& books() noexcept { return work_; }

    /// The next results are these values. @throws wire::protocol_error if it has got no such elements
    void take_values(wire::element_reader& values, std::uint64_t stride, std::vector<delivery>& into) {
        while (!values.done()) {
            run& from = work_.oldest();
            std::uint64_t count = 0;
            const auto bytes = values.next_run(from.left(), count);
            into.push_back({.job = from.job,
                            .first = from.elements.first + from.results,
                            .count = count,
                            .what = delivery::kind::values,
                            .stride = stride,
                            .bytes = bytes,
                            .error = {}});
            if (!from.elements.attempts.empty()) {
                into.back().its_history().facts.attempts = element_notes::attempt(from);
                ++flaky;
            }
            if (asked_to_stop_ > work_.results() && asked_to_stop_ <= work_.results() + count) {
                element_history& told = into.back().its_history();
                told.facts.asked_to_stop = true;
                told.index += asked_to_stop_ - 1 - work_.results();
            }
            if (from.job->observed) notes_.returned(index, from, work_.results(), count, stride, bytes);
            if (from.job->journal) tell_times(from, count);
            work_.got(count);
        }
    }
    /// The next element has thrown what this record says, in the process `pid`.
    void take_error(std::span<const std::byte> record, long pid, std::vector<delivery>& into) {
        run& from = work_.oldest();
        remote_job& job = *from.job;
        if (job.id != wire::finalizer_number) ++threw;
        const std::uint64_t element = from.elements.first + from.results;
        const std::uint32_t attempt = element_notes::attempt(from);
        const bool again = job.retry_exceptions && attempt <= job.retries && !job.abandoned;
        const bool asks = again && job::depends_on_error(job);
        std::optional<second_try> undecided;
        if (again) {
            block next = from.elements.element(from.results);
            next.attempts.push_back("threw " + wire::text_of_exception(record));
            if (asks)
                undecided = second_try{std::move(next), std::nullopt};
            else
                second_tries_.push_back({from.job, std::move(next)});
        }
        if (job.observed && asks)
            undecided->end = notes_.end_of(index, from, element, work_.results(), element_outcome::threw,
                                           attempt, record.size());
        else if (job.observed)
            notes_.failed(index, from, element, work_.results(), element_outcome::threw, attempt, again,
                          record.size());
        if (job.journal && (!again || asks)) tell_times(from, 1);
        if (!again || asks)
            into.push_back(
                {.job = from.job,
                 .first = element,
                 .count = 1,
                 .what = delivery::kind::error_record,
                 .bytes = record,
                 .error = {},
                 .pid = pid,
                 .history = std::make_unique<element_history>(element_history{
                     .index = element,
                     .facts = {.attempts = attempt, .asked_to_stop = was_asked_to_stop(work_.results())},
                     .attempts = from.elements.attempts,
                     .again = std::move(undecided)})});
        work_.got(1);
    }

private:
    /// That element which has begun as the `begun`-th.
    virtual void tell_to_stop(std::uint64_t /*begun*/) {}
    /// The next `count` elements of the run have ended.
    void tell_times(const run& from, std::uint64_t count) const {
        for (std::uint64_t i = 0; i < count; ++i)
            from.job->journal->ran(from.elements.first + from.results + i,
                                   notes_.run_time(work_.results() + i));
    }

    const wire::activity* told_ = nullptr;
    peer_state_machine state_;
    bool has_started_ = false;
    std::optional<termination> terminated_for_;
    std::string fault_;
    runs_in_flight work_;
    element_watch watch_;
    element_notes notes_;
    std::vector<returned> second_tries_;
    std::uint64_t asked_to_stop_ = 0;  // the number of that element and 1; 0 if none was
};
using peer = basic_peer<>;

/// How a peer ended, for the element that it was running.
struct death {
    std::string how;                // in a few words
    std::exception_ptr error;       // of the element, if it is not tried again
    bool out_of_memory = false;     // the kernel has killed it for want of memory
    std::uint64_t peak_memory = 0;  // in bytes
};

/// The peers of a pool.
template <class = only_if_used>
class basic_peer_group {
public:
    using peer = basic_peer<>;

    /// All that there may be, always the same.
    std::span<peer* const> peers() const noexcept { return peers_; }
    /// How many of them, the first ones, are to work. May be asked without the lock.
    std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
    /// That run elements, of all peers that may come to work.
    std::size_t workers() const noexcept { return workers_; }
    /// Sends what a peer was given, as much as it takes, and the rest when it has room.
    virtual void send(peer& to) = 0;
    /// Tells a peer to end by itself, or ends it.
    enum class ending { asked, killed };
    virtual void end(peer& which, ending how) = 0;
    /// The job is over: peers need not keep its callable. If it refers to something that would stay, those
    /// that have nothing to do are told at once.
    virtual void forget(const remote_job& job, bool refers) = 0;
    /// Of a peer that was running `element`, which `interrupted` points at.
    virtual death examine(peer& dead, const runs_in_flight::running& interrupted, const block& element) = 0;

protected:
    ~basic_peer_group() = default;

    void add(peer& one) {
        one.index = static_cast<std::uint32_t>(peers_.size());
        peers_.push_back(&one);
        workers_ += one.workers;
        size_.store(peers_.size(), std::memory_order_relaxed);
    }
    /// Of peers with one worker each.
    void resize(std::size_t count) noexcept {
        workers_ = count;
        size_.store(count, std::memory_order_relaxed);
    }
    /// It won't come back.
    void lose(const peer& one) noexcept { workers_ -= one.workers; }

private:
    std::vector<peer*> peers_;
    std::size_t workers_ = 0;
    std::atomic<std::size_t> size_{0};
};
using peer_group = basic_peer_group<>;

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
