// SPDX-License-Identifier: MIT
// How many single calls a pool takes on before they have results.
#ifndef PROCPOOL_DETAIL_JOB_PENDING_CALLS_HPP
#define PROCPOOL_DETAIL_JOB_PENDING_CALLS_HPP

#include <cstdint>
#include <stop_token>

#include "procpool/detail/assert.hpp"

namespace procpool::inline v0_1::detail::job {

struct pending_limits {
    static constexpr std::uint64_t none = ~std::uint64_t{0};
    std::uint64_t calls = none;
    std::uint64_t bytes = none;  // of their arguments

    bool exist() const noexcept { return calls != none || bytes != none; }
};

/// What a call does that finds no room.
struct admission {
    bool waits = true;          // or it is not made
    std::stop_token stop = {};  // ends that, and the call with it
};

/// With the pool's lock held.
class pending_calls {
public:
    explicit pending_calls(const pending_limits& limits) noexcept : limits_(limits) {}

    /// Whether there is room for one more with so many bytes; there always is for one alone.
    bool has_room(std::uint64_t bytes) const noexcept {
        if (calls_ == 0) return true;
        return calls_ < limits_.calls && bytes_ < limits_.bytes && bytes <= limits_.bytes - bytes_;
    }
    /// One more is pending.
    void enter(std::uint64_t bytes) noexcept {
        ++calls_;
        bytes_ += bytes;
    }
    /// One that was has its end.
    void leave(std::uint64_t bytes) noexcept {
        PROCPOOL_ASSERT(calls_ > 0 && bytes_ >= bytes);
        --calls_;
        bytes_ -= bytes;
    }

private:
    const pending_limits limits_;
    std::uint64_t calls_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace procpool::inline v0_1::detail::job

#endif
