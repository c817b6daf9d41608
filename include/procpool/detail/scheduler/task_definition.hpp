// SPDX-License-Identifier: MIT
// What a job has its workers run.
#ifndef PROCPOOL_DETAIL_SCHEDULER_TASK_DEFINITION_HPP
#define PROCPOOL_DETAIL_SCHEDULER_TASK_DEFINITION_HPP

#include <cstddef>
#include <span>
#include <string>
#include <typeinfo>

#include "procpool/detail/wire/arena_part.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/sink.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// What tells a worker how to run a task: the location of its ops, then the callable.
struct task_definition {
    /// What lies in memory that this process and its workers share: the bytes of a part from `begin` on.
    struct shared {
        wire::arena_part part;
        std::size_t size = 0;   // of the whole part
        std::size_t begin = 0;  // other things are in front
    };

    wire::buffer bytes;
    shared instead;   // of `bytes`, if there is a part
    wire::pins pins;  // what the callable refers to
    /// An encoded element as text, for messages.
    std::string (*describe)(std::span<const std::byte> element) = nullptr;
    /// What it takes and returns, as a function type.
    const std::type_info* signature = nullptr;

    std::span<const std::byte> all() const noexcept {
        if (!instead.part.memory) return bytes.bytes();
        return {instead.part.memory.get() + instead.begin, instead.size - instead.begin};
    }
};

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
