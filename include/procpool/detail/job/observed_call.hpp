// SPDX-License-Identifier: MIT
// A call that somebody observes.
#ifndef PROCPOOL_DETAIL_JOB_OBSERVED_CALL_HPP
#define PROCPOOL_DETAIL_JOB_OBSERVED_CALL_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "procpool/observer.hpp"

namespace procpool::inline v0_1::detail::job {

class observation;

/// What the engine sees of observers that users don't.
struct observer_access {
    /// From which run time on it wants texts, in ns.
    static std::int64_t text_from(const Observer& of) noexcept {
        return of.text_from_.load(std::memory_order_relaxed);
    }
};

/// An observer, until it throws.
struct observer_seat {
    explicit observer_seat(std::shared_ptr<Observer> observer) : who(std::move(observer)) {}
    const std::shared_ptr<Observer> who;
    std::atomic<bool> dropped{false};
};
using observer_seats = std::vector<std::shared_ptr<observer_seat>>;

struct observed_call {
    CallInfo info;
    std::vector<std::shared_ptr<Observer>> own;  // of the call alone, as its options name them
    observer_seats told;                         // all, from its begin on
    observation* by = nullptr;                   // between its begin and its end
    std::uint64_t succeeded = 0;
    std::uint64_t failed = 0;

    bool goes_on() const noexcept { return by != nullptr; }
    /// From which run time on somebody wants texts, in ns.
    std::int64_t text_from() const noexcept {
        std::int64_t shortest = std::chrono::nanoseconds::max().count();
        for (const auto& one : told) shortest = std::min(shortest, observer_access::text_from(*one->who));
        return shortest;
    }
};

}  // namespace procpool::inline v0_1::detail::job

#endif
