// SPDX-License-Identifier: MIT
// Waits for any of several watchables; each is watched under a number of the caller's.
//
// The completion port only wakes: what is ready is asked, so that it stays ready until it was dealt with.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_POLLER_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_POLLER_HPP

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/windows/watchable.hpp"

namespace procpool::inline v0_1::detail::os {

class poller {
public:
    enum class interest : std::uint32_t {
        read,
        write,
        read_once_per_arrival,
        end_once,  // never told: a process that ends is news by itself
    };

    struct ready {
        std::uint64_t key;
        bool readable;  // data, end of file, or an error that a read will tell
        bool writable;
    };

    poller() = default;
    poller(const poller&) = delete;
    poller& operator=(const poller&) = delete;
    ~poller() {
        for (const entry& one : entries_) one.what->detach(*port_);
        entries_.clear();
        // What was cancelled is still to come, and its memory lives until then.
        constexpr unsigned long longest_pause = 5;
        while (port_->take(longest_pause)) {
        }
    }

    /// To be called before the first operation on what is added later.
    void prepare(const fd& file) { file.watched()->attach(port_); }

    void add(const fd& file, interest what, std::uint64_t key) {
        if (what == interest::end_once) return;
        prepare(file);
        {
            const std::lock_guard lock(mutex_);
            entries_.push_back({file.watched(), what, key, 0});
        }
        port_->ring();  // whoever waits looks at it
    }
    void remove(const fd& file) noexcept {
        if (!file.watched()) return;
        const std::lock_guard lock(mutex_);
        std::erase_if(entries_, [&](const entry& one) { return one.what == file.watched(); });
    }

    /// Blocks until something is ready, `until` has come, or for some seconds, whatever is first; what is
    /// ready stays valid until the next call. May return for no reason.
    std::span<const ready> wait(steady_time until) {
        // What is here already has its turn before who waits sleeps.
        port_->take(0);
        if (const auto found = collect(); !found.empty()) return found;
        const unsigned long milliseconds = milliseconds_to(until);
        if (milliseconds == 0 || !port_->take(milliseconds)) return {};
        return collect();
    }
    /// As precisely as the system can.
    std::span<const ready> wait_precisely(steady_time until) { return wait(until); }
    /// What is ready now.
    std::span<const ready> poll() {
        port_->take(0);
        return collect();
    }

private:
    struct entry {
        std::shared_ptr<watchable> what;
        interest for_what;
        std::uint64_t key;
        std::uint64_t arrivals;  // that were told
    };

    std::span<const ready> collect() noexcept {
        const std::lock_guard lock(mutex_);
        std::size_t found = 0;
        bool some_closed = false;
        const std::size_t count = entries_.size();
        for (std::size_t i = 0; i < count && found < ready_.size(); ++i) {
            entry& one = entries_[(first_ + i) % count];
            const watchable::state now = one.what->look();
            some_closed = some_closed || now.closed;
            if (now.closed) continue;
            const bool readable =
                now.readable &&
                (one.for_what == interest::read ||
                 (one.for_what == interest::read_once_per_arrival && now.arrivals != one.arrivals));
            const bool writable = now.writable && one.for_what == interest::write;
            if (!readable && !writable) continue;
            one.arrivals = now.arrivals;
            ready_[found++] = {one.key, readable, writable};
        }
        // Others are first the next time.
        first_ = count == 0 ? 0 : (first_ + 1) % count;
        if (some_closed) std::erase_if(entries_, [](const entry& one) { return one.what->look().closed; });
        return {ready_.data(), found};
    }

    /// Not for ever, as on other systems.
    static unsigned long milliseconds_to(steady_time until) {
        constexpr std::chrono::milliseconds most{2000};
        const auto now = std::chrono::steady_clock::now();
        if (until >= now + most) return static_cast<unsigned long>(most.count());
        if (until <= now) return 0;
        return static_cast<unsigned long>(std::chrono::ceil<std::chrono::milliseconds>(until - now).count());
    }

    const std::shared_ptr<completion_port> port_ = std::make_shared<completion_port>();
    std::mutex mutex_;
    std::vector<entry> entries_;
    std::size_t first_ = 0;
    std::array<ready, 64> ready_;
};

}  // namespace procpool::inline v0_1::detail::os

#endif
