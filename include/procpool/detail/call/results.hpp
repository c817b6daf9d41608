// SPDX-License-Identifier: MIT
// Where a job's results land: one value, all in order, all outcomes, or a stream.
#ifndef PROCPOOL_DETAIL_CALL_RESULTS_HPP
#define PROCPOOL_DETAIL_CALL_RESULTS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/detail/call/index_set.hpp"
#include "procpool/detail/job/element_callbacks.hpp"
#include "procpool/detail/job/element_facts.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/error.hpp"
#include "procpool/outcome.hpp"

namespace procpool::inline v0_1::detail::call {

/// What a void task leaves behind.
struct nothing {};

template <class R>
using stored = std::conditional_t<std::is_void_v<R>, nothing, R>;

[[noreturn]] inline void throw_taken() {
    throw Error("procpool: the result was taken already by an earlier get()");
}

/// The result of apply().
template <class R>
class one_result {
public:
    using result = R;
    static constexpr bool seen_as_a_whole = false;

    void expect(std::uint64_t) {}
    void store(std::uint64_t, stored<R>&& value) { value_.emplace(std::move(value)); }
    void fail(std::uint64_t, std::exception_ptr error) noexcept { error_ = std::move(error); }
    void publish(std::uint64_t, std::uint64_t) noexcept {}

    std::exception_ptr error(const std::exception_ptr& whole) const noexcept {
        return error_ ? error_ : whole;
    }
    stored<R>& value(std::uint64_t) {
        if (!value_) throw_taken();
        return *value_;
    }
    void taken() noexcept { value_.reset(); }

private:
    std::optional<stored<R>> value_;
    std::exception_ptr error_;
};

/// Results that can be told one by one, too.
struct told_one_by_one {
    job::element_callbacks* told = nullptr;

    void tell_error(std::uint64_t index, const std::exception_ptr& error) const {
        if (told) told->fail(index, error);
    }
};

/// The results of map(): a vector in input order, or the first error that came.
template <class R>
class all_results : public told_one_by_one {
public:
    using element = R;
    using result = std::conditional_t<std::is_void_v<R>, void, std::vector<R>>;
    static constexpr bool seen_as_a_whole = true;

    /// Results land in the vector that the user gets, where its elements can be made in advance.
    static constexpr bool in_place = !std::is_void_v<R> && !std::is_same_v<R, bool> &&
                                     std::is_default_constructible_v<R> && std::is_move_assignable_v<R>;

    void expect(std::uint64_t count) {
        if constexpr (!std::is_void_v<R>) slots_.resize(count);
    }

    void store(std::uint64_t index, stored<R>&& value) {
        if constexpr (in_place)
            slot(index) = std::move(value);
        else if constexpr (!std::is_void_v<R>)
            slot(index).emplace(std::move(value));
    }

    /// In place of expect(), where results come through place(), which makes them then: nobody waits until
    /// all are cleared. @return where they will be
    stored<R>* reserve(std::uint64_t count)
        requires in_place && std::is_trivially_copyable_v<R>
    {
        slots_.reserve(count);
        return slots_.data();
    }
    /// Where `count` results from `first` on may be written as bytes.
    stored<R>* place(std::uint64_t first, std::uint64_t count)
        requires in_place && std::is_trivially_copyable_v<R>
    {
        constexpr std::size_t ahead = 1 + 4096 / sizeof(stored<R>);  // value() cuts off what is too much
        const auto end = first + count;
        if (end > slots_.size()) slots_.resize(std::max(end, std::min(end + ahead, slots_.capacity())));
        return slots_.data() + first;
    }

    void fail(std::uint64_t index, std::exception_ptr error) {
        tell_error(index, error);
        if (!error_) error_ = std::move(error);
    }
    /// Of an element that has one, where expect() was told how many there are.
    const void* value_of(std::uint64_t index) const noexcept {
        if constexpr (std::is_void_v<R>)
            return nullptr;
        else if constexpr (in_place)
            return &slots_[index];
        else
            return &*slots_[index];
    }
    void publish(std::uint64_t, std::uint64_t) noexcept {}

    std::exception_ptr error(const std::exception_ptr& whole) const noexcept {
        return error_ ? error_ : whole;
    }

    stored<result>& value(std::uint64_t count) {
        if constexpr (std::is_void_v<R>) {
            return values_;
        } else if constexpr (in_place) {
            slots_.resize(count);
            return slots_;
        } else {
            if (!gathered_) {
                slots_.resize(count);  // a pool may have shrunk since expect()
                values_.reserve(count);
                for (auto& slot : slots_) values_.push_back(std::move(*slot));
                slots_ = {};
                gathered_ = true;
            }
            return values_;
        }
    }
    void taken() noexcept {}

private:
    auto& slot(std::uint64_t index) {
        if (index >= slots_.size()) slots_.resize(index + 1);
        return slots_[index];
    }

