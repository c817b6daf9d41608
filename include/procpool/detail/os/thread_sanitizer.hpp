// SPDX-License-Identifier: MIT
// What ThreadSanitizer can't see by itself.
#ifndef PROCPOOL_DETAIL_OS_THREAD_SANITIZER_HPP
#define PROCPOOL_DETAIL_OS_THREAD_SANITIZER_HPP

#if defined(__SANITIZE_THREAD__)
#define PROCPOOL_DETAIL_THREAD_SANITIZER
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PROCPOOL_DETAIL_THREAD_SANITIZER
#endif
#endif

#ifdef PROCPOOL_DETAIL_THREAD_SANITIZER
extern "C" void __tsan_release(void*);
#endif

namespace procpool::inline v0_1::detail::os {

/// Who reads what the kernel is about to write there sees all that this thread has done before.
inline void tell_thread_sanitizer_of_release([[maybe_unused]] void* word) noexcept {
#ifdef PROCPOOL_DETAIL_THREAD_SANITIZER
    __tsan_release(word);
#endif
}

}  // namespace procpool::inline v0_1::detail::os

#endif
