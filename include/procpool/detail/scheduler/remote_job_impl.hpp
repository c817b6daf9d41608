// SPDX-License-Identifier: MIT
// A job's begin and end.
#ifndef PROCPOOL_DETAIL_SCHEDULER_REMOTE_JOB_IMPL_HPP
#define PROCPOOL_DETAIL_SCHEDULER_REMOTE_JOB_IMPL_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <thread>
#include <utility>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/make_error.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::scheduler {

PROCPOOL_COMPILED_APART remote_job::remote_job(task_definition&& definition, bool once)
    : own_definition_(std::move(definition)), definition_(own_definition_), once_(once) {
    pins = std::move(own_definition_.pins);
}

PROCPOOL_COMPILED_APART remote_job::remote_job(const task_definition& definition, bool once)
    : definition_(definition), once_(once) {}

PROCPOOL_COMPILED_APART remote_job::~remote_job() = default;

PROCPOOL_COMPILED_APART void remote_job::settle() noexcept {
    if (journal) journal->close();
    basic_job::settle();
}

PROCPOOL_COMPILED_APART std::exception_ptr remote_job::error_of_withdrawn(const char* why) const {
    return job::make_error<TaskCancelled>(why);
}

PROCPOOL_COMPILED_APART std::chrono::nanoseconds remote_job::soonest_end(
    std::chrono::nanoseconds limit, std::chrono::nanoseconds used) noexcept {
    // It may use all CPUs at once; but one that sleeps with little left is not looked at all the time.
    static const auto cpus = static_cast<std::int64_t>(std::max(1u, std::thread::hardware_concurrency()));
    constexpr int steps = 50;
    return std::max(
        {(limit - used) / cpus, limit / steps, std::chrono::nanoseconds(std::chrono::milliseconds(1))});
}

PROCPOOL_COMPILED_APART void remote_job::drop_ready() noexcept {
    ready.clear();
    ready_elements = 0;
    ready_bytes = 0;
}

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
