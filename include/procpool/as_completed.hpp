// SPDX-License-Identifier: MIT
// wait() and as_completed(): many futures at once, also of several executors; as in Python's
// concurrent.futures.
#ifndef PROCPOOL_AS_COMPLETED_HPP
#define PROCPOOL_AS_COMPLETED_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "procpool/detail/call/result_source.hpp"
#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/job/poll_hook.hpp"
#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/error.hpp"
#include "procpool/future.hpp"
#include "procpool/indexed.hpp"

namespace procpool::inline v0_1 {

namespace detail {

template <class T>
inline constexpr bool is_future = false;
template <class T>
inline constexpr bool is_future<Future<T>> = true;

/// Notes which of some futures are done, in that order.
class completions {
public:
    completions() = default;
    completions(const completions&) = delete;
    completions& operator=(const completions&) = delete;
    ~completions() {
        for (entry& one : entries_) one.stop();
    }

    /// Each of them once; they must live as long as this. To be called once.
    template <class T>
    void watch(const std::vector<Future<T>>& futures) {
        entries_.reserve(futures.size());
        {
            const mutex_guard lock(mutex_);
            done_.reserve(futures.size());
        }
        for (const Future<T>& one : futures) {
            entries_.emplace_back(*this, entries_.size(), one);
            if (&one.pool() != entries_.front().pool) one_pool_ = false;
        }
        for (entry& one : entries_) one.start();
    }

    /// Waits until `count` are done, or the deadline; tells which.
    bool wait_for(std::size_t count, steady_time deadline) {
        if (!entries_.empty()) entries_.front().pool->refuse_copy();
        const auto enough = [this, count] { return count_.load(std::memory_order_acquire) >= count; };
        if (enough()) return true;
        if (one_pool_) {
            auto lock = entries_.front().pool->acquire();
            return entries_.front().pool->wait_or_poll(lock, enough, deadline);
        }
        // Nobody can drive several pools: each has a thread for when nobody does.
        job::poll_hook* const hook = job::poll_hook::current();
        mutex_lock lock(mutex_);
        while (hook && hook->next() < deadline) {
            if (more_.wait_until(lock.native(), hook->next(), enough)) return true;
            lock.unlock();
            hook->call();
            lock.lock();
        }
        if (deadline != steady_time::max()) return more_.wait_until(lock.native(), deadline, enough);
        more_.wait(lock.native(), enough);
        return true;
    }

    std::size_t size() const noexcept { return count_.load(std::memory_order_acquire); }
    /// Number of the future that was done as the `nth`; nth < size().
    std::size_t operator[](std::size_t nth) {
        const mutex_guard lock(mutex_);
        return done_[nth];
    }

private:
    struct entry final : job::observer {
        template <class T>
        entry(completions& to, std::size_t number, const Future<T>& future)
            : owner(to),
              index(number),
              pool(&future.pool()),
              ends(&future.call().ends()),
              call(future.call().call()) {}

        void start() {
            const auto lock = pool->acquire();
            if (ends->call_settled(call))
                settled();
            else
                ends->observe_call(call, *this);
            observes = true;
        }
        void stop() noexcept {
            if (!observes || pool->is_copy()) return;
            const auto lock = pool->acquire();
            if (!is_done) ends->drop_observer(call, *this);
        }
        void settled() noexcept override PROCPOOL_REQUIRES(pool_mutex) {
            is_done = true;
            owner.add(index);
        }

        completions& owner;
        std::size_t index;
        job::runner* pool;
        call::call_ends* ends;
        std::uint64_t call;  // of theirs
        bool observes = false;
        bool is_done PROCPOOL_GUARDED_BY(pool_mutex) = false;
    };

    void add(std::size_t index) noexcept {
        const mutex_guard lock(mutex_);  // several pools may come at once
        done_.push_back(index);
        count_.fetch_add(1, std::memory_order_release);
        more_.notify_one();
    }

