// SPDX-License-Identifier: MIT
// The name of a thread, as debuggers and top show it.
#ifndef PROCPOOL_DETAIL_OS_LINUX_THREAD_NAME_HPP
#define PROCPOOL_DETAIL_OS_LINUX_THREAD_NAME_HPP

#include <pthread.h>
#include <sys/prctl.h>

#include <cerrno>
#include <string>

namespace procpool::inline v0_1::detail::os {

/// The kernel keeps 15 characters.
inline void name_this_thread(const std::string& name) noexcept {
    ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());  // it's only a name: it may fail
}

/// Shows this process, whose first thread calls it, under the program's name, and not as "exe".
inline void name_this_process_after_program() noexcept {
    ::prctl(PR_SET_NAME, program_invocation_short_name);
}

}  // namespace procpool::inline v0_1::detail::os

#endif
