// SPDX-License-Identifier: MIT
// A child that is forked while another thread allocates would find the allocator's locks taken for ever. The
// C library's fork sees to its own ones, the address sanitizer's (of GCC 12) does not.
#if defined(__SANITIZE_ADDRESS__) && !defined(__clang__)

#include <pthread.h>

namespace __lsan {
void LockAllocator();
void UnlockAllocator();
}  // namespace __lsan

namespace {

// Registered first, so that it is the last one before a fork and nobody allocates after it.
[[gnu::constructor(101)]] void lock_allocator_while_forking() {
    ::pthread_atfork(&__lsan::LockAllocator, &__lsan::UnlockAllocator, &__lsan::UnlockAllocator);
}

}  // namespace

#endif
