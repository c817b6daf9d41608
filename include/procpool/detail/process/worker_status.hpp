// SPDX-License-Identifier: MIT
// What a worker is doing.
#ifndef PROCPOOL_DETAIL_PROCESS_WORKER_STATUS_HPP
#define PROCPOOL_DETAIL_PROCESS_WORKER_STATUS_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/process/worker_link.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/peer.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/pool_status.hpp"

namespace procpool::inline v0_1::detail::process {

/// What a peer runs now. With the pool's lock held.
template <class = only_if_used>
std::optional<WorkerStatus::Running> running_in(scheduler::peer& one, bool quote_arguments) {
    const auto element = one.now_running();
    if (!element) return std::nullopt;
    const scheduler::remote_job& job = *element->of->job;
    WorkerStatus::Running now;
    now.run_time = elapsed_since(element->since);
    const scheduler::block& among = element->of->elements;
    const scheduler::block bytes = among.element(element->index - among.first);
    wire::element_reader reader(bytes.payload(), bytes.stride);
    now.call = quote_arguments ? "f(" + job.describe(reader.next()) + ")" : "f(...)";
    if (job.id != wire::initializer_number && job.id != wire::finalizer_number)
        now.index = job.index_told(element->index);
    return now;
}

/// With the pool's lock held.
template <class = only_if_used>
WorkerStatus status_of(worker_link& link, std::size_t index, bool quote_arguments) {
    WorkerStatus status{.index = index};
    if (!link.is_alive()) return status;
    status.pid = link.told_pid();
    status.running = running_in(link, quote_arguments);
    return status;
}

/// Of all that work, and of those that a smaller size leaves to finish. Once the pool `has_ended` none works.
template <class = only_if_used>
std::vector<WorkerStatus> statuses_of(std::vector<worker_link>& links, std::size_t size, bool has_ended,
                                      bool quote_arguments) {
    std::vector<WorkerStatus> all;
    for (std::size_t index = 0; index < links.size(); ++index) {
        if (index >= size && !links[index].is_alive()) continue;
        all.push_back(has_ended ? WorkerStatus{.index = index}
                                : status_of(links[index], index, quote_arguments));
    }
    return all;
}

}  // namespace procpool::inline v0_1::detail::process

#endif
