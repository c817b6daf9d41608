// SPDX-License-Identifier: MIT
// Who waits, drives: a thread that waits for results moves everybody's work meanwhile.
//
// So a call costs one change of context where a thread of the pool's own would cost three. That thread
// exists too, but it only stands in: it waits for news of workers, and drives while there is work and
// nobody waits.
#ifndef PROCPOOL_DETAIL_PROCESS_DRIVER_HPP
#define PROCPOOL_DETAIL_PROCESS_DRIVER_HPP

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <thread>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/job/wait_list.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/os/cancellation.hpp"
#include "procpool/detail/os/event.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/poller.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/signal.hpp"
#include "procpool/detail/os/thread.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::process {

/// What is driven.
class driven {
public:
    using lock = job::runner::lock;

    virtual lock take_lock() PROCPOOL_ACQUIRE(pool_mutex) = 0;
    /// Moves work: waits until `until` at most, with the lock released, for something to do, and does it.
    virtual void step(lock& held, steady_time until) PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// Runs what has to run after a step, with the lock released and no claim to drive.
    virtual void after_step(lock& held) PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// It can't go on: whoever waits for results gets this error.
    virtual void fail_all(const std::exception_ptr& error) PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// Whether results are still to come.
    virtual bool has_work() const PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// When the standby driver must drive although there is no work; empty if there is no such thing now.
    virtual const os::fd& news() const PROCPOOL_REQUIRES(pool_mutex) = 0;

protected:
    ~driven() = default;
};

class driver {
public:
    using lock = job::runner::lock;

    /// One lock guards `work`, the threads that wait for it, and this.
    driver(driven& work, job::wait_list& waiters) : work_(work), waiters_(waiters) {}

    /// A caller that comes again and again does a part of what there is to do now and then.
    void leave(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        constexpr std::uint64_t at_times = 256;
        if (visits_ % at_times == at_times - 1) move_on(held);
        hand_over();
    }

    void start() {
        watch_.add(bell_.file(), os::poller::interest::read_once_per_arrival, key_bell);
        const os::signals_blocked no_signals;
        standby_driver_ = os::start_thread([this] { run_standby_driver(); }, "a pool's");
        standby_driver_id_ = standby_driver_.get_id();
        os::library_threads.fetch_add(1, std::memory_order_relaxed);
    }
    /// From now on the standby driver polls for news.
    void begin_to_watch_news() PROCPOOL_REQUIRES(pool_mutex) {
        watches_news_ = true;
        watch_news();
    }
    /// There is another source of news.
    void watch_news() PROCPOOL_REQUIRES(pool_mutex) {
        if (watches_news_ && work_.news())
            watch_.add(work_.news(), os::poller::interest::read_once_per_arrival, key_news);
    }

    /// Tells the standby driver to end, and waits until nobody drives.
    void stop(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        stopping_ = true;
        interrupt();
        released_.wait(held.native(), [this]() PROCPOOL_REQUIRES(pool_mutex) { return !driving_; });
    }

    /// Waits for the end of the standby driver, which must have been told.
    void join(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        if (!standby_driver_.joinable()) return;
        std::thread ended = std::move(standby_driver_);
        held.unlock();
        bell_.ring();  // not earlier: it would wake up to wait for the lock
        ended.join();
        os::library_threads.fetch_sub(1, std::memory_order_relaxed);
        held.lock();
        standby_driver_id_ = {};
    }

    /// Makes the thread that drives check the state anew.
    void interrupt() PROCPOOL_REQUIRES(pool_mutex) {
        if (driving_) interruption_.ring();
        waiters_.notify_ready();
    }

    /// Moves what can be moved without waiting, but for callbacks. Nothing if somebody drives.
    void move_on(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        if (driving_ || stopping_) return;
        const os::cancellation_deferred until_it_ends;
        drive_one_step(held, std::chrono::steady_clock::now());
    }

    /// Makes sure that somebody goes on with the work when the caller leaves.
    void hand_over() PROCPOOL_REQUIRES(pool_mutex) {
        ++visits_;
        if (driving_) return;
        if (!waiters_.empty())
            waiters_.wake_one();
        else if ((work_.has_work() && !standing_by_) || news_waiting_) {
            standing_by_ = true;
            bell_.ring();
        }
    }

    /// Whether this thread drives: then it is in code of the user's that a step has called.
    bool drives_here() const noexcept PROCPOOL_REQUIRES(pool_mutex) {
        return driving_ && driver_ == std::this_thread::get_id();
    }

