// SPDX-License-Identifier: MIT
// Outcome<T>: what became of one element, a value or an error.
#ifndef PROCPOOL_OUTCOME_HPP
#define PROCPOOL_OUTCOME_HPP

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "procpool/detail/job/element_facts.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1 {

namespace detail {
[[noreturn]] inline void throw_instead_of_value(const std::exception_ptr& error) {
    if (!error) throw Error("procpool: an outcome without a value and without an error");
    std::rethrow_exception(error);
}
/// What it says; nothing if it is null.
std::string text_of(const std::exception_ptr& error);
struct outcome_access;
}  // namespace detail

/// A value or the exception that took its place; it reads like std::expected<T, std::exception_ptr>.
template <class T>
class [[nodiscard("an outcome may hold an error, which nothing throws")]] Outcome {
public:
    /// No value and no error yet.
    Outcome() noexcept = default;
    /// A value.
    Outcome(T value) : value_(std::move(value)) {}
    /// An error.
    Outcome(std::exception_ptr error) noexcept : error_(std::move(error)) {}

    /// Whether there is a value.
    bool has_value() const noexcept { return value_.has_value(); }
    /// The same.
    explicit operator bool() const noexcept { return has_value(); }

    /// The value; undefined if there is none.
    T& operator*() & noexcept { return *value_; }
    /// The same.
    const T& operator*() const& noexcept { return *value_; }
    /// The same, to be moved from.
    T&& operator*() && noexcept { return std::move(*value_); }
    /// A member of the value; undefined if there is none.
    T* operator->() noexcept { return &*value_; }
    /// The same.
    const T* operator->() const noexcept { return &*value_; }

    /// The value. @throws the element's error if there is none.
    T& value() & {
        check();
        return *value_;
    }
    /// The same.
    const T& value() const& {
        check();
        return *value_;
    }
    /// The same, to be moved from.
    T&& value() && {
        check();
        return std::move(*value_);
    }
    /// The value, or `other` if there is none.
    template <class U>
    T value_or(U&& other) const& {
        return has_value() ? *value_ : static_cast<T>(std::forward<U>(other));
    }
    /// The same, moved out.
    template <class U>
    T value_or(U&& other) && {
        return has_value() ? std::move(*value_) : static_cast<T>(std::forward<U>(other));
    }

    /// The error; null if there is a value.
    const std::exception_ptr& error() const noexcept { return error_; }
    /// The error's text, for messages; empty if there is none.
    std::string what() const { return detail::text_of(error_); }

    /// Times that the element was begun: 2 or more if it has failed before (see the option `retries`).
    std::uint32_t attempts() const noexcept { return attempts_; }
    /// Whether it was asked to stop before it ended (see the option `soft_timeout`).
    bool asked_to_stop() const noexcept { return asked_to_stop_; }

private:
    friend detail::outcome_access;
    void check() const {
        if (!has_value()) detail::throw_instead_of_value(error_);
    }

    std::optional<T> value_;
    std::uint32_t attempts_ = 1;
    bool asked_to_stop_ = false;
    std::exception_ptr error_;
};

/// What became of an element of a task that returns nothing.
template <>
class [[nodiscard("an outcome may hold an error, which nothing throws")]] Outcome<void> {
public:
    Outcome() noexcept = default;
    /// A success.
    explicit Outcome(std::in_place_t) noexcept : has_value_(true) {}
    /// An error.
    Outcome(std::exception_ptr error) noexcept : error_(std::move(error)) {}

    /// Whether the task returned.
    bool has_value() const noexcept { return has_value_; }
    /// The same.
    explicit operator bool() const noexcept { return has_value(); }
    /// Does nothing: there is no value.
    void operator*() const noexcept {}
    /// Returns if the task did.
    /// @throws the element's error if it failed.
    void value() const {
        if (!has_value_) detail::throw_instead_of_value(error_);
    }
    /// The error; null if the task returned.
    const std::exception_ptr& error() const noexcept { return error_; }
    /// The error's text, for messages; empty if there is none.
    std::string what() const { return detail::text_of(error_); }

    /// Times that the element was begun: 2 or more if it has failed before (see the option `retries`).
    std::uint32_t attempts() const noexcept { return attempts_; }
    /// Whether it was asked to stop before it ended (see the option `soft_timeout`).
    bool asked_to_stop() const noexcept { return asked_to_stop_; }

private:
    friend detail::outcome_access;
    bool has_value_ = false;
    std::uint32_t attempts_ = 1;
    bool asked_to_stop_ = false;
    std::exception_ptr error_;
};

/// For the library itself.
struct detail::outcome_access {
    template <class T>
    static void set(Outcome<T>& of, const job::element_facts& facts) noexcept {
        of.attempts_ = facts.attempts;
        of.asked_to_stop_ = facts.asked_to_stop;
    }
};

}  // namespace procpool::inline v0_1

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/outcome_impl.hpp"
#endif

#endif
