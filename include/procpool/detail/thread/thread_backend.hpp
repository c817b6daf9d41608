// SPDX-License-Identifier: MIT
// What the facade of a pool of threads asks of the thing that runs its jobs.
#ifndef PROCPOOL_DETAIL_THREAD_THREAD_BACKEND_HPP
#define PROCPOOL_DETAIL_THREAD_THREAD_BACKEND_HPP

#include <cstdint>
#include <exception>
#include <memory>
#include <utility>

#include "procpool/detail/call/reader_of.hpp"
#include "procpool/detail/job/chunking.hpp"
#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/thread/thread_input.hpp"
#include "procpool/detail/thread/thread_job.hpp"
#include "procpool/pool_status.hpp"

namespace procpool::inline v0_1::detail::thread {

class thread_backend : public job::runner {
public:
    /// Takes a job on. @throws PoolNotRunning, or the pool's own failure.
    virtual void add(const std::shared_ptr<thread_job>& job) PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// Hands elements over; they run as soon as a thread has time.
    virtual void submit(const std::shared_ptr<thread_job>& job, elements some)
        PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// Hands over an element for each thread: it runs after what that is running.
    virtual void submit_to_each(const std::shared_ptr<thread_job>& job, elements all)
        PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// An element that could not even be kept.
    virtual void submit_failed(const std::shared_ptr<thread_job>& job, std::uint64_t index,
                               std::exception_ptr error) PROCPOOL_REQUIRES(pool_mutex) = 0;
    /// @throws Error if it keeps none
    Statistics stats(const lock& held) const PROCPOOL_REQUIRES(pool_mutex);
    /// No more elements will come.
    virtual void seal(const std::shared_ptr<thread_job>& job) PROCPOOL_REQUIRES(pool_mutex) = 0;

    /// Whether more elements should be read now, so that the threads never wait for it.
    bool wants_more(const thread_job& job) const noexcept PROCPOOL_REQUIRES(pool_mutex) {
        constexpr std::uint64_t many = 4096;
        return job.ready_elements < size() * job.chunk || job.ready_elements < many;
    }

    /// Whether how many elements go together depends on how many there are.
    static constexpr bool chunks_depend_on_count = true;
    /// Nobody has said how many elements go together.
    void choose_chunks(thread_job& job, std::optional<std::uint64_t> count) const noexcept {
        job.chunk = count ? job::default_chunksize(*count, size()) : 1;
    }
};

/// Reads all of an input before any of it is submitted, since the size of its chunks depends on that.
template <class Job, class Where, class Iterator, class Sentinel>
void submit_at_once(thread_backend& pool, const std::shared_ptr<Job>& job,
                    element_reader<Where, Iterator, Sentinel>& reader) {
    constexpr std::uint64_t everything = std::uint64_t{1} << 62;
    std::vector<elements> read;
    std::vector<std::pair<std::uint64_t, std::exception_ptr>> errors;
    while (!reader.at_end()) {
        read.push_back(reader.next(everything));
        if (auto error = reader.take_error()) errors.emplace_back(reader.encoded() - 1, error);
    }
    const auto lock = pool.acquire();
    job->expect(reader.encoded());
    job->chunk = job::default_chunksize(reader.encoded(), pool.size());
    for (auto& [index, error] : errors) pool.submit_failed(job, index, error);
    for (elements& some : read)
        if (some.count > 0) pool.submit(job, std::move(some));
}

}  // namespace procpool::inline v0_1::detail::thread

namespace procpool::inline v0_1::detail::call {

/// Turns a range into elements of a job of this pool. Without the lock.
template <>
struct reader_of<thread::thread_backend> {
    template <class Job, class Iterator, class Sentinel>
    static thread::element_reader<typename Job::where, Iterator, Sentinel> make(
        const thread::thread_backend& /*pool*/, const Job& /*job*/, Iterator begin, Sentinel end) {
        return {std::move(begin), std::move(end)};
    }
};

}  // namespace procpool::inline v0_1::detail::call

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/thread/thread_backend_impl.hpp"
#endif

#endif