    mutex mutex_;
    std::condition_variable more_;
    std::vector<std::size_t> done_ PROCPOOL_GUARDED_BY(mutex_);
    std::atomic<std::size_t> count_{0};
    std::vector<entry> entries_;
    bool one_pool_ = true;
};

}  // namespace detail

/// A range of futures, as std::vector<Future<int>>.
template <class Range>
concept range_of_futures =
    std::ranges::input_range<Range> && detail::is_future<std::ranges::range_value_t<Range>>;

/// What wait() waits for.
enum class return_when {
    FIRST_COMPLETED,  ///< any future that is done
    FIRST_EXCEPTION,  ///< any future that ended with an exception, not by being cancelled; or all
    ALL_COMPLETED,    ///< all
};
using enum return_when;

/// What wait() returns, each in the order of the input.
template <class T>
struct DoneAndNotDoneFutures {
    /// Those that have a result or an error.
    std::vector<Future<T>> done;
    /// The others.
    std::vector<Future<T>> not_done;
};

namespace detail {

/// Each future of a range once. If `positions` are wanted: where each was first, unless none was there twice.
template <class Range>
auto distinct(Range&& futures, std::vector<std::uint64_t>* positions = nullptr) {
    using future = std::ranges::range_value_t<Range>;
    std::vector<future> all;
    std::unordered_set<future> seen;
    std::vector<std::uint64_t> places;
    std::uint64_t place = 0;
    for (const future& one : futures) {
        if (seen.insert(one).second) {
            all.push_back(one);
            places.push_back(place);
        }
        ++place;
    }
    if (positions && place != all.size()) *positions = std::move(places);
    return all;
}

}  // namespace detail

/// Waits until some futures, or all, are done; all that are done then are in `done`.
///
/// They may be of several executors; one that is given twice counts once. That the time is over is no error.
template <range_of_futures Range>
auto wait(Range&& futures, return_when when = ALL_COMPLETED,
          std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max()) {
    using future = std::ranges::range_value_t<Range>;
    const std::vector<future> all = detail::distinct(futures);
    const auto deadline = detail::deadline_in(timeout);
    detail::completions completed;
    completed.watch(all);
    const auto has_failed = [&](std::size_t nth) {
        const future& one = all[completed[nth]];
        return !one.cancelled() && one.exception() != nullptr;
    };
    std::size_t known = when == ALL_COMPLETED && !all.empty() ? all.size() - 1 : 0;
    while (known < all.size() && completed.wait_for(known + 1, deadline)) {
        if (when == FIRST_COMPLETED || (when == FIRST_EXCEPTION && has_failed(known))) break;
        ++known;
    }
    DoneAndNotDoneFutures<typename future::value_type> result;
    for (const future& one : all) (one.done() ? result.done : result.not_done).push_back(one);
    return result;
}

/// wait({first, second}, FIRST_COMPLETED).
template <class T>
auto wait(std::initializer_list<Future<T>> futures, return_when when = ALL_COMPLETED,
          std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max()) {
    return wait(std::vector(futures), when, timeout);
}

/// Futures in the order in which they are done: an input range, which as_completed() returns.
///
/// It keeps a handle of each future until it has yielded it.
template <class T>
class AsCompleted {
public:
    /// Single-pass.
    class iterator {
    public:
        using value_type = Future<T>;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;

        iterator() = default;
        Future<T>& operator*() const { return *current(); }
        Future<T>* operator->() const { return &**this; }
        iterator& operator++() {
            from_->advance();
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator& at, std::default_sentinel_t) { return !at.current(); }

    private:
        friend AsCompleted;
        explicit iterator(AsCompleted* from) : from_(from) {}
        std::optional<Future<T>>& current() const { return from_->state_->current; }
        AsCompleted* from_ = nullptr;
    };

    /// Waits for the first of them. @throws TimeoutError if the time is over, as ++ does
    iterator begin() {
        advance();
        return iterator(this);
    }
    std::default_sentinel_t end() const noexcept { return std::default_sentinel; }

    /// The position of the current future in the range that as_completed() was given; of one that was given
    /// twice the first.
    std::uint64_t index() const noexcept { return state_->index; }
    /// The same futures with their positions: `for (auto [index, future] : ...)`.
    IndexedResults<AsCompleted&> with_index() & { return IndexedResults<AsCompleted&>(*this); }
    IndexedResults<AsCompleted> with_index() && { return IndexedResults<AsCompleted>(std::move(*this)); }

private:
    template <range_of_futures Range>
    friend auto as_completed(Range&& futures, std::chrono::nanoseconds timeout);

    // On the heap: futures tell their end to it.
    struct state {
        std::vector<Future<T>> futures;
        std::vector<std::uint64_t> positions;  // none if they are as they were given
        detail::steady_time deadline;
        std::size_t yielded = 0;
        std::uint64_t index = 0;
        std::optional<Future<T>> current = {};
        detail::completions completed = {};
    };

    AsCompleted(std::vector<Future<T>> futures, std::vector<std::uint64_t> positions,
                detail::steady_time deadline)
        : state_(new state{std::move(futures), std::move(positions), deadline}) {
        state_->completed.watch(state_->futures);
    }

    void advance() {
        state& my = *state_;
        my.current.reset();
        if (my.yielded == my.futures.size()) return;
        if (!my.completed.wait_for(my.yielded + 1, my.deadline))
            throw TimeoutError("procpool: " + std::to_string(my.futures.size() - my.yielded) + " (of " +
                               std::to_string(my.futures.size()) + ") futures unfinished");
        const std::size_t which = my.completed[my.yielded++];
        my.index = my.positions.empty() ? which : my.positions[which];
        my.current.emplace(std::move(my.futures[which]));
    }

    std::unique_ptr<state> state_;
};

/// The futures one by one as they are done, those that are done already first.
///
/// They may be of several executors; one that is given twice comes once. After `timeout`, counted from this
/// call, the loop ends with TimeoutError.
template <range_of_futures Range>
auto as_completed(Range&& futures, std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max()) {
    using result = AsCompleted<typename std::ranges::range_value_t<Range>::value_type>;
    const auto deadline = detail::deadline_in(timeout);
    std::vector<std::uint64_t> positions;
    auto all = detail::distinct(futures, &positions);
    return result(std::move(all), std::move(positions), deadline);
}

}  // namespace procpool::inline v0_1

#endif
