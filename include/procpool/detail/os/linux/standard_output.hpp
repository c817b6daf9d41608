// SPDX-License-Identifier: MIT
// What this process has printed and still keeps to itself.
#ifndef PROCPOOL_DETAIL_OS_LINUX_STANDARD_OUTPUT_HPP
#define PROCPOOL_DETAIL_OS_LINUX_STANDARD_OUTPUT_HPP

#include <stdio_ext.h>

#include <cstdio>

namespace procpool::inline v0_1::detail::os {

/// Whether there may be some. For a thread that checks after each task, which takes three instructions.
class output_watch {
public:
#ifdef __GLIBC__
    // As __fpending does, without a call. Of wide characters it can't be known.
    bool pending() const noexcept { return stream_->_IO_write_ptr != stream_->_IO_write_base; }
    bool is_wide() const noexcept { return stream_->_mode > 0; }

private:
    FILE* const stream_ = stdout;
#else
    bool pending() const noexcept { return ::__fpending(stdout) != 0; }
    bool is_wide() const noexcept { return false; }
#endif
};

/// Lets it go, where there is some; true if there was.
inline bool flush_standard_output() noexcept {
    const output_watch output;
    if (!output.pending() && !output.is_wide()) return false;
    if (::__fpending(stdout) == 0) return false;
    std::fflush(stdout);
    return true;
}

}  // namespace procpool::inline v0_1::detail::os

#endif
