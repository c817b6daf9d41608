// SPDX-License-Identifier: MIT
// Code that runs one instruction at a time, in this thread, with a look after each.
#ifndef PROCPOOL_TESTS_SUPPORT_SINGLE_STEPS_HPP
#define PROCPOOL_TESTS_SUPPORT_SINGLE_STEPS_HPP

#include <signal.h>
#include <ucontext.h>

#include <utility>

#include "support/sanitizers.hpp"

namespace test {

#if defined(__x86_64__)
/// Whether it can be done here: the processor has a flag for it. The thread sanitizer keeps signals back.
inline constexpr bool single_steps = !thread_sanitizer;
#else
inline constexpr bool single_steps = false;
#endif
inline constexpr const char* no_single_steps = "only processors of x86-64 take single steps here";

/// The flag by which the processor stops after each instruction, with SIGTRAP.
class trap_flag {
public:
    // Below the stack pointer may lie what the caller has not stored elsewhere.
#if defined(__x86_64__)
    [[gnu::noinline]] static void set() noexcept {
        asm volatile(
            "lea -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), %%rsp" ::
                : "memory", "cc");
    }
    [[gnu::noinline]] static void clear() noexcept {
        asm volatile(
            "lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq $-257, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), %%rsp" ::
                : "memory", "cc");
    }
    /// The same for the code that a signal has interrupted.
    static void set(ucontext_t& of) noexcept { of.uc_mcontext.gregs[REG_EFL] |= 0x100; }
    static void clear(ucontext_t& of) noexcept { of.uc_mcontext.gregs[REG_EFL] &= ~0x100; }
    /// The instruction that comes next.
    static long long next(const ucontext_t& of) noexcept { return of.uc_mcontext.gregs[REG_RIP]; }
#else
    static void set() noexcept {}
    static void clear() noexcept {}
    static void set(ucontext_t&) noexcept {}
    static void clear(ucontext_t&) noexcept {}
    static long long next(const ucontext_t&) noexcept { return 0; }
#endif
};

/// What a signal does while this lives.
class signal_action {
public:
    using handler = void (*)(int, siginfo_t*, void*);

    signal_action(int signal, handler act) : signal_(signal) {
        struct sigaction now{};
        now.sa_sigaction = act;
        now.sa_flags = SA_SIGINFO;
        ::sigemptyset(&now.sa_mask);
        ::sigaction(signal, &now, &before_);
    }
    signal_action(const signal_action&) = delete;
    signal_action& operator=(const signal_action&) = delete;
    ~signal_action() { ::sigaction(signal_, &before_, nullptr); }

private:
    const int signal_;
    struct sigaction before_{};
};

/// Calls `body()`, and `look()` after each of its instructions; one that repeats itself, as those do that
/// copy much, is one. What looks has interrupted anything, also the allocator, so it may only do what signal
/// handlers may.
template <class Body, class Look>
void run_in_single_steps(Body&& body, Look&& look) {
    static Look* looks = nullptr;
    static long long next = 0;
    looks = &look;
    next = 0;
    const signal_action on_trap(SIGTRAP, [](int, siginfo_t*, void* of) {
        const long long now = trap_flag::next(*static_cast<const ucontext_t*>(of));
        if (std::exchange(next, now) != now) (*looks)();
    });
    struct stepping {
        stepping() { trap_flag::set(); }
        ~stepping() { trap_flag::clear(); }
    } now;
    std::forward<Body>(body)();
}

/// A part of that which is of no interest.
template <class Part>
void run_at_once(Part&& part) {
    trap_flag::clear();
    std::forward<Part>(part)();
    trap_flag::set();
}

}  // namespace test

#endif
