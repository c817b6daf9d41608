// SPDX-License-Identifier: MIT
// What items in queues refer to, kept by the process that has put them until they are taken.
#ifndef PROCPOOL_DETAIL_SHARED_PINNED_ITEMS_HPP
#define PROCPOOL_DETAIL_SHARED_PINNED_ITEMS_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <list>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/shared/object.hpp"
#include "procpool/detail/shared/record_queue.hpp"
#include "procpool/detail/shared/wait_counter.hpp"
#include "procpool/detail/wire/sink.hpp"

namespace procpool::inline v0_1::detail::shared {

/// Those of this process. Thread-safe; guarded by hold_forks(), so that no child inherits it locked.
class pinned_items {
public:
    static pinned_items& instance() {
        static auto* const all = new pinned_items;  // leaked: queues of static lifetime end after it would
        return *all;
    }

    /// Keeps `pins` until so many items have been taken from the queue.
    void keep_until(const object<record_queue>& queue, std::uint32_t taken, wire::pins pins) {
        std::list<entry> one;
        one.push_back({queue, taken, std::move(pins)});
        const auto lock = os::fd_registry::instance().hold_forks();
        entries_.splice(entries_.end(), one);
        number_.store(entries_.size(), std::memory_order_relaxed);
    }

    /// Lets go of what belongs to items that were taken.
    void sweep() noexcept {
        if (number_.load(std::memory_order_relaxed) == 0) return;
        std::list<entry> over;  // ends without the lock: that may take a while
        const auto lock = os::fd_registry::instance().hold_forks();
        for (auto at = entries_.begin(); at != entries_.end();) {
            const auto next = std::next(at);
            if (at->is_over()) over.splice(over.end(), entries_, at);
            at = next;
        }
        number_.store(entries_.size(), std::memory_order_relaxed);
    }

    /// Waits until all items are taken that this process has put into a queue with pins.
    void wait_until_taken(const object<record_queue>& queue) {
        wait_counter& taken = queue->taken();
        for (;;) {
            const std::uint32_t count = taken.count();
            sweep();
            if (!has_some_of(queue)) return;
            taken.wait_past(count, steady_time::max());
        }
    }

private:
    struct entry {
        object<record_queue> queue;
        std::uint32_t until;
        wire::pins pins;

        bool is_over() const noexcept {
            // What a forked child has inherited it can't see, and doesn't hold.
            if (!queue.segment()->is_of_this_process()) return true;
            return !queue->taken().is_before(until);
        }
    };

    bool has_some_of(const object<record_queue>& queue) const {
        const auto lock = os::fd_registry::instance().hold_forks();
        for (const entry& one : entries_)
            if (one.queue == queue) return true;
        return false;
    }

    std::list<entry> entries_;
    std::atomic<std::size_t> number_{0};  // of entries, for a quick check
};

}  // namespace procpool::inline v0_1::detail::shared

#endif
