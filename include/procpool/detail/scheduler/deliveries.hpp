// SPDX-License-Identifier: MIT
// Results on their way into their jobs.
#ifndef PROCPOOL_DETAIL_SCHEDULER_DELIVERIES_HPP
#define PROCPOOL_DETAIL_SCHEDULER_DELIVERIES_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/job/callback_runner.hpp"
#include "procpool/detail/job/poll_hook.hpp"
#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/job/unlocked.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/element_notes.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/run.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "procpool/observer.hpp"
#include "procpool/retry_policy.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// With the pool's lock held, where they don't say otherwise.
template <class = only_if_used>
class basic_deliveries {
public:
    using lock = job::runner::lock;

    /// Those of peers, in this step.
    std::vector<delivery>& of_peers() noexcept { return now_; }
    /// An element that no peer runs has failed; the next step delivers it.
    void fail(const std::shared_ptr<remote_job>& job, std::uint64_t index, std::exception_ptr error,
              element_outcome outcome = element_outcome::cancelled) {
        if (job->observed) element_notes::ended_here(*job, index, outcome);
        local_.push_back({.job = job,
                          .first = index,
                          .count = 1,
                          .what = delivery::kind::error,
                          .bytes = {},
                          .error = std::move(error)});
    }
    /// What the job's journal knows of these is delivered in the next step. @return the others, which are to
    /// run
    std::vector<block> take_known(const std::shared_ptr<remote_job>& job, block&& elements) {
        using state = element_journal::state;
        std::vector<block> unknown;
        while (elements.count > 0) {
            const auto next = job->journal->next_alike(elements.first, elements.count);
            block some =
                next.count < elements.count ? elements.take_front(next.count) : std::exchange(elements, {});
            if (next.what == state::kept) keep(job, some.first, some.count);
            if (next.what == state::given_up)
                for (std::uint64_t i = some.first; i < some.first + some.count; ++i)
                    fail(job, i, job->journal->why_given_up(i), element_outcome::given_up);
            if (next.what == state::unknown) unknown.push_back(std::move(some));
        }
        return unknown;
    }
    /// fail() takes no memory for so many.
    void make_room(std::uint64_t elements) { local_.reserve(local_.size() + elements); }
    bool has_local() const noexcept { return !local_.empty(); }
    /// Those that came while nobody drove are part of this step.
    void begin_step() { now_.swap(local_); }  // both keep their memory

