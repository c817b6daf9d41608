// SPDX-License-Identifier: MIT
// What handles of calls do.
#ifndef PROCPOOL_DETAIL_CALL_CALL_HANDLE_IMPL_HPP
#define PROCPOOL_DETAIL_CALL_CALL_HANDLE_IMPL_HPP

#include <exception>
#include <functional>
#include <stop_token>

#include "procpool/detail/call/call_handle.hpp"
#include "procpool/detail/clock.hpp"
#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/job/runner.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::call {

PROCPOOL_COMPILED_APART bool call_handle::wait_until(steady_time deadline) const {
    pool_->refuse_copy();
    if (ends_->call_seen_done(call_)) return true;
    auto lock = pool_->acquire();
    return pool_->wait_or_poll(lock, [this] { return ends_->call_done(call_); }, deadline, job_.get());
}

PROCPOOL_COMPILED_APART void call_handle::wait_or_throw(steady_time deadline) const {
    if (!wait_until(deadline)) throw TimeoutError("procpool: no result in the time given");
}

PROCPOOL_COMPILED_APART bool call_handle::wait(const std::stop_token& stop) const {
    pool_->refuse_copy();
    const auto ended = [this] { return ends_->call_done(call_); };
    const std::stop_callback wake(stop, [this] { pool_->wake_waiters(); });
    auto lock = pool_->acquire();
    pool_->wait_or_poll(
        lock, [&] { return ended() || stop.stop_requested(); }, steady_time::max(), job_.get());
    return ended();
}

PROCPOOL_COMPILED_APART bool call_handle::ready() const {
    pool_->refuse_copy();
    if (ends_->call_seen_done(call_)) return true;
    const auto lock = pool_->acquire();
    return ends_->call_done(call_);
}

PROCPOOL_COMPILED_APART bool call_handle::settled() const {
    pool_->refuse_copy();
    if (ends_->call_seen_done(call_)) return true;
    const auto lock = pool_->acquire();
    return ends_->call_settled(call_);
}

PROCPOOL_COMPILED_APART void call_handle::throw_error() const {
    if (const auto thrown = error()) std::rethrow_exception(thrown);
}

PROCPOOL_COMPILED_APART bool call_handle::successful() const {
    if (!ready()) throw ResultNotReady("procpool: the result is not ready");
    return error() == nullptr;
}

PROCPOOL_COMPILED_APART bool call_handle::cancel() {
    if (pool_->is_copy()) return false;
    auto lock = pool_->acquire();
    const bool cancelled = pool_->abandon_call(job_, call_, "procpool: the call was cancelled");
    pool_->leave(lock);
    return cancelled;
}

PROCPOOL_COMPILED_APART void call_handle::drop() {
    pool_->drop(job_, job::runner::running::is_ended, "procpool: nobody waits for the result any more");
}

PROCPOOL_COMPILED_APART void call_handle::add_callback(const std::function<void()>& callback) {
    {
        const auto lock = pool_->acquire();
        if (ends_->add_call_callback(call_, callback)) return;
    }
    pool_->run_callback(callback);
}

}  // namespace procpool::inline v0_1::detail::call

#endif
