// SPDX-License-Identifier: MIT
// Hands all elements of an input range to a pool.
#ifndef PROCPOOL_DETAIL_CALL_SUBMIT_RANGE_HPP
#define PROCPOOL_DETAIL_CALL_SUBMIT_RANGE_HPP

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "procpool/detail/call/cancel_on_stop.hpp"
#include "procpool/detail/call/reader_of.hpp"
#include "procpool/detail/job/chunking.hpp"
#include "procpool/detail/job/element_callbacks.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/element_result.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1::detail::call {

/// Nobody will read the rest of an input that threw, nor the results.
inline void abandon_broken_input(job::runner& pool, const std::shared_ptr<job::basic_job>& job) {
    pool.drop(job, job::runner::running::is_ended, "procpool: the input range threw an exception");
}

/// Each element is told to `callback` when it has come to its end.
template <class Job>
void tell_each(const job::runner& pool, Job& job, const std::function<void(const ElementResult&)>& callback) {
    using results = std::remove_cvref_t<decltype(job.results)>;
    job.each = job::element_callbacks::make(
        pool, callback, &job.results, [](const void* all, std::uint64_t index, std::exception_ptr error) {
            const void* const value = error ? nullptr : static_cast<const results*>(all)->value_of(index);
            return ElementResult(index, value, typeid(typename results::element), std::move(error));
        });
    job.results.told = job.each.get();
}

/// Reads all of an input before any of it is submitted, so that it is known where results go: they stay there
/// while they are told.
template <class Pool, class Job, class Reader>
void submit_when_read(Pool& pool, const std::shared_ptr<Job>& job, Reader& reader)
    PROCPOOL_EXCLUDES(pool_mutex) {
    std::vector<typename Reader::block_type> read;
    std::vector<std::pair<std::uint64_t, std::exception_ptr>> errors;
    while (!reader.at_end()) {
        read.push_back(reader.next(job->chunk));
        if (auto error = reader.take_error()) errors.emplace_back(reader.encoded() - 1, std::move(error));
    }
    const auto lock = pool.acquire();
    job->expect(reader.encoded());
    job->expected = reader.encoded();
    for (auto& [index, error] : errors) pool.submit_failed(job, index, error);
    for (auto& some : read)
        if (some.count > 0) pool.submit(job, std::move(some));
}

/// Reads and submits all of `input`, as elements of the pool's kind. `pace` is called with the lock after
/// each block; false from it ends the work. @throws what the input throws;
/// std::invalid_argument; PoolNotRunning
template <class Pool, class Job, class Range, class Pace>
void submit_range(const std::shared_ptr<Pool>& pool, const std::shared_ptr<Job>& job, Range& input,
                  const MapOptions& options, Pace pace) PROCPOOL_EXCLUDES(pool_mutex) {
    const auto chunksize = job::checked_size(options.chunksize, "chunksize");
    std::optional<std::uint64_t> count;
    if constexpr (std::ranges::sized_range<Range>)
        count = static_cast<std::uint64_t>(std::ranges::size(input));
    else if constexpr (std::ranges::forward_range<Range>)
        count = static_cast<std::uint64_t>(std::ranges::distance(input));
    apply_options(*job, options);
    if (chunksize)
        job->chunk = *chunksize;
    else
        pool->choose_chunks(*job, count);
    if (options.on_result) tell_each(*pool, *job, options.on_result);
    job->expected = count.value_or(0);
    if (count) job->expect(*count);
    if (count) job->announced = *count;
    {
        const auto lock = pool->acquire();
        pool->add(job);
    }
    cancel_on_stop(pool, job, options.stop);
    try {
        auto encoder = reader_of<Pool>::make(*pool, *job, std::ranges::begin(input), std::ranges::end(input));
        if constexpr (Pool::chunks_depend_on_count)
            if (!chunksize && !count) submit_at_once(*pool, job, encoder);
        if constexpr (!std::ranges::forward_range<Range>)
            if (job->each && !count) submit_when_read(*pool, job, encoder);
        while (!encoder.at_end()) {
            auto elements = encoder.next(job->chunk);
            const auto error = encoder.take_error();
            auto lock = pool->acquire();
            if (elements.count > 0) pool->submit(job, std::move(elements));
            if (error) pool->submit_failed(job, encoder.encoded() - 1, error);
            if (!pace(lock)) break;
        }
        if constexpr (requires { job->results.for_whole_input; })
            if (!count) {
                while (!encoder.at_end()) {
                    encoder.next(job->chunk);
                    encoder.take_error();
                }
                count = encoder.encoded();
            }
    } catch (...) {
        abandon_broken_input(*pool, job);
        throw;
    }
    const auto lock = pool->acquire();
    // Elements that were not even submitted when the pool failed share its failure.
    if (job->failure() && count && job->submitted() < *count) job->add_submitted(*count - job->submitted());
    pool->seal(job);
}

}  // namespace procpool::inline v0_1::detail::call

#endif
