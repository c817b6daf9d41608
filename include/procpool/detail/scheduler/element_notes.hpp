// SPDX-License-Identifier: MIT
// What observers are told of the elements that a peer runs.
#ifndef PROCPOOL_DETAIL_SCHEDULER_ELEMENT_NOTES_HPP
#define PROCPOOL_DETAIL_SCHEDULER_ELEMENT_NOTES_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/observation.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/run.hpp"
#include "procpool/detail/scheduler/runs_in_flight.hpp"
#include "procpool/detail/wire/activity.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/element_times.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/observer.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// Of one peer. Its functions are called for jobs that are observed only.
template <class = only_if_used>
class basic_element_notes {
public:
    using observation = job::observation;

    basic_element_notes() = default;
    /// Of a peer that begins now; `times` are null if it tells none.
    basic_element_notes(const wire::activity& told, const wire::element_times* times) noexcept
        : told_(&told), times_(times), since_(steady_ns()) {}

    /// Whether it has got elements that somebody observes, so far.
    bool are_wanted() const noexcept { return wanted_; }

    void given(std::uint32_t worker, const remote_job& job, std::uint64_t first, std::uint64_t count,
               std::uint64_t in_worker) noexcept {
        wanted_ = true;
        const auto& call = job.observed;
        if (!call->goes_on()) return;
        call->by->note(call, ElementsGiven{.worker = worker,
                                           .first = first,
                                           .count = count,
                                           .in_worker = in_worker,
                                           .waiting = job.ready_elements,
                                           .when = std::chrono::steady_clock::now()});
    }

    /// This one runs; so many results have come. Of the one that was told last nobody knows the end yet, if
    /// its result isn't among them: then this one waits for that.
    void running(std::uint32_t worker, const runs_in_flight::running& one, std::uint64_t results) noexcept {
        if (told_of_one_ && last_told_ >= results) return;
        told_of_one_ = true;
        last_told_ = one.number;
        const auto& call = one.of->job->observed;
        if (!call->goes_on()) return;
        const std::int64_t now = steady_ns();
        call->by->note(call, ElementBegin{.index = one.index,
                                          .worker = worker,
                                          .attempt = attempt(*one.of),
                                          .begun = time(std::clamp(one.since, std::min(since_, now), now))});
    }

    /// The next `count` elements of the run have results, the first of which is the peer's result `number`.
    void returned(std::uint32_t worker, run& from, std::uint64_t number, std::uint64_t count,
                  std::uint64_t stride, std::span<const std::byte> results) noexcept {
        observation::ends to(from.job->observed, count);
        const std::int64_t now = steady_ns();
        const std::uint64_t ended = told_->ended.load(std::memory_order_acquire);
        wire::cursor values(results);
        for (std::uint64_t i = 0; i < count; ++i) {
            ElementEnd end{.index = from.elements.first + from.results + i, .worker = worker};
            end.attempt = attempt(from);
            end.result_bytes = take_size(values, stride);
            note(to, end, from, number + i, ended, now);
        }
    }
    /// The next element of the run has failed, the peer's result `number`.
    void failed(std::uint32_t worker, run& from, std::uint64_t index, std::uint64_t number,
                element_outcome outcome, std::uint32_t attempt, bool runs_again,
                std::size_t result_bytes = 0) noexcept {
        tell(*from.job, end_of(worker, from, index, number, outcome, attempt, result_bytes), runs_again);
    }
    /// The same, to be told when it is known whether it runs again.
    job::told_end end_of(std::uint32_t worker, run& from, std::uint64_t index, std::uint64_t number,
                         element_outcome outcome, std::uint32_t attempt,
                         std::size_t result_bytes = 0) noexcept {
        ElementEnd end{.index = index, .worker = worker};
        end.attempt = attempt;
        end.outcome = outcome;
        end.result_bytes = result_bytes;
        const bool begins = complete(end, from, number, told_->ended.load(std::memory_order_acquire),
                                     steady_ns(), from.job->observed->text_from());
        return {std::move(end), begins};
    }
    static void tell(const remote_job& job, job::told_end&& one, bool runs_again) noexcept {
        observation::ends to(job.observed, 1);
        if (to.are_lost()) return;
        if (one.begins)
            to.begin({.index = one.end.index,
                      .worker = *one.end.worker,
                      .attempt = one.end.attempt,
                      .begun = one.end.begun});
        one.end.runs_again = runs_again;
        to.end(std::move(one.end));
    }
    /// An element has come to its end that no peer runs.
    static void ended_here(const remote_job& job, std::uint64_t index, element_outcome outcome) noexcept {
        observation::ends to(job.observed, 1);
        if (to.are_lost()) return;
        ElementEnd end{.index = index};
        end.outcome = outcome;
        end.begun = end.ended = std::chrono::steady_clock::now();
        to.end(std::move(end));
    }

