// SPDX-License-Identifier: MIT
// What callers do with the pool: maps, single calls, giving them up, and its end.
#ifndef PROCPOOL_TESTS_SIMULATION_CALLERS_HPP
#define PROCPOOL_TESTS_SIMULATION_CALLERS_HPP

#include <array>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>

#include "job.hpp"
#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/scheduler/call_series.hpp"
#include "procpool/detail/scheduler/calls_in_a_row.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/retry_policy.hpp"
#include "world.hpp"

namespace simulation {

class callers {
public:
    explicit callers(world& in) : in_(in) {}

    void add_job() {
        if (in_.closed || in_.pool.why_failed()) return;
        const auto job = make_job(false);
        plan_elements(*job, *job, in_.dice.one_in(10) ? 0 : in_.dice.from(1, 60));
        job->expected = in_.dice.one_in(2) ? job->planned : 0;
        add_callbacks(*job, job);
        const auto lock = in_.pool.acquire();
        in_.pool.add(job);
        keep(job, *job);
        submit_some(job);
    }

    void submit_more() {
        if (in_.jobs.empty()) return;
        auto& [job, of] = in_.jobs[in_.dice.below(in_.jobs.size())];
        const auto one = std::dynamic_pointer_cast<simulated_job>(job);
        if (!one || one->all_submitted) return;
        const auto lock = in_.pool.acquire();
        submit_some(one);
    }

    void single_calls() {
        if (in_.closed || in_.pool.why_failed()) return;
        for (std::uint64_t n = in_.dice.from(1, 12); n > 0; --n) {
            if (in_.with(trouble::series) && join_series()) continue;
            const auto job = make_job(true);
            job->chunk = 1;
            plan_elements(*job, *job, 1);
            const auto lock = in_.pool.acquire();
            in_.pool.add(job);
            keep(job, *job);
            submit_some(job);
        }
    }

    void give_up() {
        if (!in_.with(trouble::cancellation) || in_.jobs.empty() || !in_.dice.one_in(3)) return;
        const auto job = in_.jobs[in_.dice.below(in_.jobs.size())].job;
        using running = procpool::detail::job::runner::running;
        auto lock = in_.pool.acquire();
        switch (in_.dice.below(4)) {
            case 0:
                in_.pool.abandon(job, in_.dice.one_in(2) ? running::goes_on : running::is_ended, "given up");
                return;
            case 1: in_.pool.withdraw(job, "withdrawn"); return;
            case 2:
                if (job->submitted() > 0)
                    in_.pool.withdraw_call(lock, job, in_.dice.below(job->submitted()), "withdrawn");
                return;
            default:
                if (job->submitted() > 0)
                    in_.pool.abandon_call(job, in_.dice.below(job->submitted()), "given up");
        }
    }

    void resize() {
        if (in_.closed || in_.pool.why_failed() || in_.has_nodes || !in_.dice.one_in(20)) return;
        in_.was_resized = true;
        const auto lock = in_.pool.acquire();
        in_.pool.resize_now(in_.dice.from(1, in_.pool.peers().size()));
    }

    void end_pool() {
        if (!in_.with(trouble::ends) || !in_.dice.one_in(40)) return;
        if (in_.dice.one_in(4)) {
            in_.closed = true;
            in_.pool.terminate_now();
            return;
        }
        in_.closed = true;
        const auto lock = in_.pool.acquire();
        in_.pool.wind_up(in_.dice.one_in(2) ? "withdrawn" : nullptr);
    }

