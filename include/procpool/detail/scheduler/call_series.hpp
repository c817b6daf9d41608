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
#include <memory>
#include <optional>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/compiled_apart.hpp"
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
    PROCPOOL_COMPILED_APART ~call_series() override;

    bool full() const noexcept { return submitted() == room_; }

    /// The block that the next call's arguments, of `stride` bytes, are appended to.
    block& open_block(std::size_t stride);
    /// Nothing was appended.
    void drop_open_block_if_empty() noexcept;

    bool elements_are_calls() const noexcept override { return true; }
    PROCPOOL_COMPILED_APART bool give_up(std::uint64_t call, std::exception_ptr error,
                                         std::int64_t now) override;

    // ---- what the engine asks

    PROCPOOL_COMPILED_APART bool has_dropped(std::uint64_t first,
                                             std::uint64_t count) const noexcept override;
    PROCPOOL_COMPILED_APART std::optional<std::int64_t> unwanted_since(
        std::uint64_t index) const noexcept override;
    std::uint64_t index_told(std::uint64_t /*index*/) const noexcept override { return 0; }

    PROCPOOL_COMPILED_APART void fail(std::uint64_t call, std::exception_ptr error) final;

    PROCPOOL_COMPILED_APART void publish(std::uint64_t first, std::uint64_t count) final;
    /// Calls that have no result share the job's failure.
    PROCPOOL_COMPILED_APART void settle() noexcept final PROCPOOL_REQUIRES(pool_mutex);

    // ---- what the handles ask

    /// As done(), of one call.
    bool call_done(std::uint64_t call) const noexcept {
        const state now = state_of(call);
        return now >= state::done || (now == state::open && done());
    }
    /// The same, as far as can be seen without the mutex.
    bool call_seen_done(std::uint64_t call) const noexcept { return state_of(call) >= state::done; }
    /// As settled(), of one call.
    bool call_settled(std::uint64_t call) const noexcept {
        const state now = state_of(call);
        return now >= state::settled || settled();
    }
    /// As failure(), of one call.
    PROCPOOL_COMPILED_APART std::exception_ptr call_failure(std::uint64_t call) const;
    /// Runs `callback` when the call is over; false if it is already, and the caller must run it.
    bool add_call_callback(std::uint64_t call, std::function<void()> callback);
    /// As observe() and drop(), of one call.
    PROCPOOL_COMPILED_APART void observe_call(std::uint64_t call, job::observer& one)
        PROCPOOL_REQUIRES(pool_mutex);
    PROCPOOL_COMPILED_APART void drop_observer(std::uint64_t call, job::observer& one) noexcept
        PROCPOOL_REQUIRES(pool_mutex);

protected:
    std::exception_ptr error_of(std::uint64_t call);
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

    struct exceptional_calls;
    exceptional_calls& exceptional();
    /// If there are exceptional ones.
    void settle_call(std::uint64_t call, state until_callbacks_ran = state::settled) noexcept;
    /// Its callbacks have run.
    void set_call_done(std::uint64_t call) noexcept {
        set(call, state_of(call) == state::failed ? state::open : state::done);  // done as the whole job is
    }

    const std::size_t room_;
    std::array<std::atomic<state>, most_calls> states_{};
    // What few calls have is made with the first of them.
    std::shared_ptr<exceptional_calls> exceptional_;
    mutable mutex errors_mutex_;  // errors come without the pool's mutex, and are read without it
    struct errors_of_calls;
    std::shared_ptr<errors_of_calls> errors_ PROCPOOL_GUARDED_BY(errors_mutex_);
    std::atomic<bool> has_errors_ = false;
};

}  // namespace procpool::inline v0_1::detail::scheduler

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/scheduler/call_series_impl.hpp"
#endif

#endif
