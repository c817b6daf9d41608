// SPDX-License-Identifier: MIT
// What a series of calls does that depends on no type.
#ifndef PROCPOOL_DETAIL_SCHEDULER_CALL_SERIES_IMPL_HPP
#define PROCPOOL_DETAIL_SCHEDULER_CALL_SERIES_IMPL_HPP

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/call_series.hpp"

namespace procpool::inline v0_1::detail::scheduler {

struct call_series::exceptional_calls {
    std::map<std::uint64_t, std::list<job::ending>> callbacks;
    std::map<std::uint64_t, std::int64_t> given_up;  // which calls, and when in steady ns
    std::multimap<std::uint64_t, job::observer*> observers;

    /// Of the calls from `first` up to before `last`. With the pool's mutex, as publish().
    void tell_observers(std::multimap<std::uint64_t, job::observer*>::iterator first,
                        std::multimap<std::uint64_t, job::observer*>::iterator last) noexcept
        PROCPOOL_NO_THREAD_SAFETY_ANALYSIS {
        for (auto at = first; at != last; ++at) at->second->settled();
        observers.erase(first, last);
    }
};

struct call_series::errors_of_calls {
    std::map<std::uint64_t, std::exception_ptr> by_call;
};

PROCPOOL_COMPILED_APART call_series::~call_series() = default;

PROCPOOL_COMPILED_APART call_series::exceptional_calls& call_series::exceptional() {
    if (!exceptional_) exceptional_ = std::make_shared<exceptional_calls>();
    return *exceptional_;
}

PROCPOOL_COMPILED_APART block& call_series::open_block(std::size_t stride) {
    constexpr std::size_t usual_count = 64;
    if (ready.empty() || ready.back().losses > 0 || ready.back().first + ready.back().count != submitted()) {
        block next{.first = submitted(), .bytes = {}, .begin = block::room_for_frames, .pins = {}};
        next.bytes.reserve(next.begin + usual_count * stride);
        next.bytes.extend(next.begin);
        ready.push_back(std::move(next));
    }
    return ready.back();
}

PROCPOOL_COMPILED_APART void call_series::drop_open_block_if_empty() noexcept {
    if (!ready.empty() && ready.back().count == 0) ready.pop_back();
}

PROCPOOL_COMPILED_APART bool call_series::give_up(std::uint64_t call, std::exception_ptr error,
                                                  std::int64_t now) {
    if (failure() || state_of(call) != state::open) return false;
    fail(call, std::move(error));
    exceptional().given_up.emplace(call, now);
    publish(call, 1);
    return true;
}

PROCPOOL_COMPILED_APART bool call_series::has_dropped(std::uint64_t first,
                                                      std::uint64_t count) const noexcept {
    if (abandoned) return true;
    if (!exceptional_) return false;
    const auto next = exceptional_->given_up.lower_bound(first);
    return next != exceptional_->given_up.end() && next->first < first + count;
}

PROCPOOL_COMPILED_APART std::optional<std::int64_t> call_series::unwanted_since(
    std::uint64_t index) const noexcept {
    if (!exceptional_) return end_running_since;
    const auto at = exceptional_->given_up.find(index);
    return at != exceptional_->given_up.end() ? std::optional(at->second) : end_running_since;
}

PROCPOOL_COMPILED_APART void call_series::fail(std::uint64_t call, std::exception_ptr error) {
    const mutex_guard lock(errors_mutex_);
    if (!errors_) errors_ = std::make_shared<errors_of_calls>();
    errors_->by_call.emplace(call, std::move(error));  // the first one counts
    has_errors_.store(true, std::memory_order_release);
}

PROCPOOL_COMPILED_APART void call_series::publish(std::uint64_t first, std::uint64_t count) {
    std::uint64_t published = 0;
    for (std::uint64_t call = first; call < first + count; ++call)
        if (state_of(call) == state::open) {  // not given up
            if (exceptional_)
                settle_call(call);
            else
                set(call, state::done);
            ++published;
        }
    remote_job::publish(first, published);
}

PROCPOOL_COMPILED_APART void call_series::settle() noexcept {
    if (exceptional_)
        while (!exceptional_->callbacks.empty())
            settle_call(exceptional_->callbacks.begin()->first, state::failed);
    remote_job::settle();
    if (exceptional_)
        exceptional_->tell_observers(exceptional_->observers.begin(), exceptional_->observers.end());
}

PROCPOOL_COMPILED_APART bool call_series::add_call_callback(std::uint64_t call,
                                                            std::function<void()> callback) {
    if (state_of(call) != state::open || settled()) return false;
    auto& callbacks = exceptional().callbacks;
    auto at = callbacks.find(call);
    if (at == callbacks.end()) {
        std::list<job::ending> own(1);
        own.front().when_they_ran = [this, call] { set_call_done(call); };
        at = callbacks.emplace(call, std::move(own)).first;
    }
    at->second.front().callbacks.push_back(std::move(callback));
    return true;
}

PROCPOOL_COMPILED_APART std::exception_ptr call_series::call_failure(std::uint64_t call) const {
    const state now = state_of(call);
    if (now == state::open || now == state::failed) return failure();
    if (!has_errors_.load(std::memory_order_acquire)) return nullptr;
    const mutex_guard lock(errors_mutex_);
    const auto at = errors_->by_call.find(call);
    if (at == errors_->by_call.end()) return nullptr;
    const bool given_up = exceptional_ && exceptional_->given_up.contains(call);
    return given_up || at->second == error_when_withdrawn ? at->second : nullptr;
}

PROCPOOL_COMPILED_APART void call_series::observe_call(std::uint64_t call, job::observer& one) {
    exceptional().observers.emplace(call, &one);
}
PROCPOOL_COMPILED_APART void call_series::drop_observer(std::uint64_t call, job::observer& one) noexcept {
    if (!exceptional_) return;
    auto [at, end] = exceptional_->observers.equal_range(call);
    at = std::find_if(at, end, [&](const auto& other) { return other.second == &one; });
    if (at != end) exceptional_->observers.erase(at);
}

PROCPOOL_COMPILED_APART std::exception_ptr call_series::error_of(std::uint64_t call) {
    if (has_errors_.load(std::memory_order_acquire)) {
        const mutex_guard lock(errors_mutex_);
        const auto at = errors_->by_call.find(call);
        if (at != errors_->by_call.end()) return at->second;
    }
    const state now = state_of(call);
    return now == state::open || now == state::failed ? failure() : nullptr;
}

PROCPOOL_COMPILED_APART void call_series::settle_call(std::uint64_t call,
                                                      state until_callbacks_ran) noexcept {
    auto& callbacks = exceptional_->callbacks;
    if (const auto at = callbacks.find(call); at != callbacks.end()) {
        due_callbacks_.splice(due_callbacks_.end(), at->second);
        callbacks.erase(at);
        set(call, until_callbacks_ran);
    } else {
        set(call, state::done);
    }
    if (until_callbacks_ran == state::failed) return;  // its observers are told with the whole job
    const auto [first, last] = exceptional_->observers.equal_range(call);
    exceptional_->tell_observers(first, last);
}

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
