// SPDX-License-Identifier: MIT
// Shows how far calls are on standard error: at the bottom of a terminal, or as lines in a log.
//
// A thread of its own draws, since nothing else acts while no element ends, and since a terminal may be
// stopped for any time, which must hold up no pool. It lives while there is something to show.
#ifndef PROCPOOL_DETAIL_PROGRESS_DISPLAY_HPP
#define PROCPOOL_DETAIL_PROGRESS_DISPLAY_HPP

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/os/fork_stamp.hpp"
#include "procpool/detail/progress/line.hpp"
#include "procpool/detail/progress/rate_meter.hpp"
#include "procpool/detail/progress/screen.hpp"

namespace procpool::inline v0_1::detail::progress {

/// A call that is shown. Whoever gets its events counts, the display reads.
class shown_call {
public:
    /// Both texts are printable.
    shown_call(std::string name, std::string unit, std::optional<std::uint64_t> elements,
               std::chrono::nanoseconds log_interval)
        : name_(std::move(name)), unit_(std::move(unit)), elements_(elements), log_interval_(log_interval) {}

    std::atomic<std::uint64_t> done = 0;
    std::atomic<std::uint64_t> failed = 0;
    std::atomic<std::uint64_t> died = 0;  // workers

private:
    friend class display;

    call_state state(steady_time now) const;
    bool has_ended() const noexcept { return ended_ != steady_time::max(); }

    const std::string name_;
    const std::string unit_;
    const std::optional<std::uint64_t> elements_;  // nothing if nobody knows
    const std::chrono::nanoseconds log_interval_;
    const steady_time begun_ = std::chrono::steady_clock::now();
    // What follows is guarded by the display's mutex.
    rate_meter rate_{begun_};
    steady_time next_log_ = deadline_in(log_interval_);
    steady_time ended_ = steady_time::max();
    bool whole_ = false;
    bool taken_ = false;  // its last line is on its way
};

class display {
public:
    static display& of_this_process();

    /// From now on it is shown, if there is anything to show it on.
    void begin(const std::shared_ptr<shown_call>& call) noexcept;
    /// Its last line is written when this returns, unless nobody reads what is written. `whole` says that no
    /// element is left without a result.
    void end(const std::shared_ptr<shown_call>& call, bool whole) noexcept;
    /// Prints a line above those that are shown.
    void print(std::string_view text) noexcept;

private:
    display();

    void start_thread() PROCPOOL_REQUIRES(mutex_);
    /// Until nothing is left to show.
    void run() noexcept PROCPOOL_EXCLUDES(mutex_);
    /// The lock is free while it writes.
    void draw_on(screen& shown) PROCPOOL_REQUIRES(mutex_);
    /// Last lines of ended calls, and what is to be printed.
    std::string take_lasting_text(std::string_view newline) PROCPOOL_REQUIRES(mutex_);
    /// What stands at the bottom of a terminal; the cursor ends in the first of its lines.
    std::string status_text(const screen::size& room, steady_time now) const PROCPOOL_REQUIRES(mutex_);
    std::string log_text(steady_time now) PROCPOOL_REQUIRES(mutex_);
    /// The last lines that were taken have been written, or nobody reads them.
    void forget_taken() PROCPOOL_REQUIRES(mutex_);
    steady_time next_drawing(const screen& shown) const PROCPOOL_REQUIRES(mutex_);
    void wait_for_change(mutex_lock& held, steady_time until) PROCPOOL_REQUIRES(mutex_);
    void wait_for_end_of_thread(mutex_lock& held) PROCPOOL_REQUIRES(mutex_);

    const os::fork_stamp made_;
    mutex mutex_;
    std::condition_variable changed_;  // for the thread
    std::condition_variable written_;  // for who waits for a last line
    std::vector<std::shared_ptr<shown_call>> calls_ PROCPOOL_GUARDED_BY(mutex_);
    std::string printed_ PROCPOOL_GUARDED_BY(mutex_);
    environment_of_terminal environment_ PROCPOOL_GUARDED_BY(mutex_);
    bool runs_ PROCPOOL_GUARDED_BY(mutex_) = false;
    std::thread thread_ PROCPOOL_GUARDED_BY(mutex_);
};

}  // namespace procpool::inline v0_1::detail::progress

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/progress/display_impl.hpp"
#endif

#endif
