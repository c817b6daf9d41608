// SPDX-License-Identifier: MIT
// Refuses options that make no sense.
#ifndef PROCPOOL_DETAIL_JOB_CALL_OPTIONS_IMPL_HPP
#define PROCPOOL_DETAIL_JOB_CALL_OPTIONS_IMPL_HPP

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/job/observe.hpp"
#include "procpool/detail/job/retrying.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1::detail::job {

PROCPOOL_COMPILED_APART void refuse(const char* what, const std::string& got) {
    throw std::invalid_argument(std::string("procpool: ").append(what).append(got));
}

PROCPOOL_COMPILED_APART std::chrono::nanoseconds at_most_for_ever(std::chrono::nanoseconds time) noexcept {
    constexpr std::chrono::hours a_century{24 * 365 * 100};
    return time < a_century ? time : no_limit;
}

PROCPOOL_COMPILED_APART std::chrono::nanoseconds checked_limit(
    const std::optional<std::chrono::nanoseconds>& limit, const char* name) {
    if (!limit) return no_limit;
    if (limit->count() <= 0) refuse(name, " must be longer than 0");
    return at_most_for_ever(*limit);
}

PROCPOOL_COMPILED_APART std::optional<plain_options> as_plain(const TaskOptions& options) {
    // A priority is for taking turns, which a series does as a whole.
    const bool is_plain = !options.stop.stop_possible() && options.name.empty() &&
                          options.observers.empty() && !options.journal && !options.key &&
                          options.priority == 0 && !options.soft_timeout && !options.retries.policy();
    if (!is_plain) return std::nullopt;
    return plain_options{options.timeout, options.cpu_timeout, options.retries.times(),
                         options.retry_exceptions};
}

template <class Options>
void apply_observers(basic_job& job, const Options& options) {
    if (!options.observers.empty() || !options.name.empty())
        observe_call(job, options.observers, options.name);
}

PROCPOOL_COMPILED_APART void apply_options_but_timeout(basic_job& job, const TaskOptions& options) {
    apply_retries(job, options.retries, options.retry_exceptions);
    apply_observers(job, options);
    job.priority = options.priority;
}

PROCPOOL_COMPILED_APART void apply_options_but_timeout(basic_job& job, const MapOptions& options) {
    apply_retries(job, options.retries, options.retry_exceptions);
    if (options.progress) {
        auto observers = options.observers;
        observers.push_back(options.progress);
        observe_call(job, observers, options.name);
    } else {
        apply_observers(job, options);
    }
    job.priority = options.priority;
    if (options.max_failures == 0) refuse("max_failures must be at least 1, which is as fail_fast");
    if (options.max_failures) job.max_failures = *options.max_failures;
    if (options.fail_fast) job.max_failures = 1;
    job.fail_fast = options.fail_fast;
}

}  // namespace procpool::inline v0_1::detail::job

#endif
