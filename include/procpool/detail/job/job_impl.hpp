// SPDX-License-Identifier: MIT
// What a job does at its end.
#ifndef PROCPOOL_DETAIL_JOB_JOB_IMPL_HPP
#define PROCPOOL_DETAIL_JOB_JOB_IMPL_HPP

#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/assert.hpp"
#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/element_callbacks.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/job/pending_calls.hpp"

namespace procpool::inline v0_1::detail::job {

PROCPOOL_COMPILED_APART void basic_job::fail_all(std::exception_ptr error) {
    if (!failure_) failure_ = std::move(error);
    seal();
}

PROCPOOL_COMPILED_APART bool basic_job::add_callback(std::function<void()> callback) {
    if (settled()) return false;
    if (callbacks_.empty()) callbacks_.push_back({.callbacks = {}, .when_they_ran = [this] { set_done(); }});
    callbacks_.front().callbacks.push_back(std::move(callback));
    return true;
}

PROCPOOL_COMPILED_APART basic_job::~basic_job() = default;

PROCPOOL_COMPILED_APART std::string basic_job::why_dropped() const {
    if (fail_fast) return "procpool: dropped, since another element had failed (fail_fast)";
    return "procpool: dropped, since " + std::to_string(max_failures) +
           (max_failures == 1 ? " element" : " elements") + " had failed (max_failures)";
}

PROCPOOL_COMPILED_APART void basic_job::tell_each(std::uint64_t first, std::uint64_t count) {
    std::list<ending> called(1);
    called.front().callbacks.emplace_back([this] { each->call(); });
    called.front().when_they_ran = [this] { end_delivery(); };
    if (!each->add(first, count)) return;
    begin_delivery();
    due_callbacks_.splice(due_callbacks_.end(), called);
}

PROCPOOL_COMPILED_APART void basic_job::settle() noexcept {
    PROCPOOL_ASSERT(complete() && !settled());
    reach(phase::settled);
    if (pending_among) pending_among->leave(pending_bytes);
    for (observer* one : std::exchange(observers_, {})) one->settled();
    if (callbacks_.empty())
        set_done();
    else
        due_callbacks_.splice(due_callbacks_.end(), callbacks_);
}

PROCPOOL_COMPILED_APART void basic_job::observe(observer& one) { observers_.push_back(&one); }
PROCPOOL_COMPILED_APART void basic_job::drop(observer& one) noexcept { std::erase(observers_, &one); }

}  // namespace procpool::inline v0_1::detail::job

#endif
