// SPDX-License-Identifier: MIT
// How fast a call goes on, and how long it will still take.
#ifndef PROCPOOL_DETAIL_PROGRESS_RATE_METER_HPP
#define PROCPOOL_DETAIL_PROGRESS_RATE_METER_HPP

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>

#include "procpool/detail/clock.hpp"

namespace procpool::inline v0_1::detail::progress {

/// Elements a second, smoothed: what is long ago counts less. "Long" is a share of the time since the call
/// began, so that neither elements of a minute nor a burst in the first second make it jump.
class rate_meter {
public:
    explicit rate_meter(steady_time begin) noexcept : begin_(begin), last_(begin) {}

    /// So many were done at this moment.
    void sample(std::uint64_t done, steady_time now) noexcept {
        const double passed = seconds(now - last_);
        if (passed <= 0 || done < done_) return;
        constexpr double shortest_memory = 3;  // seconds
        constexpr double share = 0.25;
        const double memory = std::max(shortest_memory, share * seconds(now - begin_));
        const double kept = std::exp(-passed / memory);
        elements_ = kept * elements_ + static_cast<double>(done - done_);
        time_ = kept * time_ + passed;
        done_ = done;
        last_ = now;
    }

    /// 0 until the first element is done.
    double per_second() const noexcept { return time_ > 0 ? elements_ / time_ : 0; }

    /// For so many that are not done yet; nothing as long as it can't be told, or if that is longer than
    /// anybody waits.
    std::optional<std::chrono::seconds> time_for(std::uint64_t elements) const noexcept {
        constexpr double years = 3e9;  // seconds
        if (elements == 0) return std::chrono::seconds(0);
        const double rate = per_second();
        const double left = rate > 0 ? static_cast<double>(elements) / rate : years;
        if (left >= years) return std::nullopt;
        constexpr double rounding = 1e-3;
        return std::chrono::seconds(static_cast<std::int64_t>(std::ceil(left - rounding)));
    }

private:
    static double seconds(std::chrono::nanoseconds time) noexcept {
        return std::chrono::duration<double>(time).count();
    }

    steady_time begin_;
    steady_time last_;
    std::uint64_t done_ = 0;
    double elements_ = 0;  // that weigh on time_
    double time_ = 0;      // seconds
};

}  // namespace procpool::inline v0_1::detail::progress

#endif
