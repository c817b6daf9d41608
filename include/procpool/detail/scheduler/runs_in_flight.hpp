// SPDX-License-Identifier: MIT
// What one worker has got and not yet answered, in the order in which it runs it.
#ifndef PROCPOOL_DETAIL_SCHEDULER_RUNS_IN_FLIGHT_HPP
#define PROCPOOL_DETAIL_SCHEDULER_RUNS_IN_FLIGHT_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/run.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/wire/frame_reader.hpp"

namespace procpool::inline v0_1::detail::scheduler {

template <class = only_if_used>
class basic_runs_in_flight {
public:
    /// Elements without a result, and their bytes.
    std::uint64_t elements() const noexcept { return elements_; }
    std::size_t bytes() const noexcept { return bytes_; }
    /// Of all elements that it was ever given, those that lie in shared memory.
    std::size_t large_bytes() const noexcept { return large_bytes_; }
    /// Elements that have come to their end since the worker's start.
    std::uint64_t results() const noexcept { return results_; }

    void add(std::shared_ptr<remote_job>&& job, block&& elements, announcement&& frames) {
        run& next = runs_.emplace_back();  // the only step that may fail
        next.job = std::move(job);
        next.elements = std::move(elements);
        next.head = std::move(frames.head);
        next.in_front = frames.in_front;
        next.counted = next.elements.weight();
        elements_ += next.elements.count;
        unsent_elements_ += next.elements.count;
        bytes_ += next.counted;
        large_bytes_ += next.elements.large.bytes;
    }
    /// Frames without elements.
    void add(announcement&& frames) { add(nullptr, {}, std::move(frames)); }

    // ---- a peer that answers in any order

    /// All of `elements`, which were sent.
    void add_sent(std::shared_ptr<remote_job> job, std::shared_ptr<const block> elements) {
        run& next = runs_.emplace_back();
        next.job = std::move(job);
        next.elements.first = elements->first;
        next.elements.count = elements->count;
        next.counted = elements->weight();
        elements_ += elements->count;
        bytes_ += next.counted;
        next.source = std::move(elements);
        unsent_ = runs_.size();
    }
    /// Those elements of [first, first + count) of `job` that it has are no longer its own.
    /// @return how many they were
    std::uint64_t remove(const remote_job& job, std::uint64_t first, std::uint64_t count) {
        std::uint64_t removed = 0;
        for (std::size_t i = 0; i < runs_.size() && removed < count;) {
            const std::uint64_t begin = runs_[i].elements.first;
            const std::uint64_t end = begin + runs_[i].elements.count;
            const std::uint64_t from = std::max(first, begin);
            const std::uint64_t to = std::min(first + count, end);
            if (runs_[i].job.get() != &job || from >= to) {
                ++i;
                continue;
            }
            removed += to - from;
            i = cut(i, from - begin, end - to);
        }
        elements_ -= removed;
        unsent_ = runs_.size();
        return removed;
    }
    /// The same, since they have come to their end.
    std::uint64_t got(const remote_job& job, std::uint64_t first, std::uint64_t count) {
        const std::uint64_t ended = remove(job, first, count);
        results_ += ended;
        return ended;
    }
    /// A copy of elements of a run that was sent.
    static block copy(const run& of) {
        return of.source->copy(of.elements.first - of.source->first, of.elements.count);
    }

    // ---- sending

    bool all_sent() const noexcept { return unsent_ == runs_.size(); }
    /// Elements that were not sent completely.
    std::uint64_t unsent_elements() const noexcept { return unsent_elements_; }

    /// Names the next bytes to be sent: calls `add(std::span)` for parts of them, in order, `most` times at
    /// the most.
    template <class Add>
    void unsent(std::size_t most, Add add) const {
        std::size_t count = 0;
        const auto add_part = [&](std::span<const std::byte> from, std::size_t sent) {
            if (sent >= from.size()) return;
            add(from.subspan(sent));
            ++count;
        };
        for (std::size_t i = unsent_; i < runs_.size() && count + 2 <= most; ++i) {
            const run& next = runs_[i];
            add_part(next.head.bytes(), next.sent);
            add_part(next.body(), next.sent - std::min(next.sent, next.head.size()));
        }
    }
    void sent(std::size_t bytes) {
        while (!all_sent() && bytes >= runs_[unsent_].size() - runs_[unsent_].sent) {
            bytes -= runs_[unsent_].size() - runs_[unsent_].sent;
            runs_[unsent_].sent = runs_[unsent_].size();
            unsent_elements_ -= runs_[unsent_].elements.count;
            ++unsent_;
        }
        if (bytes > 0) runs_[unsent_].sent += bytes;
    }

