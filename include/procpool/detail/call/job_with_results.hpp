// SPDX-License-Identifier: MIT
// A job that keeps its results for the caller.
#ifndef PROCPOOL_DETAIL_CALL_JOB_WITH_RESULTS_HPP
#define PROCPOOL_DETAIL_CALL_JOB_WITH_RESULTS_HPP

#include <cstdint>
#include <exception>
#include <functional>
#include <type_traits>
#include <utility>

#include "procpool/detail/call/result_source.hpp"
#include "procpool/detail/call/results.hpp"
#include "procpool/detail/job/element_facts.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::call {

/// `Job` is the kind of basic_job, `Results` one of results.hpp, which give the caller a T.
template <class Job, class Results, class T>
class job_with_results : public Job, public result_source<T> {
public:
    /// So many elements will come.
    void expect(std::uint64_t count) { results.expect(count); }

    void fail(std::uint64_t index, std::exception_ptr error) override {
        results.fail(index, std::move(error));
    }

    void publish(std::uint64_t first, std::uint64_t count) override {
        results.publish(first, count);
        Job::publish(first, count);
    }

    // The job is its only call.
    bool call_done(std::uint64_t /*call*/) const noexcept override { return this->done(); }
    bool call_seen_done(std::uint64_t /*call*/) const noexcept override { return false; }
    bool call_settled(std::uint64_t /*call*/) const noexcept override { return this->settled(); }
    std::exception_ptr call_failure(std::uint64_t /*call*/) override { return this->failure(); }
    bool add_call_callback(std::uint64_t /*call*/, std::function<void()> callback) override {
        return this->add_callback(std::move(callback));
    }
    void observe_call(std::uint64_t /*call*/, job::observer& one) override PROCPOOL_REQUIRES(pool_mutex) {
        this->observe(one);
    }
    void drop_observer(std::uint64_t /*call*/, job::observer& one) noexcept override
        PROCPOOL_REQUIRES(pool_mutex) {
        this->drop(one);
    }
    bool was_empty() const noexcept override { return this->submitted() == 0; }

    // Several threads may wait for one result; the first to read it puts it in order.
    std::exception_ptr error(std::uint64_t /*call*/) override {
        const mutex_guard lock(looking_);
        if constexpr (requires { results.error(this->failure()); })
            return results.error(this->failure());
        else
            return this->failure();
    }
    stored<T>& value(std::uint64_t /*call*/) override {
        const mutex_guard lock(looking_);
        if constexpr (requires { results.value(this->submitted()); })
            return results.value(this->submitted());
        else
            throw Error("procpool: a stream has no single result");
    }
    void taken(std::uint64_t /*call*/) override {
        if constexpr (requires { results.taken(); }) results.taken();
    }

    Results results;

protected:
    template <class... Args>
    explicit job_with_results(Results none_yet, Args&&... of_the_job)
        : Job(std::forward<Args>(of_the_job)...), results(std::move(none_yet)) {
        if constexpr (std::is_base_of_v<job::facts_keeper, Results>) this->facts = &results;
    }

private:
    mutex looking_;
};

}  // namespace procpool::inline v0_1::detail::call

#endif
