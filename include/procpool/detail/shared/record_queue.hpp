// SPDX-License-Identifier: MIT
// A queue of records in shared memory that no death of its users blocks.
#ifndef PROCPOOL_DETAIL_SHARED_RECORD_QUEUE_HPP
#define PROCPOOL_DETAIL_SHARED_RECORD_QUEUE_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <new>
#include <span>
#include <system_error>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/held_locks.hpp"
#include "procpool/detail/os/robust_mutex.hpp"
#include "procpool/detail/os/shared_segment.hpp"
#include "procpool/detail/shared/gate.hpp"
#include "procpool/detail/shared/object.hpp"
#include "procpool/detail/shared/record_chain.hpp"
#include "procpool/detail/shared/wait_counter.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::shared {

/// Those who put and those who get have a lock each, so that they don't wait for each other, and a count,
/// whose one store is what makes an item come or go: a process that dies before it has changed nothing. Who
/// waits for an item or for room does so at a gate, and holds no lock meanwhile.
class record_queue {  // NOLINT(clang-analyzer-optin.performance.Padding): each side has its own cache lines
public:
    static constexpr const char* name = "Queue";

    static constexpr std::size_t head_room = 4096;  // for this object
    static constexpr std::size_t least_room = head_room + record_tail::step;

    /// The deadline of a call that doesn't wait.
    static constexpr steady_time at_once = steady_time::min();

    /// `capacity` 0: no limit.
    explicit record_queue(std::uint32_t capacity) : capacity_(capacity) {}

    template <class = only_if_used>
    static object<record_queue> make(std::uint32_t capacity);

    /// @throws SerializationError if that is less memory than any queue has
    static void require_room(std::size_t there) {
        if (there < least_room) throw SerializationError("procpool: a Queue arrived without its memory");
    }

    std::uint32_t size() const noexcept { return put_.ahead_of(got_.count()); }
    bool full() const noexcept { return capacity_ != 0 && size() >= capacity_; }
    std::uint32_t capacity() const noexcept { return capacity_; }

    /// Appends an item of `size` bytes, which `write` writes. @return false if it is full until the deadline
    template <class Write>
    bool put(const os::shared_segment& segment, std::size_t size, bool pinned, steady_time deadline,
             const Write& write) {
        if (put_now(segment, size, pinned, deadline, write)) return true;
        return deadline != at_once && wait_to_put(deadline, [&, deadline] {
                   return put_now(segment, size, pinned, deadline, write);
               });
    }

    /// Calls `read` with the next item and with whether it must be decoded at once; then the item is gone,
    /// unless that throws std::bad_alloc. @return false if there is none until the deadline
    template <class Read>
    bool get(const os::shared_segment& segment, steady_time deadline, const Read& read) {
        if (get_now(segment, deadline, read)) return true;
        return deadline != at_once &&
               wait_to_get(deadline, [&, deadline] { return get_now(segment, deadline, read); });
    }

    /// Items that were taken so far.
    wait_counter& taken() noexcept { return got_; }
    /// What taken() counts when the item has been taken that is being put.
    std::uint32_t number_of_next() const noexcept { return put_.count() + 1; }

    /// One more item is done. @return false if all that were taken are
    bool item_done() {
        const std::lock_guard lock(done_lock_);
        if (got_.ahead_of(done_.count()) == 0) return false;
        done_.advance();
        return true;
    }
    /// @return false if not all that were put are done at the deadline
    bool wait_until_done(steady_time deadline) {
        for (bool in_time = true;;) {
            const std::uint32_t done = done_.count();
            if (put_.ahead_of(done) == 0) return true;
            if (!in_time) return false;
            in_time = done_.wait_past(done, deadline);
        }
    }

private:
    /// The same, if there is room now.
    template <class Write>
    bool put_now(const os::shared_segment& segment, std::size_t size, bool pinned, steady_time deadline,
                 const Write& write) {
        // A check without the lock. More than that is for those to judge who have it.
        if (capacity_ != 0 && this->size() == capacity_) return false;
        if (!enter(put_lock_, deadline)) return false;
        const std::unique_lock lock(put_lock_, std::adopt_lock);
        if (!has_room()) return false;
        write(tail_.append(memory_in(segment), put_.count(), taken_, size, pinned));
        put_.advance();
        return true;
    }

