// SPDX-License-Identifier: MIT
// Where a process was when it crashed: written by the dying process into memory that another one reads.
#ifndef PROCPOOL_DETAIL_OS_LINUX_CRASH_HPP
#define PROCPOOL_DETAIL_OS_LINUX_CRASH_HPP

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/crash_record.hpp"
#include "procpool/detail/os/module.hpp"
#include "procpool/detail/os/symbols.hpp"
#include "procpool/detail/os/thread_sanitizer.hpp"

namespace procpool::inline v0_1::detail::os {

/// Makes faults and aborts leave a trace in a crash_record, and SIGTERM if the record's reader wants that.
/// The process still dies of the same signal.
class crash_recorder {
public:
    /// For the rest of this process's life. A signal that the program handles itself is left alone.
    static void install(crash_record& record) {
        the_record() = &record;
        the_process() = ::getpid();
        // A stack of its own, since an overflow of the other one is a fault like others.
        constexpr std::size_t stack_size = 64 * 1024;
        void* const stack =
            ::mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (stack != MAP_FAILED) {
            stack_t alternative{};
            alternative.ss_sp = stack;
            alternative.ss_size = stack_size;
            ::sigaltstack(&alternative, nullptr);
        }
        for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTERM}) {
            if (signal == SIGTERM && !handlers_run_at_once) continue;
            struct sigaction action{};
            if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler != SIG_DFL ||
                (action.sa_flags & SA_SIGINFO))
                continue;
            action = {};
            action.sa_handler = signal == SIGTERM ? &end_with_trace : &record_and_die;
            action.sa_flags = static_cast<int>(SA_ONSTACK | SA_RESETHAND);
            ::sigaction(signal, &action, nullptr);
        }
    }

private:
    static crash_record*& the_record() noexcept {
        static crash_record* record = nullptr;
        return record;
    }
    static pid_t& the_process() noexcept {
        static pid_t process = 0;
        return process;
    }

    /// The thread sanitizer puts off those of signals that come from outside, as long as the program calls
    /// nothing: then a loop would go on after SIGTERM.
#ifdef PROCPOOL_DETAIL_THREAD_SANITIZER
    static constexpr bool handlers_run_at_once = false;
#else
    static constexpr bool handlers_run_at_once = true;
#endif

    /// Who has sent it still waits for the end, and will kill the process if it doesn't come.
    static void end_with_trace(int signal) {
        const bool runs_task = ::getpid() == the_process() && ::syscall(SYS_gettid) == the_process();
        if (runs_task && the_record()->wanted.load(std::memory_order_relaxed) != 0)
            record_and_die(signal);
        else
            ::raise(signal);
    }

    static void record_and_die(int signal) {
        // In a child that the task forked, the record is the worker's (and isn't mapped).
        if (::getpid() == the_process()) {
            // If the unwinder should wait for a lock that this thread holds, the alarm ends it.
            ::signal(SIGALRM, SIG_DFL);
            sigset_t alarm;
            ::sigemptyset(&alarm);
            ::sigaddset(&alarm, SIGALRM);
            ::sigprocmask(SIG_UNBLOCK, &alarm, nullptr);
            ::alarm(2);
            _Unwind_Backtrace(
                [](_Unwind_Context* context, void* data) {
                    auto& record = *static_cast<crash_record*>(data);
                    const std::uint32_t at = record.frames.load(std::memory_order_relaxed);
                    if (at == crash_record::most_frames) return _URC_END_OF_STACK;
                    const std::uintptr_t address = _Unwind_GetIP(context);
                    find_module([&](const loaded_module& module) {
                        if (!module.contains(address, true)) return false;
                        record.calls[at].module.store(module.id().key(), std::memory_order_relaxed);
                        record.calls[at].offset.store(address - module.base(), std::memory_order_relaxed);
                        return true;
                    });
                    record.frames.store(at + 1, std::memory_order_release);
                    return _URC_NO_REASON;
                },
                the_record());
        }
        ::raise(signal);  // the handler is reset: it dies of the signal as soon as this returns
    }
};

/// The calls of a record, innermost first, down to where the library called the task.
template <class = only_if_used>
std::vector<std::string> describe_calls(const crash_record& record) {
    std::vector<std::string> calls;
    const std::size_t frames =
        std::min<std::size_t>(record.frames.load(std::memory_order_acquire), crash_record::most_frames);
    constexpr std::size_t of_the_recorder = 2;  // its handler, and what the kernel called that through
    for (std::size_t i = of_the_recorder; i < frames; ++i) {
        // A return address may be the first of the next function: the call is before it.
        const bool faulted = i == of_the_recorder;
        const std::uint64_t key = record.calls[i].module.load(std::memory_order_relaxed);
        std::uintptr_t address = record.calls[i].offset.load(std::memory_order_relaxed) - (faulted ? 0 : 1);
        const bool known = find_module([&](const loaded_module& module) {
            if (module.id().key() != key) return false;
            address += module.base();
            return true;
        });
        if (!known) break;
        std::string call = describe_code(address);
        if (call.empty() || call.find("procpool::detail::") != std::string::npos) break;
        calls.push_back(std::move(call));
    }
    return calls;
}

}  // namespace procpool::inline v0_1::detail::os

#endif
