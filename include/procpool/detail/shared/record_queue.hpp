// SPDX-License-Identifier: MIT
// A queue of records in shared memory that no death of its users blocks.
#ifndef PROCPOOL_DETAIL_SHARED_RECORD_QUEUE_HPP
#define PROCPOOL_DETAIL_SHARED_RECORD_QUEUE_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <new>
#include <span>
#include <system_error>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/posix/available_memory.hpp"
#include "procpool/detail/posix/robust_mutex.hpp"
#include "procpool/detail/posix/shared_segment.hpp"
#include "procpool/detail/shared/object.hpp"
#include "procpool/detail/shared/progress.hpp"
#include "procpool/detail/shared/record_chain.hpp"

namespace procpool::detail::shared {

/// Those who put and those who get have a lock each, so that they don't wait for each other, and a count,
/// whose one store is what makes an item come or go: a process that dies before it has changed nothing. Who
/// waits for an item or for room holds the lock meanwhile. If it dies the kernel gives the lock to the next,
/// who looks again; so there is never anybody asleep whose call to wake up went to a dead process.
class record_queue {  // NOLINT(clang-analyzer-optin.performance.Padding): each side has its own cache lines
public:
    static constexpr const char* name = "Queue";

    /// The deadline of a call that doesn't wait.
    static constexpr steady_time at_once = steady_time::min();

    /// `capacity` 0: no limit.
    explicit record_queue(std::uint32_t capacity) : capacity_(capacity) {}

    static object<record_queue> make(std::uint32_t capacity) {
        // Addresses cost nothing, but may be limited.
        constexpr std::uint64_t least = std::uint64_t{64} << 20, most = std::uint64_t{64} << 30;
        for (std::uint64_t room = std::clamp(2 * posix::physical_memory(), least, most);; room /= 2) {
            try {
                return object<record_queue>::make_in(room, posix::extent::addresses, capacity);
            } catch (const std::system_error& error) {
                if (error.code() != std::errc::not_enough_memory || room / 2 < least) throw;
            }
        }
    }

    std::uint32_t size() const noexcept { return put_.ahead_of(got_.count()); }
    bool full() const noexcept { return capacity_ != 0 && size() >= capacity_; }
    std::uint32_t capacity() const noexcept { return capacity_; }

    /// Appends an item of `size` bytes, which `write` writes. @return false if it is full until the deadline
    template <class Write>
    bool put(const posix::shared_segment& segment, std::size_t size, bool pinned, steady_time deadline,
             const Write& write) {
        if (!enter(put_lock_, deadline, [&] { return !full(); })) return false;
        const std::unique_lock lock(put_lock_, std::adopt_lock);
        for (bool in_time = deadline != at_once; full();) {
            if (!in_time) return false;
            const std::uint32_t got = got_.count();
            if (full()) in_time = got_.wait_past(got, deadline);
        }
        write(tail_.append(memory_in(segment), put_.count(), taken_, size, pinned));
        put_.advance();
        return true;
    }

    /// Calls `read` with the next item and with whether it must be decoded at once; then the item is gone,
    /// unless that throws std::bad_alloc. @return false if there is none until the deadline
    template <class Read>
    bool get(const posix::shared_segment& segment, steady_time deadline, const Read& read) {
        if (!enter(get_lock_, deadline, [&] { return size() > 0; })) return false;
        const std::unique_lock lock(get_lock_, std::adopt_lock);
        const std::uint32_t got = got_.count();
        for (bool in_time = deadline != at_once; size() == 0;) {
            if (!in_time) return false;
            in_time = put_.wait_past(got, deadline);
        }
        const record_memory memory = memory_in(segment);
        const record_head::record item = head_.front(memory, got);
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

    /// Items that were taken so far.
    progress& taken() noexcept { return got_; }
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
    /// Locks one end. @return false if that isn't possible in time, and there is nothing to do there
    template <class Ready>
    static bool enter(posix::robust_mutex& end, steady_time deadline, const Ready& ready) {
        auto result = deadline == at_once ? posix::lock_result::busy : end.lock_until(deadline);
        while (result == posix::lock_result::busy) {
            // Who holds it waits, or has all but done what is to be done; then another one may come and wait.
            if (!ready()) return false;
            result = end.try_lock();
            if (result == posix::lock_result::busy)
                result = end.lock_until(std::chrono::steady_clock::now() + std::chrono::milliseconds(1));
        }
        if (result == posix::lock_result::own)
            throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                                    "procpool: an item of a queue uses that queue while it is encoded or "
                                    "decoded");
        return true;
    }

    static record_memory memory_in(const posix::shared_segment& segment) noexcept {
        constexpr std::size_t first = (sizeof(record_queue) + 4095) / 4096 * 4096;
        return {segment.file(), first, {segment.data() + first, segment.size() - first}};
    }

    void take(const record_head::record& item, std::uint32_t got) {
        head_.leave(item, got);
        got_.advance();
        taken_.store(item.end, std::memory_order_release);
    }

    void trim(const record_memory& memory) {
        if (!tail_.is_large() || put_lock_.try_lock() == posix::lock_result::busy) return;
        const std::unique_lock lock(put_lock_, std::adopt_lock);
        if (size() == 0) tail_.trim(memory, put_.count());
    }

    static constexpr std::size_t line = 64;  // what one side writes, the other doesn't have to fetch

    const std::uint32_t capacity_;
    alignas(line) posix::robust_mutex put_lock_;
    record_tail tail_;
    alignas(line) progress put_;
    alignas(line) posix::robust_mutex get_lock_;
    record_head head_;
    alignas(line) progress got_;
    taken_until taken_{0};  // as the head says, but it may lag behind after a death
    alignas(line) posix::robust_mutex done_lock_;
    progress done_;
};

}  // namespace procpool::detail::shared

#endif
