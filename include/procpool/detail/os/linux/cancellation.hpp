// SPDX-License-Identifier: MIT
// pthread_cancel() for a thread that is in a call of the library.
#ifndef PROCPOOL_DETAIL_OS_LINUX_CANCELLATION_HPP
#define PROCPOOL_DETAIL_OS_LINUX_CANCELLATION_HPP

#include <pthread.h>

namespace procpool::inline v0_1::detail::os {

/// While it lives its thread isn't cancelled, but afterwards: what others rely on would be left half done.
class cancellation_deferred {
public:
    cancellation_deferred() noexcept { ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
    cancellation_deferred(const cancellation_deferred&) = delete;
    cancellation_deferred& operator=(const cancellation_deferred&) = delete;
    ~cancellation_deferred() { ::pthread_setcancelstate(before_, nullptr); }

private:
    int before_ = PTHREAD_CANCEL_ENABLE;
};

}  // namespace procpool::inline v0_1::detail::os

#endif