    /// Elements [first, first + count) of a job have come to their end in a peer that tells no times but that
    /// each took about `each_ns`.
    static void ended_elsewhere(std::uint32_t worker, const remote_job& job, std::uint64_t first,
                                std::uint64_t count, element_outcome outcome,
                                std::int64_t each_ns = 0) noexcept {
        observation::ends to(job.observed, count);
        if (to.are_lost()) return;
        const std::int64_t now = steady_ns();
        const std::int64_t begun = std::clamp(now - std::max<std::int64_t>(each_ns, 0),
                                              std::min(ns_of(job.observed->info.begun), now), now);
        for (std::uint64_t i = 0; i < count; ++i) {
            ElementEnd end{.index = first + i, .worker = worker};
            end.outcome = outcome;
            end.begun = time(begun);
            end.ended = time(now);
            to.begin({.index = end.index, .worker = worker, .begun = end.begun});
            to.end(std::move(end));
        }
    }

    /// How long the peer's element with this number ran, which has ended; 0 if it doesn't tell. A corrupt
    /// worker may tell anything.
    std::chrono::nanoseconds run_time(std::uint64_t number) const noexcept {
        if (!times_ || told_->ended.load(std::memory_order_acquire) <= number) return {};
        const wire::element_times::entry& times = times_->of(number);
        const std::int64_t now = steady_ns();
        const std::int64_t begun =
            std::clamp(times.begun.load(std::memory_order_relaxed), std::min(since_, now), now);
        return std::chrono::nanoseconds(std::clamp(times.ended.load(std::memory_order_relaxed), begun, now) -
                                        begun);
    }

    static std::uint32_t attempt(const run& of) noexcept {
        return static_cast<std::uint32_t>(of.elements.attempts.size()) + 1;
    }

private:
    static std::chrono::steady_clock::time_point time(std::int64_t ns) noexcept {
        return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(ns));
    }

    void note(observation::ends& to, ElementEnd& end, run& from, std::uint64_t number, std::uint64_t ended,
              std::int64_t now) noexcept {
        const bool begins = complete(end, from, number, ended, now, to.text_from());
        if (to.are_lost()) return;
        if (begins)
            to.begin({.index = end.index, .worker = *end.worker, .attempt = end.attempt, .begun = end.begun});
        to.end(std::move(end));
    }
    /// Adds what its peer and its bytes tell. @return whether its begin isn't told yet
    bool complete(ElementEnd& end, run& from, std::uint64_t number, std::uint64_t ended, std::int64_t now,
                  std::int64_t text_from) noexcept {
        const wire::cursor argument = wire::cursor(from.elements.payload().subspan(from.told));
        wire::cursor behind = argument;
        end.argument_bytes = take_size(behind, from.elements.stride);
        from.told += argument.left() - behind.left();
        set_times(end, number, ended, now);
        const bool is_over = !from.job->observed->by;  // the call: nobody is told
        if (!is_over && end.run_time().count() >= text_from) end.arguments = describe(from, argument);
        return !told_of_one_ || number != last_told_;
    }

    /// A corrupt worker may have told anything.
    void set_times(ElementEnd& end, std::uint64_t number, std::uint64_t ended,
                   std::int64_t now) const noexcept {
        std::int64_t from = told_->begun_at.load(std::memory_order_relaxed);
        std::int64_t to = now;
        // If it hasn't told of the end yet, that is a moment ago, or it is dead.
        if (times_ && ended > number) {
            from = times_->of(number).begun.load(std::memory_order_relaxed);
            to = std::min(times_->of(number).ended.load(std::memory_order_relaxed), now);
        }
        to = std::max(to, std::min(since_, now));
        end.begun = time(std::clamp(from, std::min(since_, to), to));
        end.ended = time(to);
    }

    /// Passes over an encoded value. @return its size, wherever it lies
    static std::uint64_t take_size(wire::cursor& from, std::uint64_t stride) noexcept try {
        if (stride != wire::variable_stride) {
            from.take(stride);
            return stride;
        }
        wire::cursor value = from;
        wire::skip_bulk(from);
        const auto size = value.value<std::uint64_t>();
        if ((size & wire::lies_in_arena) != 0) return size & ~wire::lies_in_arena;
        // An array, for instance, that is all of the value.
        return size + wire::size_of_part_ahead(wire::cursor(value.take(static_cast<std::size_t>(size))));
    } catch (const std::exception&) {  // a corrupt worker's
        return 0;
    }

    static std::string describe(const run& from, const wire::cursor& argument) noexcept try {
        if (!from.job->observed->by->quotes_arguments) return "...";
        wire::cursor rest = argument;
        wire::element_reader reader(rest.take(rest.left()), from.elements.stride);
        return from.job->describe(reader.next());
    } catch (const std::exception&) {
        return {};
    }

    const wire::activity* told_ = nullptr;
    const wire::element_times* times_ = nullptr;
    std::int64_t since_ = 0;       // when it began, in steady ns
    std::uint64_t last_told_ = 0;  // the last element that was told while it ran
    bool told_of_one_ = false;     // whether there is any
    bool wanted_ = false;
};
using element_notes = basic_element_notes<>;

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
