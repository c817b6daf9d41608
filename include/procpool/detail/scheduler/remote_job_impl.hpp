// SPDX-License-Identifier: MIT
// A job's begin and end.
#ifndef PROCPOOL_DETAIL_SCHEDULER_REMOTE_JOB_IMPL_HPP
#define PROCPOOL_DETAIL_SCHEDULER_REMOTE_JOB_IMPL_HPP

#include <exception>
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

PROCPOOL_COMPILED_APART std::exception_ptr remote_job::error_of_withdrawn(const char* why) const {
    return job::make_error<TaskCancelled>(why);
}

PROCPOOL_COMPILED_APART void remote_job::drop_ready() noexcept {
    ready.clear();
    ready_elements = 0;
    ready_bytes = 0;
}

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
