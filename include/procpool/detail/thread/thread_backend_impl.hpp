// SPDX-License-Identifier: MIT
// What a pool of threads has done so far.
#ifndef PROCPOOL_DETAIL_THREAD_THREAD_BACKEND_IMPL_HPP
#define PROCPOOL_DETAIL_THREAD_THREAD_BACKEND_IMPL_HPP

#include <algorithm>
#include <chrono>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/observation.hpp"
#include "procpool/detail/thread/thread_backend.hpp"
#include "procpool/error.hpp"
#include "procpool/statistics.hpp"

namespace procpool::inline v0_1::detail::thread {

PROCPOOL_COMPILED_APART Statistics thread_backend::stats(const lock& /*held*/) const {
    const auto keeper = observed() ? observed()->keeper() : nullptr;
    if (!keeper)
        throw Error(
            "procpool: a ThreadPool counts nothing by itself; give it PoolOptions{.statistics = true}");
    Statistics all{.age = std::chrono::steady_clock::now() - keeper->since(), .workers = keeper->workers()};
    observed()->add_statistics(all);
    for (Statistics::Worker& one : all.workers) {
        one.bytes_sent = one.bytes_received = 0;
        one.waiting = std::max(all.age - one.working, std::chrono::nanoseconds(0));
    }
    return all;
}

}  // namespace procpool::inline v0_1::detail::thread

#endif
