// SPDX-License-Identifier: MIT
// How elements are told one after the other.
#ifndef PROCPOOL_DETAIL_JOB_ELEMENT_CALLBACKS_IMPL_HPP
#define PROCPOOL_DETAIL_JOB_ELEMENT_CALLBACKS_IMPL_HPP

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/element_callbacks.hpp"
#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/element_result.hpp"

namespace procpool::inline v0_1::detail::job {

/// As its method; for here, where its class isn't complete.
void run_callback(const runner& pool, const std::function<void()>& callback) noexcept;

/// Elements that have come to their end, and were not told.
struct element_callbacks::waiting {
    struct element {
        std::uint64_t index;
        std::exception_ptr error;
    };

    /// If there is none, nobody is in call() any more.
    std::optional<element> take_next() PROCPOOL_EXCLUDES(guard) {
        const mutex_guard lock(guard);
        if (due.empty() || stopped) {
            due.clear();
            called = false;
            return std::nullopt;
        }
        auto& [first, end] = due.front();
        element next{first++, nullptr};
        if (first == end) due.pop_front();
        if (const auto at = errors.find(next.index); at != errors.end()) {
            next.error = std::move(at->second);
            errors.erase(at);
        }
        return next;
    }

    mutex guard;
    /// From one element up to, and without, another one.
    std::deque<std::pair<std::uint64_t, std::uint64_t>> due PROCPOOL_GUARDED_BY(guard);
    std::map<std::uint64_t, std::exception_ptr> errors PROCPOOL_GUARDED_BY(guard);
    bool stopped PROCPOOL_GUARDED_BY(guard) = false;
    bool called PROCPOOL_GUARDED_BY(guard) = false;  // somebody is in call(), or will be
};

PROCPOOL_COMPILED_APART std::shared_ptr<element_callbacks> element_callbacks::make(
    const runner& pool, const std::function<void(const ElementResult&)>& callback, const void* results,
    find_element* find) {
    auto made = std::make_shared<element_callbacks>();
    made->pool_ = &pool;
    made->callback_ = callback;
    made->results_ = results;
    made->find_ = find;
    made->waiting_ = std::make_shared<waiting>();
    return made;
}

PROCPOOL_COMPILED_APART void element_callbacks::fail(std::uint64_t index, std::exception_ptr error) {
    const mutex_guard lock(waiting_->guard);
    waiting_->errors.emplace(index, std::move(error));
}

PROCPOOL_COMPILED_APART bool element_callbacks::add(std::uint64_t first, std::uint64_t count) {
    const mutex_guard lock(waiting_->guard);
    waiting_->due.emplace_back(first, first + count);
    return !std::exchange(waiting_->called, true);
}

PROCPOOL_COMPILED_APART void element_callbacks::call() {
    while (const auto next = waiting_->take_next())
        run_callback(*pool_, [&] { callback_(find_(results_, next->index, next->error)); });
}

PROCPOOL_COMPILED_APART void element_callbacks::stop() noexcept {
    const mutex_guard lock(waiting_->guard);
    waiting_->stopped = true;
}

}  // namespace procpool::inline v0_1::detail::job

#endif
