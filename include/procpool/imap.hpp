// SPDX-License-Identifier: MIT
// What imap(), try_imap() and their unordered forms return: results one by one, while the input is pulled in
// a window.
#ifndef PROCPOOL_IMAP_HPP
#define PROCPOOL_IMAP_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "procpool/detail/call/stream.hpp"
#include "procpool/detail/clock.hpp"
#include "procpool/indexed.hpp"
#include "procpool/outcome.hpp"

namespace procpool::inline v0_1 {

template <class R>
class ImapResults;
template <class R>
class ImapOutcomes;

namespace detail {
/// What results are taken from, for who has something to say of it.
template <class R>
call::stream<R>& stream_of(ImapResults<R>& results) noexcept {
    return *results.stream_;
}
}  // namespace detail

/// The results of imap(): an input range, and Python's next().
///
/// The input is pulled by the thread that takes results, never by another, and no more than the window
/// (MapOptions::buffersize) ahead of them; so it may be endless, and the loop may be left half way: when
/// this object is destroyed, what has not begun won't run, and workers that still run something for it after
/// 2 ms are replaced. Only if that thread waits in the pool's join(), all that is left is pulled, and results
/// wait to be taken: for an endless input that never returns. An element's error is thrown where its result
/// would be, and the next call goes on with the next element. One thread at a time. In a forked child this is
/// a copy: it gives PoolNotRunning, and may be destroyed.
template <class R>
class [[nodiscard("the call is given up when its results are dropped")]] ImapResults {
    using slot = typename detail::call::stream<R>::slot;

public:
    /// A result as next() returns it: an optional value; for tasks that return nothing, whether there was
    /// one.
    using next_type = std::conditional_t<std::is_void_v<R>, bool, std::optional<detail::call::stored<R>>>;

    ImapResults(ImapResults&&) noexcept = default;
    ImapResults& operator=(ImapResults&& other) noexcept {
        std::swap(stream_, other.stream_);
        return *this;
    }
    ~ImapResults() {
        if (stream_) stream_->abandon();
    }

    /// The next result; nothing after the last one.
    /// @throws the element's error; what the input range throws, after the results of the elements before.
    next_type next() { return unwrap(stream_->next()); }

    /// The same, but waits for a limited time.
    /// @throws TimeoutError if the time is over; the result isn't lost, a later call returns it.
    template <class Rep, class Period>
    next_type next(std::chrono::duration<Rep, Period> timeout) {
        return unwrap(stream_->next(detail::deadline_in(timeout)));
    }

    /// Single-pass; an element's error is thrown by operator*.
    class iterator {
    public:
        using value_type = detail::call::stored<R>;
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
        std::optional<slot>& current() const { return results_->stream_->current; }
        ImapResults* results_ = nullptr;
    };

    /// Waits for the first result.
    iterator begin() {
        advance();
        return iterator(this);
    }
    std::default_sentinel_t end() const noexcept { return std::default_sentinel; }

    /// The position in the input of the result that was taken last, by next() or by a loop.
    std::uint64_t index() const noexcept { return stream_->index; }
    /// The same results with their positions: `for (auto [index, value] : ...)`.
    IndexedResults<ImapResults&> with_index() & { return IndexedResults<ImapResults&>(*this); }
    IndexedResults<ImapResults> with_index() && { return IndexedResults<ImapResults>(std::move(*this)); }

private:
    template <class Kind>
    friend class ImapCalls;
    friend ImapOutcomes<R>;
    friend detail::call::stream<R>& detail::stream_of<R>(ImapResults&) noexcept;

    explicit ImapResults(std::unique_ptr<detail::call::stream<R>> stream) : stream_(std::move(stream)) {}

    static next_type unwrap(std::optional<slot> next) {
        if (next && next->error) std::rethrow_exception(next->error);
        if constexpr (std::is_void_v<R>)
            return next.has_value();
        else
            return next ? std::move(next->value) : std::nullopt;
    }

    void advance() {
        stream_->current.reset();  // if the input throws, the loop is at its end
        stream_->current = stream_->next();
    }

    std::unique_ptr<detail::call::stream<R>> stream_;  // on the heap: its iterators must survive a move
};

/// The results of try_imap(): as ImapResults, but for each element its value or its error. Nothing is thrown
/// but what the input throws, and TimeoutError.
template <class R>
class [[nodiscard("the call is given up when its results are dropped")]] ImapOutcomes {
public:
    /// An outcome as next() returns it.
    using next_type = std::optional<Outcome<R>>;

    /// The next outcome; nothing after the last one.
    /// @throws what the input range throws, after the outcomes of the elements before.
    next_type next() { return outcome_of(results_.stream_->next()); }
    /// The same, but waits for a limited time.
    /// @throws TimeoutError if the time is over; the outcome isn't lost, a later call returns it.
    template <class Rep, class Period>
    next_type next(std::chrono::duration<Rep, Period> timeout) {
        return outcome_of(results_.stream_->next(detail::deadline_in(timeout)));
    }

    /// Single-pass.
    class iterator {
    public:
        using value_type = Outcome<R>;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;

        iterator() = default;
        value_type& operator*() const { return *from_->current_; }
        value_type* operator->() const { return &**this; }
        iterator& operator++() {
            from_->advance();
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator& at, std::default_sentinel_t) { return at.is_at_end(); }

    private:
        friend ImapOutcomes;
        explicit iterator(ImapOutcomes* from) : from_(from) {}
        bool is_at_end() const noexcept { return !from_->current_; }
        ImapOutcomes* from_ = nullptr;
    };

    /// Waits for the first outcome.
    iterator begin() {
        advance();
        return iterator(this);
    }
    std::default_sentinel_t end() const noexcept { return std::default_sentinel; }

    /// The position in the input of the outcome that was taken last, by next() or by a loop.
    std::uint64_t index() const noexcept { return results_.index(); }
    /// The same outcomes with their positions: `for (auto [index, outcome] : ...)`.
    IndexedResults<ImapOutcomes&> with_index() & { return IndexedResults<ImapOutcomes&>(*this); }
    IndexedResults<ImapOutcomes> with_index() && { return IndexedResults<ImapOutcomes>(std::move(*this)); }

private:
    template <class Kind>
    friend class ImapCalls;
    explicit ImapOutcomes(ImapResults<R> results) : results_(std::move(results)) {}

    template <class Slot>
    static next_type outcome_of(std::optional<Slot> next) {
        if (!next) return std::nullopt;
        Outcome<R> outcome(std::move(next->error));
        if (!outcome.error()) {
            if constexpr (std::is_void_v<R>)
                outcome = Outcome<R>(std::in_place);
            else
                outcome = Outcome<R>(std::move(*next->value));
        }
        detail::outcome_access::set(outcome, next->facts);
        return outcome;
    }

    void advance() {
        current_.reset();  // if the input throws, the loop is at its end
        current_ = next();
    }

    ImapResults<R> results_;
    next_type current_;  // of the loop
};

}  // namespace procpool::inline v0_1

#endif
