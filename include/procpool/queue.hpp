// SPDX-License-Identifier: MIT
// Queue, SimpleQueue, JoinableQueue: items from any process to any other.
#ifndef PROCPOOL_QUEUE_HPP
#define PROCPOOL_QUEUE_HPP

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/shared/typed_queue.hpp"
#include "procpool/detail/wire/handle.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1 {

namespace detail {

/// What the queues have in common. A queue that was passed as one kind stays that kind.
template <class T, class Derived>
class basic_queue : public wire::travels_as_handle<Derived> {
public:
    using value_type = T;

    /// Appends an item, and waits for room if the queue is full.
    /// @throws QueueClosed if it was closed in this process
    /// @throws std::system_error with errc::not_enough_memory if there is no memory for the item, which is
    /// not in the queue then, nor is one whose serialisation throws
    void put(const T& item) const { queue_.put(item, steady_time::max()); }

    /// Takes the first item, and waits for one if there is none.
    /// @throws QueueClosed if it was closed in this process
    /// @throws SerializationError if the item can't be rebuilt here; it is out of the queue
    T get() const { return *queue_.get(steady_time::max()); }

    /// Whether there is no item just now.
    bool empty() const { return queue_.state()->size() == 0; }

    /// From now on put() and get() of this process throw, by this object and its copies. Items stay, and
    /// others go on.
    void close() const noexcept { queue_.close(); }

    /// Whether both are handles of the same queue.
    friend bool operator==(const Derived& a, const Derived& b) noexcept {
        return a.queue_.state() == b.queue_.state();
    }

protected:
    explicit basic_queue(std::int64_t maxsize) : queue_(maxsize) {}
    explicit basic_queue(const shared::typed_queue<T>& queue) noexcept : queue_(queue) {}

    const shared::typed_queue<T>& queue() const noexcept { return queue_; }

private:
    friend wire::travels_as_handle<Derived>;
    friend wire::codec<Derived>;

    void encode(const wire::sink& out) const { queue_.state().encode(out); }
    static Derived decode(wire::cursor& from) { return Derived(shared::typed_queue<T>::decode(from)); }

    shared::typed_queue<T> queue_;
};

/// And what those have in common that may be bounded.
template <class T, class Derived>
class basic_bounded_queue : public basic_queue<T, Derived> {
    using base = basic_queue<T, Derived>;

public:
    using base::get, base::put;

    /// The same, for some time at the most.
    /// @throws Full if there is no room in time
    template <class Rep, class Period>
    void put(const T& item, std::chrono::duration<Rep, Period> timeout) const {
        if (!this->queue().put(item, deadline_in(timeout))) refuse_full();
    }
    /// Appends an item if there is room now. Somebody who is putting one gets a tenth of a second for that.
    /// @throws Full if there is none
    void put_nowait(const T& item) const {
        if (!try_put(item)) refuse_full();
    }
    /// The same. @return whether there was room
    bool try_put(const T& item) const { return this->queue().put(item, shared::record_queue::at_once); }

    /// The same, for some time at the most.
    /// @throws Empty if there is no item in time
    template <class Rep, class Period>
    T get(std::chrono::duration<Rep, Period> timeout) const {
        return checked(this->queue().get(deadline_in(timeout)));
    }
    /// Takes an item if there is one now. Somebody who is taking one gets a tenth of a second for that.
    /// @throws Empty if there is none
    T get_nowait() const { return checked(try_get()); }
    /// The same; nothing if there is none.
    std::optional<T> try_get() const { return this->queue().get(shared::record_queue::at_once); }
    /// Takes the first item; nothing if there is none in time.
    template <class Rep, class Period>
    std::optional<T> try_get(std::chrono::duration<Rep, Period> timeout) const {
        return this->queue().get(deadline_in(timeout));
    }

    /// Whether there is no room just now.
    bool full() const { return this->queue().state()->full(); }
    /// Number of items just now.
    std::int64_t qsize() const { return this->queue().state()->size(); }

