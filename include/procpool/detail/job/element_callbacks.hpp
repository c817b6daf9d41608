// SPDX-License-Identifier: MIT
// A callback of the user's for each element of a job.
#ifndef PROCPOOL_DETAIL_JOB_ELEMENT_CALLBACKS_HPP
#define PROCPOOL_DETAIL_JOB_ELEMENT_CALLBACKS_HPP

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>

#include "procpool/detail/mutex.hpp"

namespace procpool::inline v0_1 {
class ElementResult;

namespace detail::job {

/// Elements that have come to their end, on their way to the callback: one after the other, whatever threads
/// call it.
class runner;

class element_callbacks {
public:
    /// What is told of an element of `results`, by its index or its error.
    using find_element = ElementResult(const void* results, std::uint64_t index, std::exception_ptr error);

    /// `callback` is called, as `pool` calls callbacks, with what `find` makes of `results`.
    static std::shared_ptr<element_callbacks> make(const runner& pool,
                                                   const std::function<void(const ElementResult&)>& callback,
                                                   const void* results, find_element* find);

    /// An element has failed; it is still to be added.
    void fail(std::uint64_t index, std::exception_ptr error);
    /// Elements [first, first + count) have their results. @return whether somebody is to call()
    bool add(std::uint64_t first, std::uint64_t count);
    /// Calls the callback for all that were added, also meanwhile. Without the pool's lock.
    void call();
    /// Those that were not called are not to be any more.
    void stop() noexcept;

private:
    struct waiting;

    const runner* pool_ = nullptr;
    std::function<void(const ElementResult&)> callback_;
    const void* results_ = nullptr;
    find_element* find_ = nullptr;
    std::shared_ptr<waiting> waiting_;  // whose type only the engine knows
};

}  // namespace detail::job
}  // namespace procpool::inline v0_1

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/job/element_callbacks_impl.hpp"
#endif

#endif