    /// The same, if there is an item now.
    template <class Read>
    bool get_now(const os::shared_segment& segment, steady_time deadline, const Read& read) {
        if (size() == 0 || !enter(get_lock_, deadline)) return false;
        const std::unique_lock lock(get_lock_, std::adopt_lock);
        const std::uint32_t got = got_.count();
        const std::uint32_t there = put_.ahead_of(got);
        if (there == 0) return false;
        if (capacity_ != 0 && there > capacity_) refuse_damaged_queue();
        const record_memory memory = memory_in(segment);
        const record_head::record item = head_.front(memory, got);
        if (item.bytes.size() > large && !tail_.has_reached(item.end)) refuse_damaged_queue();
        try {
            read(item.bytes, item.pinned);
        } catch (const std::bad_alloc&) {
            throw;
        } catch (...) {
            take(item, got);
            throw;
        }
        take(item, got);
        if (size() == 0) trim(memory);
        return true;
    }

    template <class Attempt>
    [[gnu::noinline]] bool wait_to_put(steady_time deadline, const Attempt& attempt) {
        return put_gate_.wait(deadline, attempt, [&] {
            const std::uint32_t got = got_.count();
            return !full() || got_.wait_past(got, deadline);
        });
    }
    template <class Attempt>
    [[gnu::noinline]] bool wait_to_get(steady_time deadline, const Attempt& attempt) {
        return get_gate_.wait(deadline, attempt, [&] { return put_.wait_past(got_.count(), deadline); });
    }

    /// For who holds the lock of those who put.
    bool has_room() const {
        if (capacity_ == 0) return true;
        const std::uint32_t there = size();
        if (there > capacity_) refuse_damaged_queue();
        return there < capacity_;
    }

    /// Locks one end. @return false if that isn't possible in time
    static bool enter(os::robust_mutex& end, steady_time deadline) {
        const os::lock_result result = end.lock_soon(deadline);
        if (result == os::lock_result::own)
            throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                                    "procpool: an item of a queue uses that queue "
                                    "while it is encoded or decoded");
        return result != os::lock_result::busy;
    }

    static record_memory memory_in(const os::shared_segment& segment) noexcept {
        return {segment.file(), head_room, {segment.data() + head_room, segment.size() - head_room}};
    }

    void take(const record_head::record& item, std::uint32_t got) {
        head_.leave(item, got);
        got_.advance();
        taken_.store(item.end, std::memory_order_release);
    }

    void trim(const record_memory& memory) {
        if (!tail_.is_large() || os::held_locks::are_most()) return;
        if (put_lock_.try_lock() == os::lock_result::busy) return;
        const std::unique_lock lock(put_lock_, std::adopt_lock);
        if (size() == 0) tail_.trim(memory, put_.count());
    }

    static constexpr std::size_t large = 64 << 10;  // to read what isn't there would take memory for it
    static constexpr std::size_t line = 64;         // what one side writes, the other doesn't have to fetch

    const std::uint32_t capacity_;
    alignas(line) os::robust_mutex put_lock_;
    record_tail tail_;
    alignas(line) wait_counter put_;
    alignas(line) os::robust_mutex get_lock_;
    record_head head_;
    alignas(line) wait_counter got_;
    taken_until taken_{0};  // as the head says, but it may lag behind after a death
    alignas(line) gate put_gate_;
    alignas(line) gate get_gate_;
    alignas(line) os::robust_mutex done_lock_;
    wait_counter done_;
};
static_assert(sizeof(record_queue) <= record_queue::head_room);

}  // namespace procpool::inline v0_1::detail::shared

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/shared/record_queue_impl.hpp"
#endif

#endif
