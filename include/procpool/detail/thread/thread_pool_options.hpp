// SPDX-License-Identifier: MIT
// How a pool of threads is made.
#ifndef PROCPOOL_DETAIL_THREAD_THREAD_POOL_OPTIONS_HPP
#define PROCPOOL_DETAIL_THREAD_THREAD_POOL_OPTIONS_HPP

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <vector>

#include "procpool/detail/job/finalizer.hpp"
#include "procpool/detail/job/pending_calls.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1::detail::thread {

struct thread_pool_options {
    std::uint32_t threads = 1;
    int nice = 0;
    bool pin_to_cpu = false;
    std::function<void()> initializer = {};
    std::function<void(std::exception_ptr)> error_handler = {};
    std::vector<std::shared_ptr<Observer>> observers = {};
    bool keeps_statistics = false;
    std::shared_ptr<const job::finalizer> finalizer = nullptr;
    std::uint64_t seed = 0;
    job::pending_limits pending = {};
};

}  // namespace procpool::inline v0_1::detail::thread

#endif
