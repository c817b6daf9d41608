// SPDX-License-Identifier: MIT
// Opens and closes series of calls.
#ifndef PROCPOOL_DETAIL_SCHEDULER_CALLS_IN_A_ROW_IMPL_HPP
#define PROCPOOL_DETAIL_SCHEDULER_CALLS_IN_A_ROW_IMPL_HPP

#include <memory>
#include <utility>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/scheduler/call_series.hpp"
#include "procpool/detail/scheduler/calls_in_a_row.hpp"
#include "procpool/detail/scheduler/pool_backend.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"

namespace procpool::inline v0_1::detail::scheduler {

PROCPOOL_COMPILED_APART std::shared_ptr<call_series> calls_in_a_row::series_of(const call_kind& kind) const {
    return open_ && last_kind_ == kind && !open_->full() ? open_ : nullptr;
}

PROCPOOL_COMPILED_APART bool calls_in_a_row::begins_series(const call_kind& kind) {
    const bool again = last_kind_ == kind;
    if (!again) close();
    last_kind_ = kind;
    return again && submitted_ >= some;
}

PROCPOOL_COMPILED_APART void calls_in_a_row::open(const std::shared_ptr<call_series>& series) {
    pool_.add(series);
    open_ = series;
}

PROCPOOL_COMPILED_APART void calls_in_a_row::close() {
    if (const auto last = std::exchange(open_, nullptr)) {
        last->expected = 0;
        pool_.seal(last);
    }
}

PROCPOOL_COMPILED_APART bool calls_in_a_row::forget(const remote_job& job) noexcept {
    if (open_.get() != &job) return false;
    open_.reset();
    return true;
}

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
