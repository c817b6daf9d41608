// SPDX-License-Identifier: MIT
// What a forked process has in its buffers, though it has not written it.
#ifndef PROCPOOL_DETAIL_OS_LINUX_INHERITED_OUTPUT_HPP
#define PROCPOOL_DETAIL_OS_LINUX_INHERITED_OUTPUT_HPP

#include <stdio_ext.h>

#include <cstdio>

namespace procpool::inline v0_1::detail::os {

#ifdef __GLIBC__
extern "C" {
// All streams of C, from the newest on.
[[gnu::weak]] extern FILE* _IO_list_all;
}
#endif

/// For a process that was just forked, and has one thread: what streams of C have in their buffers the other
/// one writes itself. What was read ahead stays.
inline void drop_inherited_output() noexcept {
#ifdef __GLIBC__
    if (!&_IO_list_all) return;
    for (FILE* stream = _IO_list_all; stream; stream = stream->_chain)
        if (::__fpending(stream) > 0) ::__fpurge(stream);
#endif
}

}  // namespace procpool::inline v0_1::detail::os

#endif
