// SPDX-License-Identifier: MIT
// What one worker shows of itself: for how long it has been quiet, and whether it has answered a probe.
#ifndef PROCPOOL_DETAIL_PROCESS_SIGNS_OF_LIFE_HPP
#define PROCPOOL_DETAIL_PROCESS_SIGNS_OF_LIFE_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/process_identity.hpp"
#include "procpool/detail/process/result_stream.hpp"
#include "procpool/detail/process/task_stream.hpp"
#include "procpool/detail/scheduler/runs_in_flight.hpp"
#include "procpool/detail/wire/activity.hpp"

namespace procpool::inline v0_1::detail::process {

/// Its pipes and the system tell them: what it has written to shared memory can't be trusted alone. What
/// follows from them is the health_check's to say.
template <class = only_if_used>
class basic_signs_of_life {
public:
    /// Whether it has sent nothing and begun nothing since the last call, though it has started.
    bool is_quiet(const wire::activity& told, const result_stream& results, const task_stream& tasks,
                  steady_time now) noexcept {
        const std::uint64_t begun = told.begun.load(std::memory_order_acquire);
        const bool same = received_ == results.received() && begun_ == begun;
        received_ = results.received();
        begun_ = begun;
        if (!same || tasks.read() == 0) {
            quiet_since_ = 0;
            sending_ = {};
        } else if (quiet_since_ == 0) {
            quiet_since_ = ns_of(now);
        }
        return quiet_since_ != 0;
    }
    /// For how long it has been quiet.
    std::chrono::nanoseconds quiet_for(steady_time now) const noexcept {
        return std::chrono::nanoseconds(ns_of(now) - quiet_since_);
    }
    /// Since when nothing has come from it, up to the byte `collected`, and nothing was begun, in steady ns;
    /// 0 if that isn't so.
    std::int64_t quiet_since(const wire::activity& told, std::uint64_t collected) const noexcept {
        const bool still = begun_ == told.begun.load(std::memory_order_acquire) && received_ == collected;
        return still ? quiet_since_ : 0;
    }

    /// If a part of a frame has come and it is quiet: for how long it could have sent the rest, as far as
    /// calls of this tell. Who sends doesn't sleep, since the pipe has room; and it can't send while it is
    /// stopped or waits for a CPU. But who sleeps again and again may be seen between that, so to wait counts
    /// a little.
    std::chrono::nanoseconds withholds_for(const result_stream& results, long pid, steady_time now) {
        if (!results.has_partial_frame()) {
            sending_ = {};
            return {};
        }
        const os::main_thread_state sender = os::read_main_thread_state(pid);
        const os::main_thread_state before = std::exchange(sending_.sender, sender);
        const steady_time since = std::exchange(sending_.seen_at, now);
        if (since == steady_time() || sender.stopped || before.stopped) return sending_.withheld;
        const std::chrono::nanoseconds passed = now - since;
        sending_.withheld +=
            sender.waits || before.waits ? std::max(sender.cpu_time - before.cpu_time, passed / 10) : passed;
        return sending_.withheld;
    }

    // A probe is a frame that needs no answer: who has read it has answered all that came before.

    bool is_probed() const noexcept { return probe_end_ != 0; }
    /// A probe was appended that ends at this byte of what the worker reads, behind so many elements.
    void probe(std::uint64_t end, std::uint64_t elements) noexcept {
        probe_end_ = end;
        owed_ = elements;
    }
    /// Elements were taken back: that many are left.
    void owe_at_most(std::uint64_t elements) noexcept { owed_ = std::min(owed_, elements); }
    /// Whether it has read the probe, and didn't answer all that came before.
    bool owes_after_probe(const result_stream& results, const task_stream& tasks,
                          const scheduler::runs_in_flight& work) noexcept {
        if (!is_probed() || tasks.read() < probe_end_) return false;
        if (results.has_unread()) return false;  // it may be the answer
        probe_end_ = 0;
        return work.results() < std::exchange(owed_, 0);
    }

private:
    std::uint64_t received_ = 0;  // bytes of its results
    std::uint64_t begun_ = 0;
    std::int64_t quiet_since_ = 0;  // 0 if it isn't quiet
    struct {
        std::chrono::nanoseconds withheld{0};
        steady_time seen_at;
        os::main_thread_state sender;  // then
    } sending_;
    std::uint64_t probe_end_ = 0;  // 0 if it isn't probed
    std::uint64_t owed_ = 0;       // results that it has sent when it has read the probe
};
using signs_of_life = basic_signs_of_life<>;

}  // namespace procpool::inline v0_1::detail::process

#endif
