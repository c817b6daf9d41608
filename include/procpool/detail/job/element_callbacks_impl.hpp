// SPDX-License-Identifier: MIT
// How elements are told one after the other.
#ifndef PROCPOOL_DETAIL_JOB_ELEMENT_CALLBACKS_IMPL_HPP
#define PROCPOOL_DETAIL_JOB_ELEMENT_CALLBACKS_IMPL_HPP

#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <utility>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/element_callbacks.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/element_result.hpp"

namespace procpool::inline v0_1::detail::job {

PROCPOOL_COMPILED_APART element_callbacks::element_callbacks(
    std::function<void(const ElementResult&)> callback, call_callback run, finder find)
    : callback_(std::move(callback)), run_(std::move(run)), find_(std::move(find)) {}

PROCPOOL_COMPILED_APART void element_callbacks::fail(std::uint64_t index, std::exception_ptr error) {
    const mutex_guard lock(mutex_);
    errors_.emplace(index, std::move(error));
}

PROCPOOL_COMPILED_APART bool element_callbacks::add(std::uint64_t first, std::uint64_t count) {
    const mutex_guard lock(mutex_);
    due_.emplace_back(first, first + count);
    return !std::exchange(called_, true);
}

PROCPOOL_COMPILED_APART void element_callbacks::call() {
    while (const auto next = take_next()) run_([&] { callback_(find_(next->index, next->error)); });
}

PROCPOOL_COMPILED_APART void element_callbacks::stop() noexcept {
    const mutex_guard lock(mutex_);
    stopped_ = true;
}

PROCPOOL_COMPILED_APART std::optional<element_callbacks::element> element_callbacks::take_next() {
    const mutex_guard lock(mutex_);
    if (due_.empty() || stopped_) {
        due_.clear();
        called_ = false;
        return std::nullopt;
    }
    auto& [first, end] = due_.front();
    element next{first++, nullptr};
    if (first == end) due_.pop_front();
    if (const auto at = errors_.find(next.index); at != errors_.end()) {
        next.error = std::move(at->second);
        errors_.erase(at);
    }
    return next;
}

}  // namespace procpool::inline v0_1::detail::job

#endif
