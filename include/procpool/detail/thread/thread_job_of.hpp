// SPDX-License-Identifier: MIT
// A job on threads with the type of its results: calls the task, and keeps what it returns for the caller.
#ifndef PROCPOOL_DETAIL_THREAD_THREAD_JOB_OF_HPP
#define PROCPOOL_DETAIL_THREAD_THREAD_JOB_OF_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/detail/call/job_with_results.hpp"
#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/element_facts.hpp"
#include "procpool/detail/job/retrying.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/thread/thread_job.hpp"
#include "procpool/detail/thread/thread_notes.hpp"
#include "procpool/detail/worker/element_position.hpp"
#include "procpool/worker.hpp"

namespace procpool::inline v0_1::detail::thread {

/// `Task` is a thread_task, `Results` one of job/results.hpp.
template <class Task, class Results>
class thread_job_of final : public call::job_with_results<thread_job, Results, typename Results::result> {
    using base = call::job_with_results<thread_job, Results, typename Results::result>;
    using result = typename Task::result;
    using stored = call::stored<result>;

public:
    using where = typename Task::where;
    using base::results;

    template <class F, class... Args>
    explicit thread_job_of(F&& function, Args&&... args)
        : base(Results(std::forward<Args>(args)...)), function_(std::forward<F>(function)) {
        this->borrows = Task::borrows;
        this->repeatable = Task::repeatable;
        // Somebody may wait for it while the next one takes long.
        if constexpr (is_stream) this->at_once = 1, this->tells_each = true;
    }

    /// So many elements will come: threads may store their results at the same time, each in its place.
    void expect(std::uint64_t count) {
        base::expect(count);
        has_places_ = !is_stream;
    }

    std::uint64_t run(elements some, job::runner::lock& held) override PROCPOOL_REQUIRES(pool_mutex) {
        outcome of_this;
        of_this.most_failures = this->max_failures - std::min(this->failures, this->max_failures);
        held.unlock();
        if constexpr (Task::as_const)
            run_all(std::as_const(function_.get()), some, of_this);
        else if constexpr (std::is_copy_constructible_v<typename Task::callee>)
            run_with_copy(some, of_this);
        else
            run_all(function_.get(), some, of_this);
        if (!of_this.runs_again) some.values.reset();
        held.lock();
        const std::uint64_t failed = of_this.failed.size();
        if (this->abandoned && !this->borrows) {  // what it holds is the user's
            held.unlock();
            of_this = {};
            some.values.reset();
            held.lock();
            return failed;
        }
        keep(some, of_this);
        return failed;
    }

private:
    static constexpr bool is_stream = requires(Results& r) { r.has_next(); };
    static constexpr bool is_one = std::is_same_v<Results, call::one_result<result>>;

    struct failed_element {
        std::uint64_t index;
        std::exception_ptr error;
    };
    struct unusual_element {
        std::uint64_t index;
        job::element_facts facts;
    };
    /// What became of some elements.
    struct outcome {
        std::uint64_t most_failures = 0;  // then the others don't run
        std::uint64_t ended = 0;
        std::vector<failed_element> failed;
        std::vector<std::optional<stored>> values;  // those that have no place yet; none for one that failed
        std::vector<element_times> times;           // if they are observed
        std::vector<unusual_element> unusual;       // those with facts to be noted
        bool runs_again = false;                    // the only one has failed, and does so after a while
    };

    void run_with_copy(const elements& some, outcome& of_this) {
        typename Task::callee function(function_.get());
        run_all(function, some, of_this);
    }

