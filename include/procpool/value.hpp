// SPDX-License-Identifier: MIT
// Value, Array, RawValue, RawArray: plain data that processes share, with a lock or without.
#ifndef PROCPOOL_VALUE_HPP
#define PROCPOOL_VALUE_HPP

#include <array>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <mutex>
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/shared/object.hpp"
#include "procpool/detail/shared/owned_lock.hpp"
#include "procpool/detail/wire/handle.hpp"
#include "procpool/lock.hpp"
#include "procpool/shared_array.hpp"

namespace procpool::inline v0_1 {

namespace detail::shared {

/// What can be shared: its bytes are all there is to it.
template <class T>
consteval bool check_shared_value() {
    static_assert(!std::is_pointer_v<T> && !std::is_member_pointer_v<T> && !std::is_reference_v<T>,
                  "procpool: a shared value can't be a pointer or a reference: it means nothing in another "
                  "process; share the value itself");
    static_assert(std::is_trivially_copyable_v<T> && !std::is_const_v<T> && !std::is_volatile_v<T>,
                  "procpool: a shared value is plain data (a number, or a trivially copyable struct of "
                  "them): a type that owns memory, as std::string does, can't be shared");
    return true;
}

template <class T>
struct raw_value_state {
    static constexpr const char* name = "RawValue";

    explicit raw_value_state(const T& initial) noexcept : value(initial) {}

    T value;
};

/// The value is the one that `current` says. A change makes the other one first, and then says so: who dies
/// in the middle has changed nothing.
template <class T>
struct value_state {
    static constexpr const char* name = "Value";

    explicit value_state(const T& initial) : values{initial, initial} {}

    lock_state lock;
    std::array<T, 2> values;
    std::atomic<std::uint32_t> current{0};
};

}  // namespace detail::shared

/// One T in shared memory, without a lock: `RawValue<double> seconds(1.5);`
///
/// T is plain data. What is passed to processes is a handle, as that of a Lock. One that somebody writes
/// while others use it is a data race, as between threads; std::atomic_ref works between processes, too.
template <class T>
class RawValue : public detail::wire::travels_as_handle<RawValue<T>> {
    static_assert(detail::shared::check_shared_value<T>());

public:
    using value_type = T;

    /// @throws std::system_error if the system gives no memory or no file descriptor
    explicit RawValue(const T& initial = T{}) : state_(detail::shared::object<state>::make(initial)) {}

    /// The value itself, in shared memory; good for as long as a handle in this process is.
    T& value() const { return state_->value; }

    /// Whether both are handles of the same value.
    friend bool operator==(const RawValue& a, const RawValue& b) noexcept { return a.state_ == b.state_; }

private:
    using state = detail::shared::raw_value_state<T>;
    friend detail::wire::travels_as_handle<RawValue>;
    friend detail::wire::codec<RawValue>;

    explicit RawValue(const detail::shared::object<state>& object) noexcept : state_(object) {}
    void encode(const detail::wire::sink& out) const { state_.encode(out); }
    static RawValue decode(detail::wire::cursor& from) {
        return RawValue(detail::shared::object<state>::decode(from));
    }

    detail::shared::object<state> state_;
};

/// One T in shared memory, with its lock: `Value<long> count(0); count.update([](long& n) { ++n; });`
///
/// T is plain data. Reading, setting and updating take the lock, and are done or not: a process that dies in
/// the middle leaves the value as it was before. To do several of them together, hold get_lock() meanwhile;
/// who dies with that is told as with every RLock. What is passed to processes is a handle, as that of a
/// Lock. Thread-safe.
template <class T>
class Value : public detail::wire::travels_as_handle<Value<T>> {
    static_assert(detail::shared::check_shared_value<T>());

public:
    using value_type = T;

    /// @throws std::system_error if the system gives no memory or no file descriptor
    explicit Value(const T& initial = T{}) : Value(detail::shared::object<state>::make(initial)) {}

    /// @throws LockOwnerDied if a process died while it held get_lock()
    T value() const {
        const locked here(*this);
        return here.now();
    }
    /// @throws LockOwnerDied as value()
    void set_value(const T& value) const { locked(*this).change(value); }

    /// Calls `change(T&)` with the lock held. What it has done to the T is the value when it returns, and
    /// nothing if it throws. @return what it returns
    /// @throws LockOwnerDied as value()
    template <std::invocable<T&> Change>
    auto update(Change&& change) const {
        const locked here(*this);
        T changed = here.now();
        if constexpr (std::is_void_v<std::invoke_result_t<Change, T&>>) {
            std::invoke(std::forward<Change>(change), changed);
            here.change(changed);
        } else {
            auto result = std::invoke(std::forward<Change>(change), changed);
            here.change(changed);
            return result;
        }
    }

