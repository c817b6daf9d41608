// SPDX-License-Identifier: MIT
// What observers are told of workers.
#ifndef PROCPOOL_DETAIL_PROCESS_WORKER_NOTES_HPP
#define PROCPOOL_DETAIL_PROCESS_WORKER_NOTES_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/observation.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/process/worker_link.hpp"
#include "procpool/observer.hpp"

namespace procpool::inline v0_1::detail::process {

/// A worker was reported to have started.
template <class = only_if_used>
void tell_start(job::observation& to, const worker_link& link) noexcept {
    const std::int64_t now = steady_ns();
    const std::int64_t ready = link.box().told.ready.load(std::memory_order_acquire);
    const std::int64_t began = ready == 0 ? now : std::clamp(ready, std::min(link.asked_at, now), now);
    const auto time = [](std::int64_t ns) {
        return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(ns));
    };
    to.note(WorkerStart{
        .index = link.index, .pid = link.told_pid(), .asked = time(link.asked_at), .began = time(began)});
}

/// A worker is dead, and it is known how it ended; or all end, since the pool does.
template <class = only_if_used>
void tell_end(job::observation& to, const worker_link& link) noexcept {
    if (!link.has_started()) return;  // nobody was told of it
    WorkerEnd end{.index = link.index, .pid = link.told_pid(), .ended = std::chrono::steady_clock::now()};
    end.peak_memory = link.remains.peak_memory;
    if (link.exit) {
        const bool by_pool = link.terminated_for() || !link.fault().empty();
        end.reason = by_pool                                 ? worker_end::ended
                     : !link.tasks() && link.exit->code == 0 ? worker_end::finished
                                                             : worker_end::died;
        try {
            const bool known = link.exit->code || link.exit->signal != 0;
            end.how = known ? os::describe(*link.exit) : "killed with its zygote";
        } catch (const std::exception&) {  // then it isn't told
        }
    }
    to.note(std::move(end));
}

}  // namespace procpool::inline v0_1::detail::process

#endif