    using slot_type = std::conditional_t<in_place, stored<R>, std::optional<stored<R>>>;
    std::vector<slot_type> slots_;
    std::conditional_t<in_place, nothing, stored<result>> values_;
    bool gathered_ = false;
    std::exception_ptr error_;
};

/// The results of try_map(): for each element its value or its error, in input order.
template <class R>
class all_outcomes : public told_one_by_one, public job::facts_keeper {
public:
    using element = R;
    using result = std::vector<Outcome<R>>;
    static constexpr bool seen_as_a_whole = true;
    /// There is one for each element of the input, also where a call is stopped before it is read.
    static constexpr bool for_whole_input = true;

    void expect(std::uint64_t count) { outcomes_.resize(count); }

    void store(std::uint64_t index, [[maybe_unused]] stored<R>&& value) {
        if constexpr (std::is_void_v<R>)
            slot(index) = Outcome<void>(std::in_place);
        else
            slot(index) = Outcome<R>(std::move(value));
    }
    void fail(std::uint64_t index, std::exception_ptr error) {
        tell_error(index, error);
        slot(index) = Outcome<R>(std::move(error));
    }
    void note(std::uint64_t index, const job::element_facts& facts) final {
        outcome_access::set(slot(index), facts);
    }
    /// Of an element that has one, where expect() was told how many there are.
    const void* value_of(std::uint64_t index) const noexcept {
        if constexpr (std::is_void_v<R>)
            return nullptr;
        else
            return &*outcomes_[index];
    }
    void publish(std::uint64_t, std::uint64_t) noexcept {}

    std::exception_ptr error(const std::exception_ptr& whole) noexcept {
        whole_ = whole;
        return nullptr;
    }

    result& value(std::uint64_t count) {
        outcomes_.resize(count);
        for (auto& outcome : outcomes_)
            if (!outcome.has_value() && !outcome.error()) outcome = Outcome<R>(whole_);
        return outcomes_;
    }
    void taken() noexcept {}

private:
    Outcome<R>& slot(std::uint64_t index) {
        if (index >= outcomes_.size()) outcomes_.resize(index + 1);
        return outcomes_[index];
    }

    std::vector<Outcome<R>> outcomes_;
    std::exception_ptr whole_;
};

/// The results of imap(), taken one by one: in input order, or as they come.
template <class R>
class stream_of_results : public job::facts_keeper {
public:
    using result = R;  // of each
    static constexpr bool seen_as_a_whole = false;

    struct slot {
        std::optional<stored<R>> value;
        std::exception_ptr error;
        bool ready = false;
        std::uint64_t index = 0;  // of the element, once it is published
        job::element_facts facts = {};
    };

    explicit stream_of_results(bool ordered) : ordered_(ordered) {}

    void expect(std::uint64_t) {}
    // What is stored stays out of the consumer's sight until it is published, in the same order.
    void store(std::uint64_t, stored<R>&& value) { stored_.push_back({std::move(value), nullptr, true}); }
    void fail(std::uint64_t, std::exception_ptr error) {
        stored_.push_back({std::nullopt, std::move(error), true});
    }
    void note(std::uint64_t index, const job::element_facts& facts) final {
        noted_.emplace_back(index, facts);
    }
    void publish(std::uint64_t first, std::uint64_t count) {
        for (std::uint64_t i = first; i < first + count; ++i) {
            slot& next = at(i);
            next = std::move(stored_.front());
            next.index = i;
            stored_.pop_front();
            if (!noted_.empty()) [[unlikely]]
                take_facts(next);
        }
    }

    /// Whether the next result is there.
    bool has_next() const noexcept PROCPOOL_REQUIRES(pool_mutex) {
        return !waiting_.empty() && waiting_.front().ready;
    }

    /// Takes the next result out.
    slot take_next() PROCPOOL_REQUIRES(pool_mutex) {
        slot front = std::move(waiting_.front());
        waiting_.pop_front();
        note_taken(front.index);
        return front;
    }
    /// One of those that won't come. @return its index
    std::uint64_t take_missing() PROCPOOL_REQUIRES(pool_mutex) {
        const std::uint64_t index = ordered_ ? next_ : taken_.first_missing();
        note_taken(index);
        return index;
    }

private:
    void take_facts(slot& of) {
        const auto at = std::find_if(noted_.begin(), noted_.end(),
                                     [&](const auto& noted) { return noted.first == of.index; });
        if (at == noted_.end()) return;
        of.facts = at->second;
        noted_.erase(at);
    }
    void note_taken(std::uint64_t index) {
        ++next_;
        if (!ordered_) taken_.add(index);
    }
    slot& at(std::uint64_t index) {
        if (!ordered_) return waiting_.emplace_back();
        const auto place = index - next_;
        if (place >= waiting_.size()) waiting_.resize(place + 1);
        return waiting_[place];
    }

    const bool ordered_;
    std::deque<slot> stored_;
    std::vector<std::pair<std::uint64_t, job::element_facts>> noted_;  // of those, by index
    std::deque<slot> waiting_;  // in the order in which they are taken; from number `next_` on, if ordered
    std::uint64_t next_ = 0;
    index_set taken_;  // if not ordered
};

}  // namespace procpool::inline v0_1::detail::call

#endif
