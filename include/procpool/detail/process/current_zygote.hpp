// SPDX-License-Identifier: MIT
// The zygote that a pool has now: each that dies is followed by another one.
#ifndef PROCPOOL_DETAIL_PROCESS_CURRENT_ZYGOTE_HPP
#define PROCPOOL_DETAIL_PROCESS_CURRENT_ZYGOTE_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/assert.hpp"
#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/pool_lock.hpp"
#include "procpool/detail/job/unlocked.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/orphans.hpp"
#include "procpool/detail/os/poller.hpp"
#include "procpool/detail/os/signal.hpp"
#include "procpool/detail/process/worker_link.hpp"
#include "procpool/detail/worker/loop.hpp"
#include "procpool/detail/zygote/starter.hpp"
#include "procpool/error.hpp"
#include "procpool/start_method.hpp"

namespace procpool::inline v0_1::detail::process {

/// Knows which zygote has forked a worker, and whether the present one owes news.
template <class = only_if_used>
class basic_current_zygote {
public:
    /// `poller` is told to watch its news under `key`.
    basic_current_zygote(os::poller& poller, std::uint64_t key) : poller_(poller), key_(key) {}

    explicit operator bool() const noexcept { return zygote_ != nullptr; }
    zygote::zygote* operator->() const noexcept {
        PROCPOOL_ASSERT(zygote_);
        return zygote_.get();
    }
    /// Tells it from those before.
    std::uint64_t number() const noexcept { return number_; }
    /// Readable when there is news; empty while there is no zygote.
    const os::fd& news() const noexcept { return zygote_ ? zygote_->control() : no_news_; }

    std::unique_ptr<zygote::zygote> make(const os::fd& memory, const zygote::worker_settings& settings,
                                         const zygote::surroundings& around, const os::fd& preload) const {
        return std::make_unique<zygote::zygote>(memory, &worker::main<>, settings, signal_mask_, &around,
                                                preload);
    }
    void take(std::unique_ptr<zygote::zygote> next) {
        poller_.add(next->control(), os::poller::interest::read, key_);
        zygote_ = std::move(next);
    }
    /// It was found dead, and its workers are dying.
    void lose(std::span<worker_link> workers) {
        poller_.remove(zygote_->control());
        keep_time_of_loss(workers);
        zygote_.reset();
        ++number_;
        expect_nothing();
    }
    /// Takes it out, to end it and what is left of its workers.
    std::unique_ptr<zygote::zygote> release(std::span<worker_link> workers) noexcept {
        keep_time_of_loss(workers);
        return std::move(zygote_);
    }

    struct failed_start {
        std::exception_ptr error;
        bool for_good;  // another would fail like it
    };
    /// Of one that is dead before it could do anything.
    std::optional<failed_start> why_not_started(start_method how) const {
        if (const auto why = zygote_->failed_preload())
            return failed_start{
                std::make_exception_ptr(BootstrapError("procpool: the pool's preload " + *why)), true};
        const auto end = zygote_->failed_start();
        if (!end) return std::nullopt;
        // One that ended by itself: another would do so, too, and until then do what the program does.
        return failed_start{std::make_exception_ptr(BootstrapError("procpool: no worker could be started: " +
                                                                   zygote::end_of_zygote(how, *end))),
                            end->code.has_value()};
    }

    // ---- whether it owes news: then it may have been stopped

    void expect_news() { due_ = std::min(due_, deadline_in(zygote::zygote::answer_timeout)); }
    void expect_nothing() noexcept { due_ = steady_time::max(); }
    steady_time due() const noexcept { return due_; }
    bool is_overdue() const { return std::chrono::steady_clock::now() >= due_; }
    /// It is overdue.
    void rouse() {
        zygote_->rouse();
        due_ = deadline_in(zygote::zygote::answer_timeout);
    }

    /// Of a worker whose zygote was killed before it could report the birth, and so didn't wait for it,
    /// either.
    void add_orphan(const worker_link& worker) noexcept {
        try {
            orphans_.push_back({worker.told_pid(), worker.lost_at});
        } catch (const std::bad_alloc&) {  // then it stays, if it is a child of this process
        }
    }
    /// Waits for the ends of those that were added since the last time, for a second in all.
    void reap_orphans(job::pool_lock& held) noexcept PROCPOOL_REQUIRES(pool_mutex) {
        const auto ending = std::exchange(orphans_, {});
        if (ending.empty()) return;
        const job::unlocked meanwhile(held);
        os::reap_orphans(ending);
    }
    /// The same, where nobody else uses this.
    void reap_orphans() noexcept {
        if (!orphans_.empty()) os::reap_orphans(std::exchange(orphans_, {}));
    }

private:
    /// Those of an earlier zygote keep theirs: another process may have the id of one of them by now.
    static void keep_time_of_loss(std::span<worker_link> workers) noexcept {
        const std::uint64_t now = os::known_now(0).known_at;
        for (worker_link& one : workers)
            if (one.lost_at == 0) one.lost_at = now;
    }

    os::poller& poller_;
    const std::uint64_t key_;
    // The one of the thread that makes the pool, whoever replaces a zygote.
    const os::signal_mask signal_mask_ = os::signal_mask::of_this_thread();
    std::unique_ptr<zygote::zygote> zygote_;  // none after a death until another could be started
    const os::fd no_news_;
    std::uint64_t number_ = 0;
    steady_time due_ = steady_time::max();  // when something that it owes is overdue
    std::vector<os::known_process> orphans_;
};
using current_zygote = basic_current_zygote<>;

}  // namespace procpool::inline v0_1::detail::process

#endif
