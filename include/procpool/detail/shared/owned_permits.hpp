// SPDX-License-Identifier: MIT
// Permits that know the processes which hold them.
#ifndef PROCPOOL_DETAIL_SHARED_OWNED_PERMITS_HPP
#define PROCPOOL_DETAIL_SHARED_OWNED_PERMITS_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <span>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/futex.hpp"
#include "procpool/detail/os/process_identity.hpp"
#include "procpool/detail/os/robust_mutex.hpp"
#include "procpool/detail/shared/owned_lock.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::shared {

/// Lies in memory that has room for its table.
class owned_permits {
public:
    static constexpr const char* name = "BoundedSemaphore";

    static constexpr std::size_t room_for(std::uint32_t permits) noexcept {
        return sizeof(owned_permits) + permits * sizeof(permit);
    }

    explicit owned_permits(std::uint32_t permits) : size_(permits) {
        for (std::size_t i = 0; i < permits; ++i) new (first() + i) permit;
    }

    void require_room(std::size_t there) const {
        if (there < room_for(size_))
            throw SerializationError("procpool: a BoundedSemaphore arrived without its memory");
    }

    /// @return false if there is no permit until the deadline
    /// @throws LockOwnerDied if there is one again because its holder died
    bool acquire(steady_time deadline) {
        // No word tells when a process dies that isn't waited for.
        constexpr std::chrono::milliseconds recheck_interval{50};
        const os::process_identity own = os::own_identity();
        for (;;) {
            const counted here(waiting_);
            const std::uint32_t seen = released_.load();
            if (take(own, deadline)) return true;
            const auto now = std::chrono::steady_clock::now();
            if (now >= deadline) return false;
            os::futex_wait(released_, seen, std::min(deadline, now + recheck_interval));
        }
    }

    /// @return false if this process holds none
    bool release() {
        const os::process_identity own = os::own_identity();
        {
            const std::lock_guard table(table_);
            permit* const mine = find([&](const permit& one) { return one.holder() == own; });
            if (!mine) return false;
            mine->pid.store(0);
        }
        if (waiting_.load() > 0) os::futex_change_and_wake(released_, os::futex_change::add, 1, 1);
        return true;
    }

    std::uint32_t count() const {
        const auto free = std::ranges::count_if(all(), [](const permit& one) { return one.pid.load() == 0; });
        return static_cast<std::uint32_t>(free);
    }

private:
    struct permit {
        std::atomic<std::int64_t> pid{0};  // 0: free; stored last
        std::atomic<std::uint64_t> started{0};

        os::process_identity holder() const noexcept { return {pid.load(), started.load()}; }
    };

    struct counted {
        explicit counted(std::atomic<std::uint32_t>& number) noexcept : of(number) { of.fetch_add(1); }
        counted(const counted&) = delete;
        counted& operator=(const counted&) = delete;
        ~counted() { of.fetch_sub(1); }
        std::atomic<std::uint32_t>& of;
    };

    bool take(const os::process_identity& own, steady_time deadline) {
        {
            const auto table = enter(deadline);
            if (!table) return false;
            if (permit* const free = find([](const permit& one) { return one.pid.load() == 0; })) {
                free->started.store(own.started);
                free->pid.store(own.pid);
                return true;
            }
        }
        // To identify processes takes a while, so that is done without the lock.
        for (permit& one : all()) {
            const os::process_identity holder = one.holder();
            if (holder.pid == 0 || os::identify(holder.pid) == holder) continue;
            const auto table = enter(deadline);
            if (!table) return false;
            if (one.holder() != holder) continue;
            one.pid.store(0);
            throw owner_died(holder.pid);
        }
        return false;
    }

    std::unique_lock<os::robust_mutex> enter(steady_time deadline) {
        if (table_.lock_soon(deadline) == os::lock_result::busy) return {};
        return std::unique_lock(table_, std::adopt_lock);
    }

    template <class Test>
    permit* find(Test test) {
        const auto at = std::ranges::find_if(all(), test);
        return at == all().end() ? nullptr : &*at;
    }

    permit* first() noexcept { return std::launder(reinterpret_cast<permit*>(this + 1)); }
    const permit* first() const noexcept { return std::launder(reinterpret_cast<const permit*>(this + 1)); }
    std::span<permit> all() noexcept { return {first(), size_}; }
    std::span<const permit> all() const noexcept { return {first(), size_}; }

    os::robust_mutex table_;
    os::futex_word released_{0};
    std::atomic<std::uint32_t> waiting_{0};  // too many after a death, never too few
    const std::uint32_t size_;
};

}  // namespace procpool::inline v0_1::detail::shared

#endif
