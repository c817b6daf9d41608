// SPDX-License-Identifier: MIT
// What is behind the door to observers.
#ifndef PROCPOOL_DETAIL_JOB_OBSERVE_IMPL_HPP
#define PROCPOOL_DETAIL_JOB_OBSERVE_IMPL_HPP

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/observation.hpp"
#include "procpool/detail/job/observation_impl.hpp"
#include "procpool/detail/job/observe.hpp"
#include "procpool/detail/job/observed_call.hpp"
#include "procpool/observer.hpp"
#include "procpool/trace.hpp"

namespace procpool::inline v0_1::detail::job {

inline constexpr const char* no_observer = "an observer must not be null";

template <class>
void add_observer(runner& pool, std::shared_ptr<Observer> one) {
    if (!one) refuse(no_observer);
    if (!pool.observed()) pool.observe(std::make_shared<observation>());
    pool.observed()->add(std::move(one));
}

template <class>
void observe_pool(runner& pool, std::vector<std::shared_ptr<Observer>> observers, bool keeps_statistics,
                  std::size_t workers) {
    for (auto& one : observers) add_observer(pool, std::move(one));
    if (!keeps_statistics) return;
    if (!pool.observed()) pool.observe(std::make_shared<observation>());
    pool.observed()->keep_statistics(workers);
}

template <class>
std::vector<std::shared_ptr<Observer>> observers_of(const PoolOptions& options) {
    std::vector<std::shared_ptr<Observer>> all = options.observers;
    if (std::find(all.begin(), all.end(), nullptr) != all.end()) refuse(no_observer);
    if (!options.trace.empty()) all.push_back(std::make_shared<Trace>(options.trace));
    return all;
}

template <class>
void observe_call(basic_job& call, const std::vector<std::shared_ptr<Observer>>& observers,
                  const std::string& name) {
    if (std::find(observers.begin(), observers.end(), nullptr) != observers.end()) refuse(no_observer);
    call.observed = std::make_shared<observed_call>();
    call.observed->own = observers;
    call.observed->info.name = name;
}

}  // namespace procpool::inline v0_1::detail::job

#endif
