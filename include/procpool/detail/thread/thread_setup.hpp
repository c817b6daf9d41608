// SPDX-License-Identifier: MIT
// What a thread of a pool does before its first task.
#ifndef PROCPOOL_DETAIL_THREAD_THREAD_SETUP_HPP
#define PROCPOOL_DETAIL_THREAD_THREAD_SETUP_HPP

#include <atomic>
#include <cstdint>
#include <exception>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/limits.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/thread/thread_pool_options.hpp"
#include "procpool/worker.hpp"

namespace procpool::inline v0_1::detail::thread {

template <class = only_if_used>
worker::identity new_identity(std::uint32_t index) noexcept {
    static std::atomic<std::uint64_t> threads_so_far{0};
    const std::uint64_t seed = worker::seed_of(threads_so_far.fetch_add(1), os::current_pid());
    return {.index = index, .seed = ~seed};  // unlike that of a worker process
}

/// @return why it can't work; null if it can
template <class = only_if_used>
std::exception_ptr set_up_thread(std::uint32_t index, const thread_pool_options& options) noexcept try {
    if (options.nice > 0) os::add_niceness(options.nice);
    if (options.pin_to_cpu) os::pin_to_cpu(index);
    if (options.initializer) options.initializer();
    return nullptr;
} catch (...) {
    return std::current_exception();
}

}  // namespace procpool::inline v0_1::detail::thread

#endif