    /// Waits until this process may end without harm to what it has put. That is so at once, since put()
    /// itself brings an item where everybody can take it, but for items that hold shared arrays, locks,
    /// queues or the like: their receivers find those through this process, so they must be taken first.
    void join_thread() const { this->queue().wait_until_unpinned(); }
    /// Does nothing: no process waits for its items when it ends. It is there for those who know it.
    void cancel_join_thread() const noexcept {}

protected:
    using base::base;

private:
    [[noreturn]] static void refuse_full() {
        throw Full("procpool: the queue is full: nobody has taken an item in time");
    }
    static T checked(std::optional<T> item) {
        if (!item) throw Empty("procpool: the queue is empty: nobody has put an item in time");
        return std::move(*item);
    }
};

}  // namespace detail

/// Items that any process puts and any process gets, first in, first out.
///
/// It lies in shared memory; what is passed to processes, tasks and initializers is a handle, and a copy is
/// another handle of the same queue. T is what a task could take or return. As in Python, but for this: put()
/// needs no thread; when it returns, the item is where everybody sees it, and stays if the process ends. A
/// process that dies in put() or get(), wherever it is, blocks nobody, and what is lost is at the most the
/// item that it was putting or getting. One that is stopped while it waits there keeps nothing from others;
/// in the midst of an item it keeps those waiting whose calls have no limit. Thread-safe.
template <class T>
class Queue : public detail::basic_bounded_queue<T, Queue<T>> {
    using base = detail::basic_bounded_queue<T, Queue<T>>;

public:
    /// For up to `maxsize` items, or any number if that is not positive. The memory for items is taken as
    /// they come and used again.
    /// @throws std::system_error if the system gives no memory or no file descriptor, or allows
    /// no file as large
    explicit Queue(std::int64_t maxsize = 0) : base(maxsize) {}

private:
    template <class, class>
    friend class detail::basic_queue;
    explicit Queue(const detail::shared::typed_queue<T>& queue) noexcept : base(queue) {}
};

/// A queue without a limit, and with less to it.
template <class T>
class SimpleQueue : public detail::basic_queue<T, SimpleQueue<T>> {
    using base = detail::basic_queue<T, SimpleQueue<T>>;

public:
    /// @throws std::system_error if the system gives no memory or no file descriptor
    SimpleQueue() : base(0) {}

private:
    template <class, class>
    friend class detail::basic_queue;
    explicit SimpleQueue(const detail::shared::typed_queue<T>& queue) noexcept : base(queue) {}
};

/// A Queue that knows whether what was taken from it has been done.
///
/// An item whose receiver dies is never done: where that may be, give join() a timeout.
template <class T>
class JoinableQueue : public detail::basic_bounded_queue<T, JoinableQueue<T>> {
    using base = detail::basic_bounded_queue<T, JoinableQueue<T>>;

public:
    /// As a Queue.
    explicit JoinableQueue(std::int64_t maxsize = 0) : base(maxsize) {}

    /// Says that one item is done that was taken.
    /// @throws std::invalid_argument if all are that were taken
    void task_done() const {
        if (!this->queue().state()->item_done())
            throw std::invalid_argument(
                "procpool: task_done() was called too many times: all items that "
                "were taken are done");
    }

    /// Waits until all items that were put are done.
    void join() const { this->queue().state()->wait_until_done(detail::steady_time::max()); }
    /// The same, for some time at the most. @return whether they are
    template <class Rep, class Period>
    bool join(std::chrono::duration<Rep, Period> timeout) const {
        return this->queue().state()->wait_until_done(detail::deadline_in(timeout));
    }

private:
    template <class, class>
    friend class detail::basic_queue;
    explicit JoinableQueue(const detail::shared::typed_queue<T>& queue) noexcept : base(queue) {}
};

}  // namespace procpool::inline v0_1

#endif
