// SPDX-License-Identifier: MIT
// Whether whoever waits for a result stays awake for it.
#ifndef PROCPOOL_DETAIL_PROCESS_SPIN_THEN_SLEEP_HPP
#define PROCPOOL_DETAIL_PROCESS_SPIN_THEN_SLEEP_HPP

#include <algorithm>
#include <chrono>
#include <span>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/cpu.hpp"
#include "procpool/detail/os/poller.hpp"

namespace procpool::inline v0_1::detail::process {

/// Waits for events. To fall asleep and be woken takes longer than a quick call: where its result is all that
/// is to come, and a processor is free for that, it is quicker to poll again and again.
class spin_then_sleep {
public:
    std::span<const os::poller::ready> wait(os::poller& source, steady_time until, bool for_quick_call) {
        if (for_quick_call && is_worth_it()) {
            const steady_time end = std::min(until, deadline_in(longest_spin));
            do {
                const auto events = source.poll();
                if (events.empty()) continue;
                naps_after_failure_ = 1;
                return events;
            } while (std::chrono::steady_clock::now() < end);
            naps_ = naps_after_failure_ = std::min(2 * naps_after_failure_, most_naps);
        }
        return source.wait(until);
    }

private:
    /// Not where the worker would have to wait for this processor, nor soon after it was in vain.
    bool is_worth_it() noexcept {
        if (naps_ == 0) return processors_ > 1;
        --naps_;
        return false;
    }

    static constexpr std::chrono::microseconds longest_spin{30};
    static constexpr unsigned most_naps = 64;
    const int processors_ = os::affinity_count();
    unsigned naps_ = 0;  // so many calls are waited for asleep
    unsigned naps_after_failure_ = 1;
};

}  // namespace procpool::inline v0_1::detail::process

#endif