    void news_are_read() noexcept PROCPOOL_REQUIRES(pool_mutex) { news_waiting_ = false; }
    bool is_standby_driver() const noexcept { return std::this_thread::get_id() == standby_driver_id_; }

    os::event& interruption() noexcept { return interruption_; }

    /// What the standby driver watches: files under `key_news` are as good as news().
    os::poller& watch() noexcept { return watch_; }
    static constexpr std::uint64_t key_news = 1;

    /// A thread that waits drives meanwhile; false if another one does.
    bool help(lock& held, steady_time deadline) PROCPOOL_REQUIRES(pool_mutex) {
        if (drives_here())
            throw Error("procpool: a result's load() can't wait for the pool that is rebuilding it");
        if (driving_ || stopping_) return false;
        drive(held, deadline);
        return true;
    }

private:
    void drive(lock& held, steady_time until) PROCPOOL_REQUIRES(pool_mutex) {
        drive_one_step(held, until);
        work_.after_step(held);
    }

    void drive_one_step(lock& held, steady_time until) PROCPOOL_REQUIRES(pool_mutex) {
        driving_ = true;
        driver_ = std::this_thread::get_id();
        try {
            work_.step(held, until);
        } catch (...) {
            if (!held.owns_lock()) held.lock();
            stop_driving();
            throw;
        }
        stop_driving();
    }

    void stop_driving() PROCPOOL_REQUIRES(pool_mutex) {
        driving_ = false;
        if (stopping_) released_.notify_all();
    }

    /// Whatever stops it, an exception that leaves a thread would end the program.
    void run_standby_driver() PROCPOOL_EXCLUDES(pool_mutex) {
        lock held = work_.take_lock();
        try {
            drive_on_standby(held);
        } catch (...) {
            if (!held.owns_lock()) held.lock();
            work_.fail_all(std::current_exception());
            work_.after_step(held);
        }
    }

    void drive_on_standby(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        // Long enough for a caller that submits many tasks, or comes back to wait, to be left alone; as long
        // as it comes back, several times as long.
        constexpr std::chrono::microseconds handover_delay{300};
        constexpr int most_delays = 4;
        int delays = 0;
        std::uint64_t visits = 0;
        while (!stopping_) {
            const bool timed = standing_by_;
            held.unlock();
            const auto events = watch_.wait(timed ? deadline_in(handover_delay) : steady_time::max());
            held.lock();
            bool rang = false;
            for (const auto& event : events) {
                if (event.key == key_news)
                    news_waiting_ = true;
                else
                    rang = true;
            }
            if (rang) bell_.silence();
            const bool callers_come = std::exchange(visits, visits_) != visits_;
            if (!news_waiting_) {
                if (rang && !timed) continue;  // from now on it stands by
                if (timed && callers_come && ++delays < most_delays) continue;
            }
            delays = 0;
            standing_by_ = false;
            while (!stopping_ && !driving_ && waiters_.empty() && (news_waiting_ || work_.has_work())) {
                // Whoever comes back to wait must not find it asleep as the driver.
                const bool waits = !news_waiting_ && !callers_come;
                drive(held, waits ? steady_time::max() : std::chrono::steady_clock::now());
                if (waits || news_waiting_) continue;
                standing_by_ = work_.has_work();
                break;
            }
            if (!stopping_ && !driving_) waiters_.wake_one();
        }
    }

    static constexpr std::uint64_t key_bell = 0;
    driven& work_;
    job::wait_list& waiters_;
    bool driving_ PROCPOOL_GUARDED_BY(pool_mutex) = false;
    std::thread::id driver_ PROCPOOL_GUARDED_BY(pool_mutex);  // the last one
    bool stopping_ PROCPOOL_GUARDED_BY(pool_mutex) = false;
    bool watches_news_ PROCPOOL_GUARDED_BY(pool_mutex) = false;  // the standby driver does
    bool standing_by_ PROCPOOL_GUARDED_BY(pool_mutex) = false;   // it will poll after the handover delay
    bool news_waiting_ PROCPOOL_GUARDED_BY(pool_mutex) = false;  // it saw news while somebody else drove
    std::uint64_t visits_ PROCPOOL_GUARDED_BY(pool_mutex) = 0;   // of callers
    std::condition_variable released_;
    os::event interruption_;
    os::event bell_;
    os::poller watch_;
    std::thread standby_driver_;
    std::thread::id standby_driver_id_;  // until it has ended, while somebody waits for that, too
};

}  // namespace procpool::inline v0_1::detail::process

#endif