    /// Puts all into their jobs, which aren't complete meanwhile: user code rebuilds values, without the
    /// lock. Then `published(delivery)` is called for each. If anything throws, the rest of the jobs fails
    /// with it.
    template <class Published, class Failed>
    void deliver(lock& held, const job::callback_runner& user, const std::shared_ptr<remote_job>& initializer,
                 Published published, Failed failed) PROCPOOL_REQUIRES(pool_mutex) {
        std::erase_if(now_, [](const delivery& one) { return one.job->abandoned; });
        bool is_journaled = false;
        for (delivery& one : now_) {
            one.job->begin_delivery();
            is_journaled = is_journaled || one.job->journal;
        }
        std::size_t ended = 0;
        try {
            {
                const job::unlocked meanwhile(held);
                const job::poll_hook::without interruptions;  // of a wait that the user's code isn't part of
                if (is_journaled) write_journals(initializer, user);
                for (delivery& one : now_) store(one, one.job != initializer, user);
            }
            for (delivery& one : now_) {
                if (one.history && one.history->again && one.history->again->end)
                    element_notes::tell(*one.job, std::move(*one.history->again->end),
                                        one.what == delivery::kind::runs_again);
                if (one.what != delivery::kind::runs_again) one.job->publish(one.first, one.count);
                one.job->end_delivery();
                ++ended;
                published(one);
            }
        } catch (...) {
            // Without its end a delivery would keep its job from ever being complete.
            const std::span lost(now_.begin() + static_cast<std::ptrdiff_t>(ended), now_.end());
            for (delivery& one : lost) one.job->end_delivery();
            for (delivery& one : lost) failed(one);
            now_.clear();
            throw;
        }
        now_.clear();
    }

private:
    /// The job's journal has the results of these.
    void keep(const std::shared_ptr<remote_job>& job, std::uint64_t first, std::uint64_t count) {
        if (job->observed)
            for (std::uint64_t i = 0; i < count; ++i)
                element_notes::ended_here(*job, first + i, element_outcome::returned);
        local_.push_back({.job = job,
                          .first = first,
                          .count = count,
                          .what = delivery::kind::kept,
                          .bytes = {},
                          .error = {}});
    }
    static void store(delivery& one, bool is_element, const job::callback_runner& user) {
        using kind = delivery::kind;
        if (one.job->gives_back) note_facts(one);  // who passes the result on is told of it first
        switch (one.what) {
            case kind::runs_again: return;
            case kind::kept: one.job->journal->deliver(*one.job, one.first, one.count); return;
            case kind::values:
                if (one.job->journal)
                    store_if_written(one);
                else
                    one.job->accept(one.first, one.count, one.stride, one.bytes);
                break;
            case kind::error_record:
                if (one.job->fail_with_record(one.first, one.bytes, one.pid, attempts_of(one))) return;
                one.error = decoded_error(one, is_element);
                [[fallthrough]];
            case kind::error:
                if (decide(one, user)) return;
                one.job->fail(one.first, std::move(one.error));
        }
        if (!one.job->gives_back) note_facts(one);
    }
    static void note_facts(const delivery& one) {
        if (one.job->facts && one.history) tell(*one.job->facts, *one.history);
    }
    static void tell(job::facts_keeper& to, const element_history& of) {
        if (of.facts.attempts > 1 || of.facts.asked_to_stop) to.note(of.index, of.facts);
    }
    /// Of an error that is known here: whether the element runs again. It is asked for once.
    static bool decide(delivery& one, const job::callback_runner& user) {
        if (!one.history || !one.history->again || std::exchange(one.history->is_decided, true) ||
            one.job->has_dropped(one.first, 1))
            return false;
        bool is_worth_another = false;
        user.run([&] { is_worth_another = one.job->retry_policy->when(one.error); }, "RetryPolicy::when");
        if (is_worth_another) one.what = delivery::kind::runs_again;
        return is_worth_another;
    }
    static std::string attempts_of(const delivery& one) {
        return one.history ? describe_attempts(one.history->attempts).append(one.history->note)
                           : std::string();
    }
    static std::exception_ptr decoded_error(const delivery& one, bool is_element) {
        std::optional<std::uint64_t> index;
        if (is_element && one.job->id != wire::finalizer_number) index = one.job->index_told(one.first);
        return wire::decode_exception(wire::cursor(one.bytes), one.pid, index, attempts_of(one),
                                      one.history && one.history->host ? *one.history->host : std::string());
    }

    /// Before anybody sees these results they are in the journals.
    void write_journals(const std::shared_ptr<remote_job>& initializer, const job::callback_runner& user) {
        for (delivery& one : now_) {
            element_journal* const to = one.job->journal.get();
            if (!to) continue;
            if (one.what == delivery::kind::error_record) {
                one.error = decoded_error(one, one.job != initializer);
                one.what = delivery::kind::error;
            }
            if (one.what == delivery::kind::error && !decide(one, user)) to->add_error(one.first, one.error);
            if (one.what == delivery::kind::values)
                to->add_values(one.first, one.count, one.stride, one.bytes);
        }
        for (delivery& one : now_)
            if (one.job->journal) one.job->journal->write();
    }
    /// A result that the journal has not is none.
    static void store_if_written(delivery& one) {
        const std::exception_ptr unwritten = one.job->journal->write_error();
        if (!unwritten) return one.job->accept(one.first, one.count, one.stride, one.bytes);
        for (std::uint64_t i = 0; i < one.count; ++i) one.job->fail(one.first + i, unwritten);
    }

    std::vector<delivery> local_;  // of the next step
    std::vector<delivery> now_;
};
using deliveries = basic_deliveries<>;

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