    /// All that is planned is submitted, and nothing more.
    void come_to_an_end() {
        if (!in_.pool.why_failed()) {
            const auto all = in_.jobs;
            for (const auto& [job, of] : all) {
                const auto one = std::dynamic_pointer_cast<simulated_job>(job);
                while (one && !one->all_submitted) {
                    const auto lock = in_.pool.acquire();
                    submit_some(one);
                }
            }
            const auto lock = in_.pool.acquire();
            in_.pool.close();
        }
        in_.closed = true;
    }

private:
    std::shared_ptr<const procpool::RetryPolicy> make_policy() {
        auto policy = std::make_shared<procpool::RetryPolicy>();
        policy->delay = std::chrono::microseconds(in_.dice.below(20'000));
        if (in_.dice.one_in(2))
            policy->when = [&dice = in_.dice](const std::exception_ptr&) { return !dice.one_in(4); };
        return policy;
    }
    std::shared_ptr<simulated_job> make_job(bool once) {
        const auto job = std::make_shared<simulated_job>(in_.last_number, in_.dice.below(3), once);
        job->retries = in_.with(trouble::retries) ? static_cast<std::uint32_t>(in_.dice.below(3)) : 0;
        job->retry_exceptions = in_.dice.one_in(2);
        job->bulk = in_.dice.one_in(2);
        if (job->retries > 0 && in_.dice.one_in(3)) job->retry_policy = make_policy();
        job->fail_fast = in_.sometimes(trouble::cancellation, 6);
        if (job->fail_fast || in_.sometimes(trouble::cancellation, 6))
            job->max_failures = job->fail_fast ? 1 : in_.dice.from(1, 5);
        if (in_.sometimes(trouble::limits, 3)) job->timeout = std::chrono::milliseconds(in_.dice.from(1, 50));
        if (in_.dice.one_in(3)) job->priority = static_cast<int>(in_.dice.below(5)) - 2;
        if (once && in_.dice.one_in(4)) job->key = in_.dice.below(6);
        if (in_.dice.one_in(2))
            job->guided = true;
        else
            job->chunk = in_.dice.from(1, 8);
        return job;
    }

    void plan_elements(account& of, const scheduler::remote_job& job, std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) {
            record one;
            if (in_.sometimes(trouble::errors, 10)) {
                constexpr std::array kinds{behaviour::takes_long,  behaviour::throws,
                                           behaviour::throws_once, behaviour::kills,
                                           behaviour::kills_once,  behaviour::hangs};
                one.does = kinds[in_.dice.below(kinds.size())];
                if (one.does == behaviour::hangs && job.timeout == procpool::detail::job::no_limit)
                    one.does = behaviour::takes_long;
            }
            of.elements.push_back(one);
        }
        of.planned = count;
        in_.last_number += count;
    }

    template <class Job>
    void keep(const std::shared_ptr<Job>& job, account& of) {
        in_.pool.open_.push_back(job);
        in_.jobs.push_back({job, &of});
    }

    void add_callbacks(scheduler::remote_job& job, const std::shared_ptr<account>& of) {
        if (!in_.sometimes(trouble::callbacks, 3)) return;
        of->has_callback = true;
        job.add_callback([this, weak = std::weak_ptr(of)] {
            if (const auto one = weak.lock()) ++one->callbacks_run;
            if (in_.dice.one_in(3)) add_job();
            if (in_.dice.one_in(5)) give_up();
        });
    }

    void submit_some(const std::shared_ptr<simulated_job>& job) {
        const std::uint64_t left = job->planned - job->submitted();
        if (left > 0 && !job->sealed()) {
            if (in_.dice.one_in(20)) {
                const std::uint64_t index = job->submitted();
                job->of(index).begun = 0;
                ++job->of(index).submitted;
                in_.pool.submit_failed(job, index,
                                       std::make_exception_ptr(std::runtime_error("can't be sent")));
            } else {
                const std::uint64_t count = in_.dice.from(1, left);
                scheduler::block some{
                    .first = job->submitted(), .count = count, .stride = 8, .bytes = {}, .pins = {}};
                for (std::uint64_t i = 0; i < count; ++i) {
                    some.bytes.append_value(job->number(some.first + i));
                    ++job->of(some.first + i).submitted;
                }
                in_.pool.submit(job, std::move(some));
            }
        }
        if (job->submitted() == job->planned || job->sealed()) {
            job->all_submitted = true;
            if (!job->sealed()) in_.pool.seal(job);
        }
    }

    bool join_series() {
        const auto lock = in_.pool.acquire();
        static constexpr char task = 0;
        const scheduler::call_kind kind{&task};
        scheduler::calls_in_a_row& in_a_row = in_.pool.in_a_row();
        auto series = std::static_pointer_cast<simulated_series>(in_a_row.series_of(kind));
        if (!series) {
            if (!in_a_row.begins_series(kind)) return false;
            series = std::make_shared<simulated_series>(in_.last_number, 9);
            in_.last_number += scheduler::call_series::most_calls;
            in_a_row.open(series);
            keep(series, *series);
        }
        const std::uint64_t call = series->submitted();
        record one;
        if (in_.sometimes(trouble::errors, 12))
            one.does = in_.dice.one_in(2) ? behaviour::throws : behaviour::kills;
        series->elements.push_back(one);
        series->planned = series->elements.size();
        ++series->of(call).submitted;
        if (in_.sometimes(trouble::callbacks, 8)) {
            auto* const counted = &series->call_callbacks_run;
            (*counted)[call] = 0;
            series->add_call_callback(call, [counted, call] { ++(*counted)[call]; });
        }
        scheduler::block& arguments = series->open_block(8);
        arguments.stride = 8;
        arguments.bytes.append_value(series->number(call));
        ++arguments.count;
        in_.pool.submit_call(series, 8);
        return true;
    }

    world& in_;
};

}  // namespace simulation

#endif
