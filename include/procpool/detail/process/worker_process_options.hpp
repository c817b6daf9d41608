// SPDX-License-Identifier: MIT
// How many workers a pool has, and how they are started.
#ifndef PROCPOOL_DETAIL_PROCESS_WORKER_PROCESS_OPTIONS_HPP
#define PROCPOOL_DETAIL_PROCESS_WORKER_PROCESS_OPTIONS_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/preload.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/process/bundle_writer.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/wire/arena_place.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/detail/zygote/birth.hpp"
#include "procpool/detail/zygote/surroundings.hpp"

namespace procpool::inline v0_1::detail::process {

struct worker_process_options {
    std::uint32_t count = 1;
    std::uint32_t most = 1;  // that there may be, when the pool has been resized
    std::size_t restart_limit = 0;
    std::size_t arena_limit = 0;  // bytes
    zygote::worker_settings settings;
    zygote::surroundings around;
    bool start_left_open = false;  // by the user, so a zygote is never forked beside threads
    /// Run by each new worker before anything else; none if null.
    std::shared_ptr<scheduler::remote_job> initializer;
    scheduler::block initializer_arguments;
    bool quote_arguments = true;  // in what is told of a death
    std::shared_ptr<const job::preload> preload = nullptr;
    os::fd preload_file = {};  // that, for zygotes
    bundle_options bundles;
};

/// How many workers a pool gets that may have `most`. @throws std::invalid_argument
inline std::size_t checked_size(int count, std::size_t most) {
    if (count < 1) job::refuse("resize() takes 1 worker or more, not ", std::to_string(count));
    if (static_cast<std::size_t>(count) > most)
        job::refuse("resize() takes as many workers as PoolOptions::max_processes says at the most: ",
                    std::to_string(most));
    return static_cast<std::size_t>(count);
}

/// Of an initializer, for a worker.
inline scheduler::block copy_of_arguments(const scheduler::block& all) {
    scheduler::block arguments{.count = 1, .stride = wire::variable_stride, .bytes = {}, .pins = {}};
    const auto bytes = all.payload();
    arguments.bytes.append(bytes.data(), bytes.size());
    return arguments;
}

/// Large ones go into the arena, once for all workers.
template <class = only_if_used>
void share_arguments(scheduler::block& arguments, const std::shared_ptr<wire::arena>& memory) {
    if (arguments.count == 0) return;
    arguments.large.memory = memory;
    wire::end_sized({arguments.bytes, arguments.pins, &arguments.large}, sizeof(std::uint64_t));
    arguments = arguments.element(0);  // without the room that they took before
}

}  // namespace procpool::inline v0_1::detail::process

#endif
