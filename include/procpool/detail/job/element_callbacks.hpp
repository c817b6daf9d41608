// SPDX-License-Identifier: MIT
// A callback of the user's for each element of a job.
#ifndef PROCPOOL_DETAIL_JOB_ELEMENT_CALLBACKS_HPP
#define PROCPOOL_DETAIL_JOB_ELEMENT_CALLBACKS_HPP

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "procpool/detail/mutex.hpp"

namespace procpool::inline v0_1 {
class ElementResult;

namespace detail::job {

/// Elements that have come to their end, on their way to the callback: one after the other, whatever threads
/// call it.
class element_callbacks {
public:
    using call_callback = std::function<void(const std::function<void()>&)>;
    using finder = std::function<ElementResult(std::uint64_t, std::exception_ptr)>;

    /// `callback` is called, by `run`, with what `find` makes of an index and an error.
    element_callbacks(std::function<void(const ElementResult&)> callback, call_callback run, finder find);

    /// An element has failed; it is still to be added.
    void fail(std::uint64_t index, std::exception_ptr error) PROCPOOL_EXCLUDES(mutex_);
    /// Elements [first, first + count) have their results. @return whether somebody is to call()
    bool add(std::uint64_t first, std::uint64_t count) PROCPOOL_EXCLUDES(mutex_);
    /// Calls the callback for all that were added, also meanwhile. Without the pool's lock.
    void call() PROCPOOL_EXCLUDES(mutex_);
    /// Those that were not called are not to be any more.
    void stop() noexcept PROCPOOL_EXCLUDES(mutex_);

private:
    struct element {
        std::uint64_t index;
        std::exception_ptr error;
    };
    /// If there is none, nobody is in call() any more.
    std::optional<element> take_next() PROCPOOL_EXCLUDES(mutex_);

    const std::function<void(const ElementResult&)> callback_;
    const call_callback run_;
    const finder find_;
    mutex mutex_;
    /// From one element up to, and without, another one.
    std::deque<std::pair<std::uint64_t, std::uint64_t>> due_ PROCPOOL_GUARDED_BY(mutex_);
    std::map<std::uint64_t, std::exception_ptr> errors_ PROCPOOL_GUARDED_BY(mutex_);
    bool stopped_ PROCPOOL_GUARDED_BY(mutex_) = false;
    bool called_ PROCPOOL_GUARDED_BY(mutex_) = false;  // somebody is in call(), or will be
};

}  // namespace detail::job
}  // namespace procpool::inline v0_1

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/job/element_callbacks_impl.hpp"
#endif

#endif
