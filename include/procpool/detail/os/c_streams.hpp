// SPDX-License-Identifier: MIT
// std::cout and std::clog as parts of the streams of C.
#ifndef PROCPOOL_DETAIL_OS_C_STREAMS_HPP
#define PROCPOOL_DETAIL_OS_C_STREAMS_HPP

#include <cstdio>
#include <iostream>
#ifdef __GLIBCXX__
#include <ext/stdio_filebuf.h>
#include <ext/stdio_sync_filebuf.h>
#endif

#include "procpool/detail/only_if_used.hpp"

namespace procpool::inline v0_1::detail::os {

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

}  // namespace procpool::inline v0_1::detail::os

#endif
