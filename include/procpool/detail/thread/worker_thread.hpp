// SPDX-License-Identifier: MIT
// How a thread becomes a worker of a pool.
#ifndef PROCPOOL_DETAIL_THREAD_WORKER_THREAD_HPP
#define PROCPOOL_DETAIL_THREAD_WORKER_THREAD_HPP

#include <atomic>
#include <cstdint>
#include <exception>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/limits.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/thread.hpp"
#include "procpool/detail/os/thread_name.hpp"
#include "procpool/detail/thread/thread_pool_options.hpp"
#include "procpool/worker.hpp"

namespace procpool::inline v0_1::detail::thread {

/// Those of a pool.
template <class = only_if_used>
class basic_worker_threads {
public:
    basic_worker_threads() = default;
    basic_worker_threads(const basic_worker_threads&) = delete;
    basic_worker_threads& operator=(const basic_worker_threads&) = delete;
    /// A task or a callback may have been the last that knew the pool: then this is one of its own threads.
    ~basic_worker_threads() {
        for (std::thread& one : threads_) {
            if (one.get_id() == std::this_thread::get_id())
                one.detach();
            else
                one.join();
        }
    }

    /// Thread n runs what `body(n)` returns. @throws std::system_error if not all of them can be started
    template <class Body>
    void start(std::uint32_t count, Body body) {
        threads_.reserve(count);
        for (std::uint32_t n = 0; n < count; ++n) threads_.push_back(os::start_thread(body(n), "a worker's"));
    }
    /// By none of them.
    void join() {
        for (std::thread& one : std::exchange(threads_, {})) one.join();
    }

private:
    std::vector<std::thread> threads_;
};
using worker_threads = basic_worker_threads<>;

class thread_backend;
/// Null in a thread that is no worker.
template <class = only_if_used>
const thread_backend*& pool_of_this_thread() noexcept {
    thread_local const thread_backend* pool = nullptr;
    return pool;
}

/// Unlike that of any worker process.
template <class = only_if_used>
worker::identity new_identity(const thread_pool_options& options, std::uint32_t index) noexcept {
    static std::atomic<std::uint64_t> threads_so_far{0};
    const std::uint64_t seed = worker::seed_of(threads_so_far.fetch_add(1), os::current_pid());
    return {.index = index, .seed = ~seed, .pool_seed = options.seed};
}

/// Before its first task. @return why that is impossible
template <class = only_if_used>
std::exception_ptr set_up(const thread_pool_options& options, std::uint32_t index) noexcept {
    try {
        os::name_this_thread("procpool " + std::to_string(index));
        if (options.nice > 0) os::add_niceness(options.nice);
        if (options.pin_to_cpu) os::pin_to_cpu(index);
        if (options.initializer) options.initializer();
    } catch (...) {
        return std::current_exception();
    }
    return nullptr;
}

}  // namespace procpool::inline v0_1::detail::thread

#endif
