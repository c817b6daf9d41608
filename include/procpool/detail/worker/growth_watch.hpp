// SPDX-License-Identifier: MIT
// Notices that a worker's memory has grown too much.
#ifndef PROCPOOL_DETAIL_WORKER_GROWTH_WATCH_HPP
#define PROCPOOL_DETAIL_WORKER_GROWTH_WATCH_HPP

#include <cstdint>

#include "procpool/detail/os/limits.hpp"
#include "procpool/detail/worker/black_box.hpp"

namespace procpool::inline v0_1::detail::worker {

class growth_watch {
public:
    /// Counts from here.
    explicit growth_watch(std::uint64_t most) : limit_(meter_.read().own + most) {}

    /// Tells the pool if it is too much; measures no more often than each millisecond.
    void check(black_box& box, std::int64_t now_ns) {
        if (now_ns < next_check_) return;
        next_check_ = now_ns + 1'000'000;
        if (meter_.read().own > limit_) box.told.overgrown.store(1, std::memory_order_release);
    }

private:
    os::memory_meter meter_;
    std::uint64_t limit_;
    std::int64_t next_check_ = 0;
};

}  // namespace procpool::inline v0_1::detail::worker

#endif
