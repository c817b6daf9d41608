// SPDX-License-Identifier: MIT
// What a sanitizer changes.
#ifndef PROCPOOL_TESTS_SUPPORT_SANITIZERS_HPP
#define PROCPOOL_TESTS_SUPPORT_SANITIZERS_HPP

#if !defined(__has_feature)
#define __has_feature(name) 0
#endif

namespace test {

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
/// Its runtime ends a process that was forked from several threads and then starts one.
inline constexpr bool thread_sanitizer = true;
#else
inline constexpr bool thread_sanitizer = false;
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
inline constexpr bool address_sanitizer = true;
#else
inline constexpr bool address_sanitizer = false;
#endif

/// Their allocators keep freed memory, and reserve terabytes.
inline constexpr bool sanitized = thread_sanitizer || address_sanitizer;

}  // namespace test

#endif