    /// Its lock, for more than one call.
    const RLock& get_lock() const noexcept { return lock_; }

    /// Whether both are handles of the same value.
    friend bool operator==(const Value& a, const Value& b) noexcept { return a.state_ == b.state_; }

private:
    using state = detail::shared::value_state<T>;
    friend detail::wire::travels_as_handle<Value>;
    friend detail::wire::codec<Value>;

    class locked {
    public:
        explicit locked(const Value& of) : lock_(of.lock_.lock_), shared_(*of.state_) {
            lock_.lock_until(detail::steady_time::max(), detail::shared::relock::counted,
                             detail::shared::death::of_no_matter);
        }
        locked(const locked&) = delete;
        locked& operator=(const locked&) = delete;
        ~locked() { lock_.unlock(); }

        T now() const noexcept { return shared_.values[shared_.current.load()]; }
        void change(const T& value) const noexcept {
            const std::uint32_t other = 1 - shared_.current.load();
            shared_.values[other] = value;
            shared_.current.store(other);
        }

    private:
        const detail::shared::owned_lock& lock_;
        state& shared_;
    };

    explicit Value(const detail::shared::object<state>& object) noexcept
        : state_(object), lock_(state_.part(&state::lock)) {}
    void encode(const detail::wire::sink& out) const { state_.encode(out); }
    static Value decode(detail::wire::cursor& from) {
        return Value(detail::shared::object<state>::decode(from));
    }

    detail::shared::object<state> state_;
    RLock lock_;  // which lies in it
};

/// Elements in shared memory, in one dimension, without a lock: `RawArray<double> samples({1000});`
template <class T>
using RawArray = SharedArray<T, 1>;

/// Elements in shared memory with a lock: `Array<int> bins(10);`
///
/// Access to an element doesn't lock anything, as long as nobody does: hold get_lock(), or use update(),
/// where others may write at the same time. What is passed to processes is a handle, as that of a
/// SharedArray.
template <class T>
class Array : public detail::wire::travels_as_handle<Array<T>> {
public:
    using value_type = T;
    using iterator = T*;

    /// So many elements, all zero bytes.
    /// @throws std::system_error as SharedArray's constructor does
    explicit Array(std::size_t size) : elements_({size}) {}
    /// Elements, listed: `Array<int>::of({1, 2, 3})`.
    static Array of(std::initializer_list<T> elements) { return Array(RawArray<T>::of(elements)); }
    /// A copy of the elements of a range.
    template <std::ranges::forward_range Range>
    static Array of(Range&& elements) {
        return Array(RawArray<T>::of(std::forward<Range>(elements)));
    }

    /// The element with this index, which is not checked.
    T& operator[](std::size_t index) const { return elements_[index]; }
    /// The element with this index.
    /// @throws std::out_of_range
    T& at(std::size_t index) const { return elements_.at(index); }
    /// Number of elements.
    std::size_t size() const noexcept { return elements_.size(); }
    /// Iterates over all elements.
    iterator begin() const noexcept { return elements_.begin(); }
    iterator end() const noexcept { return elements_.end(); }
    /// All elements in order.
    std::span<T> span() const noexcept { return elements_.span(); }

    /// Calls `change(std::span<T>)` with the lock held. @return what it returns
    /// @throws LockOwnerDied if a process died while it held the lock: elements may be half changed
    template <std::invocable<std::span<T>> Change>
    decltype(auto) update(Change&& change) const {
        const std::lock_guard lock(lock_);
        return std::invoke(std::forward<Change>(change), span());
    }

    /// Its lock.
    const RLock& get_lock() const noexcept { return lock_; }
    /// Its elements without it.
    const RawArray<T>& get_obj() const noexcept { return elements_; }

private:
    friend detail::wire::travels_as_handle<Array>;
    friend detail::wire::codec<Array>;

    explicit Array(RawArray<T> elements) : elements_(std::move(elements)) {}
    Array(RawArray<T> elements, RLock lock) : elements_(std::move(elements)), lock_(std::move(lock)) {}
    void encode(const detail::wire::sink& out) const {
        detail::wire::codec<RawArray<T>>::encode(out, elements_);
        detail::wire::codec<RLock>::encode(out, lock_);
    }
    static Array decode(detail::wire::cursor& from) {
        auto elements = detail::wire::codec<RawArray<T>>::decode(from);
        return Array(std::move(elements), detail::wire::codec<RLock>::decode(from));
    }

    RawArray<T> elements_;
    RLock lock_;
};

}  // namespace procpool::inline v0_1

#endif
