// SPDX-License-Identifier: MIT
// Single calls of one function that travel together: the elements of one job, each with a handle of its own.
#ifndef PROCPOOL_DETAIL_SCHEDULER_CALL_SERIES_HPP
#define PROCPOOL_DETAIL_SCHEDULER_CALL_SERIES_HPP

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// What a job with a definition, a queue of blocks and so on costs is shared by all calls that join it; to
/// their callers each of them is alone. The part that doesn't know the type of the results.
class call_series : public remote_job {
public:
    static constexpr std::size_t most_calls = 512;

    /// `room` calls at the most.
    template <class Definition>
    call_series(Definition&& definition, std::size_t room)
        : remote_job(std::forward<Definition>(definition), false), room_(room) {
        keeps_its_place = true;
    }

    bool full() const noexcept { return submitted() == room_; }

    /// The block that the next call's arguments, of `stride` bytes, are appended to.
    block& open_block(std::size_t stride) {
        constexpr std::size_t usual_count = 64;
        if (ready.empty() || ready.back().lost > 0 ||
            ready.back().first + ready.back().count != submitted()) {
            block next{.first = submitted(), .bytes = {}, .begin = block::room_for_frames, .pins = {}};
            next.bytes.reserve(next.begin + usual_count * stride);
            next.bytes.extend(next.begin);
            ready.push_back(std::move(next));
        }
        return ready.back();
    }
    /// Nothing was appended.
    void drop_open_block_if_empty() noexcept {
        if (!ready.empty() && ready.back().count == 0) ready.pop_back();
    }

    bool elements_are_calls() const noexcept override { return true; }
    bool give_up(std::uint64_t call, std::exception_ptr error, std::int64_t now) override {
        if (failure() || state_of(call) != state::open) return false;
        fail(call, std::move(error));
        given_up_.emplace(call, now);
        publish(call, 1);
        return true;
    }

    // ---- what the engine asks

    bool has_dropped(std::uint64_t first, std::uint64_t count) const noexcept override {
        if (abandoned) return true;
        const auto next = given_up_.lower_bound(first);
        return next != given_up_.end() && next->first < first + count;
    }
    std::optional<std::int64_t> unwanted_since(std::uint64_t index) const noexcept override {
        const auto at = given_up_.find(index);
        return at != given_up_.end() ? std::optional(at->second) : end_running_since;
    }
    std::uint64_t index_told(std::uint64_t /*index*/) const noexcept override { return 0; }

    void fail(std::uint64_t call, std::exception_ptr error) final {
        const mutex_guard lock(errors_mutex_);
        errors_.emplace(call, std::move(error));  // the first one counts
        has_errors_.store(true, std::memory_order_release);
    }

    void publish(std::uint64_t first, std::uint64_t count) final {
        std::uint64_t published = 0;
        for (std::uint64_t call = first; call < first + count; ++call)
            if (state_of(call) == state::open) {  // not given up
                settle_call(call);
                ++published;
            }
        remote_job::publish(first, published);
    }
    /// Calls that have no result share the job's failure.
    void settle() noexcept final PROCPOOL_REQUIRES(pool_mutex) {
        while (!callbacks_.empty()) settle_call(callbacks_.begin()->first, state::failed);
        remote_job::settle();
    }

    // ---- what the handles ask

    /// As done(), of one call.
    bool call_done(std::uint64_t call) const noexcept {
        const state now = state_of(call);
        return now >= state::done || (now == state::open && done());
    }
    /// The same, as far as can be seen without the mutex.
    bool call_seen_done(std::uint64_t call) const noexcept { return state_of(call) >= state::done; }
    /// Runs `callback` when the call is over; false if it is already, and the caller must run it.
    bool add_call_callback(std::uint64_t call, std::function<void()> callback) {
        if (state_of(call) != state::open || settled()) return false;
        auto at = callbacks_.find(call);
        if (at == callbacks_.end()) {
            std::list<job::ending> own(1);
            own.front().when_they_ran = [this, call] { set_call_done(call); };
            at = callbacks_.emplace(call, std::move(own)).first;
        }
        at->second.front().callbacks.push_back(std::move(callback));
        return true;
    }

protected:
    std::exception_ptr error_of(std::uint64_t call) {
        if (has_errors_.load(std::memory_order_acquire)) {
            const mutex_guard lock(errors_mutex_);
            const auto at = errors_.find(call);
            if (at != errors_.end()) return at->second;
        }
        const state now = state_of(call);
        return now == state::open || now == state::failed ? failure() : nullptr;
    }
    bool is_taken(std::uint64_t call) const noexcept { return state_of(call) == state::taken; }
    void set_taken(std::uint64_t call) noexcept { set(call, state::taken); }

private:
    enum class state : std::uint8_t {
        open,
        failed,   ///< as open, with its job's failure for a result, which callbacks see first
        settled,  ///< has its result, callbacks still see it first
        done,
        taken,  ///< by its handle
    };
    state state_of(std::uint64_t call) const noexcept {
        return states_[call].load(std::memory_order_acquire);
    }
    void set(std::uint64_t call, state next) noexcept {
        states_[call].store(next, std::memory_order_release);
    }

    void settle_call(std::uint64_t call, state until_callbacks_ran = state::settled) noexcept {
        const auto at = callbacks_.empty() ? callbacks_.end() : callbacks_.find(call);
        if (at == callbacks_.end()) {
            set(call, state::done);
            return;
        }
        due_callbacks_.splice(due_callbacks_.end(), at->second);
        callbacks_.erase(at);
        set(call, until_callbacks_ran);
    }
    /// Its callbacks have run.
    void set_call_done(std::uint64_t call) noexcept {
        set(call, state_of(call) == state::failed ? state::open : state::done);  // done as the whole job is
    }

    const std::size_t room_;
    std::array<std::atomic<state>, most_calls> states_{};
    std::map<std::uint64_t, std::list<job::ending>> callbacks_;
    std::map<std::uint64_t, std::int64_t> given_up_;  // which calls, and when in steady ns
    mutex errors_mutex_;  // errors come without the pool's mutex, and are read without it
    std::map<std::uint64_t, std::exception_ptr> errors_ PROCPOOL_GUARDED_BY(errors_mutex_);
    std::atomic<bool> has_errors_ = false;
};

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
