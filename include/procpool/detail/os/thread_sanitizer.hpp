// SPDX-License-Identifier: MIT
// What ThreadSanitizer can't see by itself.
#ifndef PROCPOOL_DETAIL_OS_THREAD_SANITIZER_HPP
#define PROCPOOL_DETAIL_OS_THREAD_SANITIZER_HPP

#include "procpool/detail/os/linux/thread_sanitizer.hpp"

#endif
