// SPDX-License-Identifier: MIT
// Who is silent: each rank says once in a while that it is there, and who says nothing for too long is lost.
#ifndef PROCPOOL_DETAIL_MPI_LIVENESS_HPP
#define PROCPOOL_DETAIL_MPI_LIVENESS_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/only_if_used.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// So often each side says that it is alive.
inline constexpr std::chrono::seconds beat_interval{1};

/// For how long nothing came from a rank.
struct silence {
    std::chrono::nanoseconds time{};
    std::uint64_t beats = 0;  // that this side has sent meanwhile
};

/// What one side knows of the ranks that it listens to. Not thread-safe; its user has the clock.
template <class = only_if_used>
class basic_liveness {
public:
    /// Something came from there.
    void hear(int rank, steady_time now) { heard_[rank] = {now, beats_}; }
    /// It is lost, and listened to no more.
    void forget(int rank) { heard_.erase(rank); }
    /// This side says that it is alive.
    void count_beat() noexcept { ++beats_; }

    /// To be called before any question, at every beat at least. Who was stopped itself, or had no CPU, can't
    /// tell who was silent: then counting begins anew.
    void look(steady_time now) {
        constexpr auto late = 3 * beat_interval;
        if (looked_ != steady_time{} && now - looked_ > late)
            for (auto& [rank, last] : heard_) last = {now, beats_};
        looked_ = now;
    }

    /// Calls `take(rank, silence)` for each rank that was silent for so long. A message that is still coming
    /// counts from its begin: `coming(rank)`.
    template <class Coming, class Take>
    void each_silent(steady_time now, std::chrono::nanoseconds limit, Coming coming, Take take) const {
        for (const auto& [rank, last] : heard_)
            if (const auto time = now - std::max(last.at, coming(rank)); time >= limit)
                take(rank, silence{time, beats_ - last.beats});
    }
    silence of(int rank, steady_time now) const {
        const auto at = heard_.find(rank);
        return at != heard_.end() ? silence{now - at->second.at, beats_ - at->second.beats} : silence{};
    }
    /// Whether it is listened to, and something came within that time.
    bool was_heard(int rank, steady_time now, std::chrono::nanoseconds within) const {
        const auto at = heard_.find(rank);
        return at != heard_.end() && now - at->second.at < within;
    }
    /// When the next one was silent for so long, if nothing comes.
    template <class Coming>
    steady_time next(std::chrono::nanoseconds limit, Coming coming) const {
        auto first = steady_time::max();
        for (const auto& [rank, last] : heard_)
            first = std::min(first, std::max(last.at, coming(rank)) + limit);
        return first;
    }

private:
    struct sign {
        steady_time at;
        std::uint64_t beats = 0;
    };
    std::map<int, sign> heard_;
    std::uint64_t beats_ = 0;
    steady_time looked_ = {};
};
using liveness = basic_liveness<>;

}  // namespace procpool::inline v0_1::detail::mpi

#endif
