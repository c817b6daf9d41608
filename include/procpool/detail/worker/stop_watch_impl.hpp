// SPDX-License-Identifier: MIT
// How a worker's thread for stop tokens lives.
#ifndef PROCPOOL_DETAIL_WORKER_STOP_WATCH_IMPL_HPP
#define PROCPOOL_DETAIL_WORKER_STOP_WATCH_IMPL_HPP

#include <atomic>
#include <cstdint>
#include <exception>
#include <stop_token>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/os/futex.hpp"
#include "procpool/detail/os/signal.hpp"
#include "procpool/detail/os/thread.hpp"
#include "procpool/detail/worker/element_position.hpp"
#include "procpool/detail/worker/stop_watch.hpp"

namespace procpool::inline v0_1::detail::worker {

PROCPOOL_COMPILED_APART std::stop_token stop_watch::token() {
    const element_position& at = current_position();
    if (!at.counter || !at.asked) return {};
    if (!only()) {
        auto* const made = new stop_watch(*at.asked);  // for the rest of the process's life
        made->start();
        only() = made;
    }
    return only()->begin(static_cast<std::uint32_t>(at.counter->load(std::memory_order_relaxed)));
}

PROCPOOL_COMPILED_APART void stop_watch::start() {
    const os::signals_blocked no_signals;
    os::start_thread([this] { run(); }, "for stop tokens").detach();
}

PROCPOOL_COMPILED_APART std::stop_token stop_watch::begin(std::uint32_t begun) {
    std::stop_source source;
    {
        const mutex_guard lock(mutex_);
        of_element_ = source;
        element_ = begun;
    }
    request_if_asked();  // before the thread knew of it
    return source.get_token();
}

PROCPOOL_COMPILED_APART void stop_watch::request_if_asked() {
    std::stop_source asked(std::nostopstate);
    {
        const mutex_guard lock(mutex_);
        if (element_ == 0 || asked_.load(std::memory_order_acquire) != element_) return;
        asked = of_element_;
    }
    asked.request_stop();  // may call the task's functions
}

PROCPOOL_COMPILED_APART void stop_watch::run() noexcept try {
    for (;;) {
        const std::uint32_t seen = asked_.load(std::memory_order_acquire);
        request_if_asked();
        os::futex_wait(asked_, seen, steady_time::max());
    }
} catch (const std::exception&) {  // the worker is leaving, and its memory gone
}

}  // namespace procpool::inline v0_1::detail::worker

#endif