    // ---- results

    /// The run whose elements come to their end next. @throws wire::protocol_error if none was sent
    run& oldest() {
        while (!runs_.empty() && runs_.front().left() == 0 && unsent_ > 0) drop_oldest();
        if (runs_.empty() || unsent_ == 0 || runs_.front().left() == 0)
            throw wire::protocol_error("procpool: a worker sent more results than it was given elements");
        return runs_.front();
    }
    /// The next `count` elements of oldest() have come to their end.
    void got(std::uint64_t count) {
        runs_.front().results += count;
        results_ += count;
        elements_ -= count;
        if (runs_.front().left() == 0) drop_oldest();
    }

    /// The runs that elements were given in, with those that have no result yet.
    const std::deque<run>& runs() const noexcept { return runs_; }

    // ---- what is run

    /// An element that was begun and has no result yet.
    struct running {
        run* of = nullptr;
        std::uint64_t number = 0;  // among all elements that this worker has got
        std::uint64_t index = 0;   // in its job
        std::int64_t since = 0;    // in steady nanoseconds
    };

    /// Element `number`, which was begun at `since`; nothing if there is no such element any more, or yet.
    std::optional<running> at(std::uint64_t number, std::int64_t since) {
        if (number < results_) return std::nullopt;
        std::uint64_t before = number - results_;
        for (run& one : runs_) {
            if (before < one.left())
                return running{&one, number, one.elements.first + one.results + before, since};
            before -= one.left();
        }
        return std::nullopt;
    }

    /// The shortest time limit, or time until a limit on CPU time may be reached.
    std::chrono::nanoseconds shortest_limit() const noexcept {
        std::chrono::nanoseconds shortest = job::no_limit;
        for (const run& one : runs_)
            if (one.left() > 0) shortest = std::min(shortest, one.job->first_check_after());
        return shortest;
    }
    bool has(const remote_job& job) const noexcept {
        return std::any_of(runs_.begin(), runs_.end(),
                           [&](const run& one) { return one.job.get() == &job && one.left() > 0; });
    }
    bool has(const remote_job& job, std::uint64_t index) const noexcept {
        return std::any_of(runs_.begin(), runs_.end(), [&](const run& one) {
            const std::uint64_t first = one.elements.first + one.results;
            return one.job.get() == &job && index >= first && index - first < one.left();
        });
    }
    /// Whether it has all of [first, first + count), of a peer that answers in any order.
    bool has(const remote_job& job, std::uint64_t first, std::uint64_t count) const noexcept {
        std::uint64_t missing = count;
        for (std::size_t i = 0; i < runs_.size() && missing > 0; ++i) {
            if (runs_[i].job.get() != &job) continue;
            const block& some = runs_[i].elements;
            const std::uint64_t begin = std::max(first, some.first);
            const std::uint64_t end = std::min(first + count, some.first + some.count);
            if (begin < end) missing -= end - begin;
        }
        return missing == 0;
    }
    /// Whether the worker has elements of it that are not among the first `claimed` that it has got.
    bool has_waiting(const job::basic_job& job, std::uint64_t claimed) const noexcept {
        claimed -= std::min(claimed, results_);
        for (const run& one : runs_) {
            if (one.job.get() == &job && one.left() > claimed) return true;
            claimed -= std::min(claimed, one.left());
        }
        return false;
    }
    /// The same for one element.
    bool has_waiting(const remote_job& job, std::uint64_t index, std::uint64_t claimed) const noexcept {
        claimed -= std::min(claimed, results_);
        for (const run& one : runs_) {
            const std::uint64_t begun = std::min(claimed, one.left());
            const std::uint64_t first = one.elements.first + one.results + begun;
            if (one.job.get() == &job && index >= first && index - first < one.left() - begun) return true;
            claimed -= begun;
        }
        return false;
    }
    /// Whether nobody sees a result of any of them before others are there.
    bool bulk() const noexcept {
        return std::all_of(runs_.begin(), runs_.end(),
                           [](const run& one) { return one.left() == 0 || one.job->bulk; });
    }
    /// What the elements that are not among the first `claimed` will take, as far as known; those of the last
    /// job stand for all.
    double waiting_ns(std::uint64_t claimed) const noexcept {
        claimed -= std::min(claimed, results_);
        if (claimed >= elements_) return 0;
        const auto last =
            std::find_if(runs_.rbegin(), runs_.rend(), [](const run& one) { return one.left() > 0; });
        const task_timing* const timing = last->job->timing;
        return timing && timing->known() ? static_cast<double>(elements_ - claimed) * timing->mean_ns() : 0;
    }
    /// Whether some were given up by their callers.
    bool has_dropped() const noexcept {
        return std::any_of(runs_.begin(), runs_.end(), [](const run& one) {
            return one.left() > 0 && one.job->has_dropped(one.elements.first + one.results, one.left());
        });
    }

