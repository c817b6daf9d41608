// SPDX-License-Identifier: MIT
// The deaths of the children of this process: that there are some, and what each was like.
#ifndef PROCPOOL_DETAIL_OS_LINUX_CHILD_DEATHS_HPP
#define PROCPOOL_DETAIL_OS_LINUX_CHILD_DEATHS_HPP

#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <optional>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/process.hpp"

namespace procpool::inline v0_1::detail::os {

/// Tells that children have died, instead of the signal, from now on. For a process of one thread.
class child_deaths {
public:
    child_deaths() {
        sigset_t deaths;
        ::sigemptyset(&deaths);
        ::sigaddset(&deaths, SIGCHLD);
        checked(::sigprocmask(SIG_BLOCK, &deaths, nullptr), "sigprocmask");
        file_ = fd(checked(::signalfd(-1, &deaths, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));
    }

    /// Readable when there are some since forget().
    const fd& file() const noexcept { return file_; }

    void forget() noexcept {
        signalfd_siginfo information;
        while (::read(file_.get(), &information, sizeof information) > 0) {
        }
    }

private:
    fd file_;
};

struct child_death {
    exit_status how;
    std::uint64_t peak_memory = 0;  // in bytes
};

/// How a child of this process has died, which stays a zombie; nothing while it lives.
inline std::optional<child_death> death_of(long pid) noexcept {
    siginfo_t end{};
    rusage usage{};
    // The system call itself, since the library's function doesn't give the usage.
    const auto result = retry_on_eintr(
        [&] { return ::syscall(SYS_waitid, P_PID, pid, &end, WEXITED | WNOHANG | WNOWAIT, &usage); });
    if (result != 0 || end.si_pid == 0) return std::nullopt;
    child_death death{.how = {}, .peak_memory = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024};
    if (end.si_code == CLD_EXITED)
        death.how.code = end.si_status;
    else
        death.how.signal = end.si_status;
    return death;
}

}  // namespace procpool::inline v0_1::detail::os

#endif
