// SPDX-License-Identifier: MIT
// What imap() and imap_unordered() return: results one by one, while the input is pulled in a window.
#ifndef PROCPOOL_IMAP_HPP
#define PROCPOOL_IMAP_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>

#include "procpool/detail/backend/encode.hpp"
#include "procpool/detail/backend/pool_backend.hpp"
#include "procpool/detail/backend/typed_job.hpp"
#include "procpool/detail/clock.hpp"
#include "procpool/error.hpp"

namespace procpool {

/// The results of imap(): an input range, and Python's next().
///
/// The input is pulled by the thread that takes results, never by another, and no more than the window
/// (MapOptions::buffersize) ahead of them; so it may be endless, and the loop may be left half way: when
/// this object is destroyed, what has not begun won't run, and workers that still run something for it after
/// 2 ms are replaced. An element's error is thrown where its
/// result would be, and the next call goes on with the next element. One thread at a time.
template <class R, class Range>
class ImapResults {
    using job_type = detail::backend::typed_job<R, detail::job::stream_of_results<R>>;
    using slot = typename detail::job::stream_of_results<R>::slot;

public:
    /// A result as next() returns it: an optional value; for tasks that return nothing, whether there was
    /// one.
    using next_type = std::conditional_t<std::is_void_v<R>, bool, std::optional<detail::job::stored<R>>>;

    ImapResults(ImapResults&&) noexcept = default;
    ImapResults& operator=(ImapResults&& other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    ~ImapResults() {
        if (!state_) return;
        const auto lock = state_->pool->acquire();
        state_->pool->abandon(state_->job, detail::backend::pool_backend::running::is_ended,
                              "procpool: nobody takes the results any more");
        state_->pool->leave();
    }

    /// The next result; nothing after the last one.
    /// @throws the element's error; what the input range throws, after the results of the elements before.
    next_type next() { return unwrap(next_slot(detail::steady_time::max())); }

    /// The same, but waits for a limited time.
    /// @throws TimeoutError if the time is over; the result isn't lost, a later call returns it.
    template <class Rep, class Period>
    next_type next(std::chrono::duration<Rep, Period> timeout) {
        return unwrap(next_slot(detail::deadline_in(timeout)));
    }

    /// Single-pass; an element's error is thrown by operator*.
    class iterator {
    public:
        using value_type = detail::job::stored<R>;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;

        iterator() = default;
        value_type& operator*() const {
            if (current()->error) std::rethrow_exception(current()->error);
            return *current()->value;
        }
        iterator& operator++() {
            results_->advance();
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator& at, std::default_sentinel_t) { return !at.current(); }

    private:
        friend ImapResults;
        explicit iterator(ImapResults* results) : results_(results) {}
        std::optional<slot>& current() const { return results_->state_->current; }
        ImapResults* results_ = nullptr;
    };

    iterator begin() {
        advance();
        return iterator(this);
    }
    std::default_sentinel_t end() const noexcept { return std::default_sentinel; }

private:
    friend class Pool;
    using source_iterator = std::ranges::iterator_t<Range>;
    using source_sentinel = std::ranges::sentinel_t<Range>;

    // On the heap: iterators into the range must survive when this object is moved.
    struct state {
        state(std::shared_ptr<detail::backend::pool_backend> the_pool, std::shared_ptr<job_type> the_job,
              Range&& input, std::uint64_t window_size)
            : pool(std::move(the_pool)),
              job(std::move(the_job)),
              range(std::forward<Range>(input)),
              encoder(std::ranges::begin(range), std::ranges::end(range), pool->arena()),
              window(window_size) {}

        std::shared_ptr<detail::backend::pool_backend> pool;
        std::shared_ptr<job_type> job;
        Range range;  // a reference if the caller keeps the range
        detail::backend::range_encoder<source_iterator, source_sentinel> encoder;
        const std::uint64_t window;
        std::uint64_t yielded = 0;
        bool exhausted = false;
        std::exception_ptr input_error;
        std::optional<slot> current;  // the iterator's
    };

    ImapResults(std::shared_ptr<detail::backend::pool_backend> pool, std::shared_ptr<job_type> job,
                Range&& range, std::uint64_t window)
        : state_(
              std::make_unique<state>(std::move(pool), std::move(job), std::forward<Range>(range), window)) {
        fill();
        auto lock = state_->pool->acquire();
        state_->pool->leave();
    }

    /// Pulls input until the window is full.
    void fill() {
        state& my = *state_;
        const std::uint64_t chunk = my.job->chunk;
        while (!my.exhausted) {
            const std::uint64_t under_way = my.encoder.encoded() - my.yielded;
            if (under_way > 0 && under_way + std::min(chunk, my.window) > my.window) return;
            detail::backend::block elements;
            std::exception_ptr failed;
            try {
                elements = my.encoder.next(chunk, std::min(chunk, my.window));
                failed = my.encoder.take_error();
                if constexpr (std::forward_iterator<source_iterator>)
                    my.exhausted = my.encoder.at_end();
                else  // to look would be to pull
                    my.exhausted = elements.count == 0 && !failed;
            } catch (...) {
                my.input_error = std::current_exception();
                my.exhausted = true;
            }
            auto lock = my.pool->acquire();
            if (elements.count > 0) my.pool->submit(my.job, std::move(elements));
            if (failed) my.pool->submit_failed(my.job, my.encoder.encoded() - 1, failed);
            if (my.exhausted) my.pool->seal(my.job);
        }
    }

    /// The next slot; nothing at the end.
    std::optional<slot> next_slot(detail::steady_time deadline) {
        state& my = *state_;
        fill();
        if (my.yielded == my.encoder.encoded()) {
            if (my.input_error) std::rethrow_exception(std::exchange(my.input_error, nullptr));
            return std::nullopt;
        }
        std::optional<slot> next;
        {
            auto lock = my.pool->acquire();
            // Results that are being stored while the job fails still come, in order.
            const auto ready = [&] {
                return my.job->results.has_next() || (my.job->failure() && my.job->complete());
            };
            if (!my.pool->wait(lock, ready, deadline))
                throw TimeoutError("procpool: no result in the time given");
            if (my.job->results.has_next()) {
                next = my.job->results.take_next();
            } else {
                next = slot{std::nullopt, my.job->failure(), true};
                my.exhausted = true;  // what the pool has got is all that there will be
            }
        }
        ++my.yielded;
        return next;
    }

    static next_type unwrap(std::optional<slot> next) {
        if (next && next->error) std::rethrow_exception(next->error);
        if constexpr (std::is_void_v<R>)
            return next.has_value();
        else
            return next ? std::move(next->value) : std::nullopt;
    }

    void advance() {
        state_->current.reset();  // if the input throws, the loop is at its end
        state_->current = next_slot(detail::steady_time::max());
    }

    std::unique_ptr<state> state_;
};

}  // namespace procpool

#endif