    void run_all(typename Task::callee& function, const elements& some, outcome& of_this) {
        const bool has_places = has_places_;
        const bool is_observed = this->observed != nullptr;
        worker::element_counter index(worker::current().pool_seed, this->number);
        index.stops_if(this->unwanted);
        if (!has_places) of_this.values.reserve(static_cast<std::size_t>(some.count));
        for (std::uint64_t i = 0; i < some.count; ++i) {
            if (this->stopped.load(std::memory_order_relaxed)) break;
            ++of_this.ended;
            if (is_observed) of_this.times.push_back({steady_ns(), 0, true});
            index.is(some.first + i);
            index.is_attempt(some.attempt);
            if (this->soft_timeout != job::no_limit) index.stops_at(steady_ns() + this->soft_timeout.count());
            std::uint32_t attempts = some.attempt;
            try {
                if (has_places)
                    results.store(some.first + i, attempt(function, some, i, attempts, index));
                else
                    of_this.values.emplace_back(attempt(function, some, i, attempts, index));
            } catch (const later&) {
                --of_this.ended;
                of_this.runs_again = true;
            } catch (...) {
                of_this.failed.push_back({some.first + i, std::current_exception()});
                if (!has_places) of_this.values.emplace_back();
            }
            const bool asked = this->soft_timeout != job::no_limit && index.is_asked_to_stop();
            if ((attempts > 1 || asked) && !of_this.runs_again)
                of_this.unusual.push_back({some.first + i, {attempts, asked}});
            const bool good = of_this.failed.empty() || of_this.failed.back().index != some.first + i;
            if (is_observed)
                of_this.times.back() = {of_this.times.back().begun, steady_ns(), good && !of_this.runs_again,
                                        attempts, of_this.runs_again};
            if (!good && of_this.failed.size() >= of_this.most_failures) break;
        }
    }

    /// Thrown where the next attempt is to be made later.
    struct later {};

    stored attempt(typename Task::callee& function, const elements& some, std::uint64_t n,
                   std::uint32_t& attempts, worker::element_counter& tells) {
        if constexpr (Task::repeatable) {
            for (; this->retry_exceptions && attempts <= this->retries; tells.is_attempt(++attempts)) {
                try {
                    return again(function, some, n);
                } catch (...) {
                    if (!is_worth_another(std::current_exception())) throw;
                }
                if (job::has_delays(*this)) throw later();
            }
        }
        return call(function, where::get(some.values.get(), some.begin + n));
    }
    bool is_worth_another(const std::exception_ptr& error) const {
        bool is = !job::depends_on_error(*this);
        if (!is) this->runs_in->run_callback([&] { is = this->retry_policy->when(error); });
        return is;
    }

    /// The element stays good for another attempt.
    stored again(typename Task::callee& function, const elements& some, std::uint64_t n) {
        using passed = typename Task::passed;
        if constexpr (std::is_rvalue_reference_v<passed>) {
            const std::remove_cvref_t<passed>& kept = where::get(some.values.get(), some.begin + n);
            std::remove_cvref_t<passed> copy(kept);
            return call(function, std::move(copy));
        } else {
            return call(function, where::get(some.values.get(), some.begin + n));
        }
    }

    static stored call(typename Task::callee& function, typename Task::passed&& element) {
        if constexpr (std::is_void_v<result>) {
            Task::call(function, static_cast<typename Task::passed&&>(element));
            return {};
        } else {
            return Task::call(function, static_cast<typename Task::passed&&>(element));
        }
    }

    void keep(elements& some, outcome& of_this) PROCPOOL_REQUIRES(pool_mutex) {
        const std::uint64_t first = some.first;
        tell_ends(*this, first, of_this.times);
        if (of_this.runs_again) {
            if (this->abandoned || this->failure()) return;
            ++some.attempt;
            this->put_off = std::move(some);
            return;
        }
        auto failed = of_this.failed.begin();
        auto unusual = of_this.unusual.begin();
        if (has_places_) {
            for (; failed != of_this.failed.end(); ++failed) results.fail(failed->index, failed->error);
            for (; unusual != of_this.unusual.end(); ++unusual) note(*unusual);
        } else {
            for (std::uint64_t i = 0; i < of_this.ended; ++i) {
                auto& value = of_this.values[i];
                if (value)
                    results.store(first + i, std::move(*value));
                else
                    results.fail(first + i, (failed++)->error);
                if (unusual != of_this.unusual.end() && unusual->index == first + i) note(*unusual++);
            }
        }
        this->publish(first, of_this.ended);
    }

    void note(const unusual_element& one) {
        if constexpr (std::is_base_of_v<job::facts_keeper, Results>) results.note(one.index, one.facts);
    }

    typename Task::function function_;
    bool has_places_ = is_one;
};

}  // namespace procpool::inline v0_1::detail::thread

#endif
