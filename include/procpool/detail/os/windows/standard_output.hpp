// SPDX-License-Identifier: MIT
// What this process has printed and still keeps to itself.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_STANDARD_OUTPUT_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_STANDARD_OUTPUT_HPP

#include <cstdio>

namespace procpool::inline v0_1::detail::os {

/// Whether there may be some: the C library doesn't tell.
class output_watch {
public:
    bool pending() const noexcept { return true; }
    bool is_wide() const noexcept { return false; }
};

/// Lets it go; true if there may have been some.
inline bool flush_standard_output() noexcept {
    std::fflush(stdout);
    return false;
}

}  // namespace procpool::inline v0_1::detail::os

#endif
