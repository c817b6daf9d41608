// SPDX-License-Identifier: MIT
// What this process has printed and still keeps to itself.
#ifndef PROCPOOL_DETAIL_OS_LINUX_STANDARD_OUTPUT_HPP
#define PROCPOOL_DETAIL_OS_LINUX_STANDARD_OUTPUT_HPP

#include <stdio_ext.h>

#include <cstdio>
#include <iostream>
#ifdef __GLIBCXX__
#include <ext/stdio_filebuf.h>
#include <ext/stdio_sync_filebuf.h>
#endif

#include "procpool/detail/only_if_used.hpp"

namespace procpool::detail::os {

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

enum class buffered_text { goes_out, is_dropped };
/// std::cout and std::clog that are not synchronised with the streams of C keep what is printed in buffers of
/// their own. From here on it goes through those streams, so that they have all.
template <class = only_if_used>
void print_by_c_streams([[maybe_unused]] buffered_text before) {
#ifdef __GLIBCXX__
    const auto redirect = [&](std::ostream& stream, std::FILE* to) {
        auto* const own = dynamic_cast<__gnu_cxx::stdio_filebuf<char>*>(stream.rdbuf());
        if (!own || own->file() != to) return;
        if (before == buffered_text::goes_out) own->pubsync();
        stream.rdbuf(new __gnu_cxx::stdio_sync_filebuf<char>(to));  // it stays as long as the stream
    };
    redirect(std::cout, stdout);
    redirect(std::clog, stderr);
#endif
}

}  // namespace procpool::detail::os

#endif