    // ---- taking back

    /// All elements but the first `begun` that the worker has got: it will skip them.
    std::vector<returned> recall(std::uint64_t begun) {
        begun -= std::min(begun, results_);
        std::vector<returned> back;
        for (std::size_t i = 0; i < runs_.size(); ++i) {
            run& one = runs_[i];
            const std::uint64_t kept = std::min(begun, one.left());
            begun -= kept;
            const std::uint64_t count = one.left() - kept;
            if (count == 0) continue;
            // Their bytes may be on their way: they stay.
            back.push_back({one.job, one.elements.copy(one.results + kept, count)});
            one.elements.count -= count;
            if (i >= unsent_) unsent_elements_ -= count;
            const std::size_t bytes = std::min(one.counted, back.back().elements.weight());
            one.counted -= bytes;
            bytes_ -= bytes;
            elements_ -= count;
        }
        return back;
    }
    /// The worker is dead: its element has come to its end.
    block take_interrupted(run& from) {
        block element = from.elements.element(from.results);
        ++from.results;
        ++results_;
        --elements_;
        return element;
    }
    /// The worker is dead: all that it leaves.
    std::deque<run> take_unfinished() {
        unsent_ = 0;
        unsent_elements_ = 0;
        elements_ = 0;
        bytes_ = 0;
        for (run& one : runs_)
            if (one.counted < one.elements.weight()) one.elements = one.elements.copy(0, one.elements.count);
        return std::exchange(runs_, {});
    }

private:
    /// Leaves of a run its first `head` elements and its last `tail`. @return which run comes next
    std::size_t cut(std::size_t which, std::uint64_t head, std::uint64_t tail) {
        run& one = runs_[which];
        const std::size_t each = one.counted / one.elements.count;
        const std::size_t bytes_left = each * (head + tail);
        bytes_ -= head + tail == 0 ? one.counted : one.counted - bytes_left;
        if (head + tail == 0) {
            runs_.erase(runs_.begin() + static_cast<std::ptrdiff_t>(which));
            return which;
        }
        const std::uint64_t behind = one.elements.first + one.elements.count - tail;
        if (head == 0) {
            one.elements.first = behind;
            one.elements.count = tail;
            one.counted = bytes_left;
            return which + 1;
        }
        one.elements.count = head;
        one.counted = each * head;
        if (tail > 0) {
            run rest;
            rest.job = one.job;
            rest.source = one.source;
            rest.elements.first = behind;
            rest.elements.count = tail;
            rest.counted = each * tail;
            runs_.insert(runs_.begin() + static_cast<std::ptrdiff_t>(which) + 1, std::move(rest));
            return which + 2;
        }
        return which + 1;
    }

    void drop_oldest() {
        bytes_ -= runs_.front().counted;
        runs_.pop_front();
        --unsent_;
    }

    std::deque<run> runs_;
    std::size_t unsent_ = 0;  // the first that was not sent completely
    std::uint64_t unsent_elements_ = 0;
    std::uint64_t elements_ = 0;
    std::size_t bytes_ = 0;
    std::size_t large_bytes_ = 0;
    std::uint64_t results_ = 0;
};
using runs_in_flight = basic_runs_in_flight<>;

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
