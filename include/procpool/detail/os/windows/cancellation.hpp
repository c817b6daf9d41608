// SPDX-License-Identifier: MIT
// A thread isn't cancelled from outside here.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_CANCELLATION_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_CANCELLATION_HPP

namespace procpool::inline v0_1::detail::os {

class cancellation_deferred {
public:
    cancellation_deferred() noexcept {}
    cancellation_deferred(const cancellation_deferred&) = delete;
    cancellation_deferred& operator=(const cancellation_deferred&) = delete;
    ~cancellation_deferred() {}
};

}  // namespace procpool::inline v0_1::detail::os

#endif
