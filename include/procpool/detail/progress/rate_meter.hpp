// SPDX-License-Identifier: MIT
// How fast a call goes on, and how long it will still take.
#ifndef PROCPOOL_DETAIL_PROGRESS_RATE_METER_HPP
#define PROCPOOL_DETAIL_PROGRESS_RATE_METER_HPP

#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#include "procpool/detail/clock.hpp"

namespace procpool::inline v0_1::detail::progress {

/// Elements a second: the mean over the last half of the time, as far as enough came in it to say so, and
/// over all else. So neither a burst in the first second nor elements of a minute mislead it for long.
class rate_meter {
public:
    explicit rate_meter(steady_time begin) : begin_(begin), last_(begin), checkpoints_{{begin, 0}} {}

    /// So many were done at this moment.
    void sample(std::uint64_t done, steady_time now) {
        if (now <= last_ || done < done_) return;
        constexpr int most_checkpoints = 64;  // about
        const auto age = now - begin_;
        if (now - checkpoints_.back().when >= age / most_checkpoints) checkpoints_.push_back({now, done});
        while (checkpoints_.size() > 1 && checkpoints_[1].when <= now - age / 2)
            checkpoints_.erase(checkpoints_.begin());
        done_ = done;
        last_ = now;
    }

    /// 0 until the first element is done.
    double per_second() const noexcept {
        if (done_ == 0 || last_ == begin_) return 0;
        // As if so many more had come at the mean rate: they count where few came of late.
        constexpr double few = 8;
        const double mean = static_cast<double>(done_) / seconds(last_ - begin_);
        const checkpoint& then = checkpoints_.front();
        return (static_cast<double>(done_ - then.done) + few) / (seconds(last_ - then.when) + few / mean);
    }

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
    struct checkpoint {
        steady_time when;
        std::uint64_t done;
    };

    static double seconds(std::chrono::nanoseconds time) noexcept {
        return std::chrono::duration<double>(time).count();
    }

    steady_time begin_;
    steady_time last_;
    std::uint64_t done_ = 0;
    std::vector<checkpoint> checkpoints_;  // the first is from the middle of the time
};

}  // namespace procpool::inline v0_1::detail::progress

#endif
