// SPDX-License-Identifier: MIT
// Why what another process holds open can't be opened here.
#ifndef PROCPOOL_DETAIL_OS_LINUX_FOREIGN_FILE_HPP
#define PROCPOOL_DETAIL_OS_LINUX_FOREIGN_FILE_HPP

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>

#include "procpool/detail/os/process_identity.hpp"

namespace procpool::inline v0_1::detail::os {

/// Whether there is such a process, but not in /proc: there it may be seen by its user and by debuggers only.
inline bool is_hidden(std::int64_t pid) {
    return ::access(("/proc/" + std::to_string(pid)).c_str(), F_OK) != 0 &&
           (::kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM);
}

/// `error` is that of a system call with the path /proc/PID/fd/N.
inline std::string why_not_opened(std::int64_t pid, int error) {
    if (::access("/proc/self/stat", F_OK) != 0) return "there is no /proc here, in which it would be found";
    if (is_hidden(pid)) return "/proc doesn't show the process that sent it (it may be mounted with hidepid)";
    if (has_ended(pid)) return "the process that sent it is gone";
    if (error == ENOENT) return "the process that sent it has let go of it";
    if (error == EACCES || error == EPERM)
        return "the system keeps the process that sent it from others, as after a change of its user: "
               "prctl(PR_SET_DUMPABLE, 1) after that change opens it to those of the same user";
    return std::generic_category().message(error);
}

}  // namespace procpool::inline v0_1::detail::os

#endif
