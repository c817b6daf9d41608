// SPDX-License-Identifier: MIT
// What signals do in this process, and which are blocked. Their numbers have the system's own names.
#ifndef PROCPOOL_DETAIL_OS_LINUX_SIGNAL_HPP
#define PROCPOOL_DETAIL_OS_LINUX_SIGNAL_HPP

#include <signal.h>

#include <array>
#include <cstddef>

#include "procpool/detail/os/error.hpp"

namespace procpool::inline v0_1::detail::os {

/// Sets what a signal does in this process: SIG_IGN or SIG_DFL.
inline void set_signal(int signal, void (*action)(int)) {
    struct sigaction to{};
    to.sa_handler = action;
    checked(::sigaction(signal, &to, nullptr), "sigaction");
}

/// What is written to a connection whose other end is gone is an error from now on, and doesn't end this
/// process, unless the program has settled that itself. Programs that it starts don't inherit this.
inline void survive_broken_connections() {
    struct sigaction now{};
    checked(::sigaction(SIGPIPE, nullptr, &now), "sigaction");
    if (now.sa_handler == SIG_DFL) set_signal(SIGPIPE, [](int) {});
}

/// Lets a signal through to this process, which has one thread.
inline void unblock_signal(int signal) {
    sigset_t one;
    ::sigemptyset(&one);
    ::sigaddset(&one, signal);
    checked(::sigprocmask(SIG_UNBLOCK, &one, nullptr), "sigprocmask");
}

/// What Ctrl-C means is for the program to decide; SIGTERM ends this process, which has one thread.
inline void leave_interrupts_to_the_program() {
    set_signal(SIGINT, SIG_IGN);
    set_signal(SIGTERM, SIG_DFL);
    unblock_signal(SIGTERM);
}

/// Which signals a thread has blocked.
class signal_mask {
public:
    static signal_mask of_this_thread() noexcept {
        signal_mask mask;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &mask.set_);
        return mask;
    }
    void apply() const noexcept { ::pthread_sigmask(SIG_SETMASK, &set_, nullptr); }

private:
    sigset_t set_{};
};

/// Threads that are started meanwhile never take a signal that is meant for the program's threads.
class signals_blocked {
public:
    signals_blocked() noexcept {
        sigset_t all;
        ::sigfillset(&all);
        // These mean the thread that causes them.
        for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPIPE})
            ::sigdelset(&all, own);
        ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    }
    signals_blocked(const signals_blocked&) = delete;
    signals_blocked& operator=(const signals_blocked&) = delete;
    ~signals_blocked() { before_.apply(); }

private:
    const signal_mask before_ = signal_mask::of_this_thread();
};

/// The signal settings of the user's program, which a process of ours changes and its children get back.
class signal_settings {
public:
    signal_settings() {
        for (std::size_t i = 0; i < signals.size(); ++i)
            checked(::sigaction(signals[i], nullptr, &actions_[i]), "sigaction");
        checked(::sigprocmask(SIG_SETMASK, nullptr, &mask_), "sigprocmask");
    }
    void restore() const {
        for (std::size_t i = 0; i < signals.size(); ++i)
            checked(::sigaction(signals[i], &actions_[i], nullptr), "sigaction");
        checked(::sigprocmask(SIG_SETMASK, &mask_, nullptr), "sigprocmask");
    }

private:
    static constexpr std::array signals{SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    std::array<struct sigaction, signals.size()> actions_{};
    sigset_t mask_{};
};

}  // namespace procpool::inline v0_1::detail::os

#endif
