// SPDX-License-Identifier: MIT
// Invariants that are checked in the tests, and wherever else PROCPOOL_ASSERTIONS is defined as 1.
#ifndef PROCPOOL_DETAIL_ASSERT_HPP
#define PROCPOOL_DETAIL_ASSERT_HPP

#ifndef PROCPOOL_ASSERTIONS
#define PROCPOOL_ASSERTIONS 0
#endif

#if PROCPOOL_ASSERTIONS
#include <cstdio>
#include <cstdlib>

namespace procpool::inline v0_1::detail {

[[noreturn]] inline void assertion_failed(const char* condition, const char* file, int line) noexcept {
    std::fprintf(stderr, "procpool: %s:%d: this must be true: %s\n", file, line, condition);
    std::abort();
}

}  // namespace procpool::inline v0_1::detail

#define PROCPOOL_ASSERT(condition) \
    ((condition) ? void() : ::procpool::detail::assertion_failed(#condition, __FILE__, __LINE__))
#else
// Compiled, so that it stays correct, and never evaluated.
#define PROCPOOL_ASSERT(condition) static_cast<void>(sizeof((condition) ? 1 : 0))
#endif

#endif
