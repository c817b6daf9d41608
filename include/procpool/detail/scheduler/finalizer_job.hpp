// SPDX-License-Identifier: MIT
// The job whose elements are what workers run before they leave: one for each worker that does.
#ifndef PROCPOOL_DETAIL_SCHEDULER_FINALIZER_JOB_HPP
#define PROCPOOL_DETAIL_SCHEDULER_FINALIZER_JOB_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "procpool/detail/job/finalizer.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/pool_status.hpp"

namespace procpool::inline v0_1::detail::scheduler {

class finalizer_job final : public remote_job {
public:
    template <class Definition>
    finalizer_job(Definition&& definition, std::shared_ptr<const job::finalizer> function)
        : remote_job(std::forward<Definition>(definition), true), function_(std::move(function)) {
        id = wire::finalizer_number;
    }

    /// A worker gets an element of it. @return which one
    std::uint64_t begin(std::size_t worker, long pid) PROCPOOL_REQUIRES(pool_mutex) {
        given_.push_back({.worker = worker, .pid = pid});
        return given_.size() - 1;
    }
    /// Those that have ended.
    const std::vector<FinalizerResult>& ends() const noexcept PROCPOOL_REQUIRES(pool_mutex) { return ends_; }

    void accept(std::uint64_t first, std::uint64_t count, std::uint64_t stride,
                std::span<const std::byte> values) override {
        wire::element_reader reader(values, stride);
        for (std::uint64_t i = 0; i < count; ++i) {
            try {
                arrived_.push_back({first + i, function_->rebuild(reader.next()), nullptr});
            } catch (...) {
                fail(first + i, std::current_exception());
            }
        }
    }
    void fail(std::uint64_t index, std::exception_ptr error) override {
        arrived_.push_back({index, {}, std::move(error)});
    }
    /// The user's error handler is told as callbacks are run.
    void publish(std::uint64_t first, std::uint64_t count) override PROCPOOL_REQUIRES(pool_mutex) {
        remote_job::publish(first, count);
        for (arrival& one : std::exchange(arrived_, {})) {
            FinalizerResult& end = ends_.emplace_back(given_[one.index]);
            end.value = std::move(one.result.value);
            end.text = std::move(one.result.text);
            end.error = one.error;
            if (!one.error) continue;
            job::ending& told = due_callbacks_.emplace_back();
            told.callbacks.emplace_back([error = std::move(one.error)] { std::rethrow_exception(error); });
            told.when_they_ran = [] {};
        }
    }

private:
    struct arrival {
        std::uint64_t index = 0;
        job::finalizer::result result;
        std::exception_ptr error;
    };

    const std::shared_ptr<const job::finalizer> function_;
    std::vector<FinalizerResult> given_;  // each with its worker, and nothing else
    std::vector<FinalizerResult> ends_;
    std::vector<arrival> arrived_;  // and not yet published
};

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
