// SPDX-License-Identifier: MIT
// What this process has printed and still keeps to itself.
#ifndef PROCPOOL_DETAIL_POSIX_STANDARD_OUTPUT_HPP
#define PROCPOOL_DETAIL_POSIX_STANDARD_OUTPUT_HPP

#include <stdio_ext.h>

#include <cstdio>

namespace procpool::detail::posix {

/// Lets it go, where there is some; true if there was.
inline bool flush_standard_output() noexcept {
#ifdef __GLIBC__
    // As __fpending does, but for wide characters, without a call: this is asked for each task.
    if (stdout->_IO_write_ptr == stdout->_IO_write_base && stdout->_mode <= 0) return false;
#endif
    if (::__fpending(stdout) == 0) return false;
    std::fflush(stdout);
    return true;
}

}  // namespace procpool::detail::posix

#endif
