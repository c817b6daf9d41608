// SPDX-License-Identifier: MIT
// What observers are told of elements that threads run, and of the threads.
#ifndef PROCPOOL_DETAIL_THREAD_THREAD_NOTES_HPP
#define PROCPOOL_DETAIL_THREAD_THREAD_NOTES_HPP

#include <cstdint>
#include <vector>

#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/thread/thread_job.hpp"

namespace procpool::inline v0_1::detail::thread {

/// What became of one element, in the order in which they ran.
struct element_times {
    std::int64_t begun;  // steady ns
    std::int64_t ended;
    bool good;
    std::uint32_t attempt = 1;  // the last one
    bool runs_again = false;
};

/// Elements from `first` on have come to their end, in this thread. `all` is more often empty than not.
void tell_ends(thread_job& job, std::uint64_t first, const std::vector<element_times>& all) noexcept
    PROCPOOL_REQUIRES(pool_mutex);

// For jobs and pools that are observed only.

void begin_observed(job::runner& pool, thread_job& job) PROCPOOL_REQUIRES(pool_mutex);
/// This thread is about to run these elements.
void tell_begin(thread_job& job, const elements& some) noexcept PROCPOOL_REQUIRES(pool_mutex);
/// Elements [first, first + count) won't run.
void tell_cancelled(thread_job& job, std::uint64_t first, std::uint64_t count) noexcept
    PROCPOOL_REQUIRES(pool_mutex);
/// An element couldn't be kept.
void tell_not_kept(thread_job& job, std::uint64_t index) noexcept PROCPOOL_REQUIRES(pool_mutex);

enum class thread_event { starts, ends };
void tell_thread(job::runner& pool, std::uint32_t index, thread_event what) noexcept
    PROCPOOL_REQUIRES(pool_mutex);

}  // namespace procpool::inline v0_1::detail::thread

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/thread/thread_notes_impl.hpp"
#endif

#endif
