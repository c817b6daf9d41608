// SPDX-License-Identifier: MIT
// What a job has its workers run.
#ifndef PROCPOOL_DETAIL_SCHEDULER_TASK_DEFINITION_HPP
#define PROCPOOL_DETAIL_SCHEDULER_TASK_DEFINITION_HPP

#include <cstddef>
#include <span>
#include <string>
#include <typeinfo>

#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/sink.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// What tells a worker how to run a task: the location of its ops, then the callable.
struct task_definition {
    wire::buffer bytes;
    wire::pins pins;  // what the callable refers to
    /// An encoded element as text, for messages.
    std::string (*describe)(std::span<const std::byte> element) = nullptr;
    /// What it takes and returns, as a function type.
    const std::type_info* signature = nullptr;
};

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
