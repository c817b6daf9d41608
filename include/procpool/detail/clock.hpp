// SPDX-License-Identifier: MIT
// The steady clock as a plain number that processes can share.
#ifndef PROCPOOL_DETAIL_CLOCK_HPP
#define PROCPOOL_DETAIL_CLOCK_HPP

#include <chrono>
#include <cstdint>

namespace procpool::inline v0_1::detail {

using steady_time = std::chrono::steady_clock::time_point;

/// Nanoseconds of the steady clock, the same in all processes of the machine.
inline std::int64_t steady_ns() noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

/// How long ago `since` was, a number that a corrupt worker may have made up.
inline std::chrono::nanoseconds elapsed_since(std::int64_t since) noexcept {
    const std::int64_t now = steady_ns();
    return std::chrono::nanoseconds(since >= now ? 0 : since < 0 ? now : now - since);
}

/// Tells the time. Who must be tested without waiting is given one.
class time_source {
public:
    virtual steady_time now() const noexcept = 0;

protected:
    ~time_source() = default;
};
class steady_time_source final : public time_source {
public:
    steady_time now() const noexcept override { return std::chrono::steady_clock::now(); }
};

/// A time as others share it.
constexpr std::int64_t ns_of(steady_time when) noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch()).count();
}

/// The moment `after` from now, saturated: a huge duration means "never".
template <class Rep, class Period>
steady_time deadline_in(std::chrono::duration<Rep, Period> after) {
    const auto now = std::chrono::steady_clock::now();
    const std::chrono::duration<double> left = steady_time::max() - now;
    if (std::chrono::duration<double>(after) >= left) return steady_time::max();
    return now + std::chrono::ceil<std::chrono::steady_clock::duration>(after);
}

}  // namespace procpool::inline v0_1::detail

#endif
