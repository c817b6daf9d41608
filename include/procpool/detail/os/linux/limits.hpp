// SPDX-License-Identifier: MIT
// What a process may use: memory, CPU, priority; and how much memory it uses.
#ifndef PROCPOOL_DETAIL_OS_LINUX_LIMITS_HPP
#define PROCPOOL_DETAIL_OS_LINUX_LIMITS_HPP

#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <new>
#include <string>

#include "procpool/detail/os/available_memory.hpp"
#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/memfd.hpp"

namespace procpool::inline v0_1::detail::os {

/// Memory of this process, in bytes.
struct memory_use {
    std::uint64_t own = 0;        // resident and not shared with files or shared memory
    std::uint64_t allocated = 0;  // that RLIMIT_DATA counts, about
};

/// What a process has used at the most, in bytes; 0 if it is gone.
inline std::uint64_t peak_memory_of(long pid) {
    if (pid <= 0) return 0;
    return sum_of("/proc/" + std::to_string(pid) + "/status", {"VmHWM:"}).value_or(0) * 1024;
}

/// Tells the memory use of this process again and again.
class memory_meter {
public:
    memory_meter() {
        const auto no_fork = fd_registry::instance().hold_forks();
        file_ = fd(checked(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC), "open (/proc/self/statm)"));
    }

    memory_use read() const noexcept {
        std::array<char, 256> text{};
        if (::pread(file_.get(), text.data(), text.size() - 1, 0) <= 0) return {};
        unsigned long long resident = 0;
        unsigned long long shared = 0;
        unsigned long long data = 0;
        if (std::sscanf(text.data(), "%*u %llu %llu %*u %*u %llu", &resident, &shared, &data) != 3) return {};
        return {(resident - shared) * page_size(), data * page_size()};
    }

private:
    fd file_;
};

/// Whether operator new has failed since limit_allocations(), whatever became of the exception.
inline std::atomic<bool> allocations_failed{false};
inline std::new_handler new_handler_before = nullptr;
inline void note_failed_allocation() {
    allocations_failed.store(true, std::memory_order_relaxed);
    if (!new_handler_before) throw std::bad_alloc();
    new_handler_before();
}

/// Lets this process allocate `bytes` more than it has; what fork inherited counts as its own.
inline void limit_allocations(std::uint64_t bytes) {
    new_handler_before = std::set_new_handler(&note_failed_allocation);
    rlimit limit{};
    checked(::getrlimit(RLIMIT_DATA, &limit), "getrlimit(RLIMIT_DATA)");
    const rlim_t most = memory_meter().read().allocated + bytes;
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < most) return;  // it may use less anyway
    limit.rlim_cur = most;
    checked(::setrlimit(RLIMIT_DATA, &limit), "setrlimit(RLIMIT_DATA)");
}

/// For what must still be said.
inline void limit_allocations_no_more() noexcept {
    rlimit limit{};
    if (::getrlimit(RLIMIT_DATA, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_DATA, &limit);
}

/// Keeps freed memory for the next large object: fresh memory is slower than copying what comes into it.
inline void keep_heap() noexcept {
#ifdef __GLIBC__
    ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
    ::mallopt(M_TRIM_THRESHOLD, 128 << 20);
#endif
}
/// Gives freed memory back to the system.
inline void give_back_heap() noexcept {
#ifdef __GLIBC__
    ::malloc_trim(0);
#endif
}

/// Makes this process `more` nicer to others.
inline void add_niceness(int more) {
    errno = 0;  // -1 is a legal result
    if (::nice(more) == -1 && errno != 0) throw_system_error(errno, "nice");
}

/// Keeps this process on one of the CPUs that it may use: the n-th, counted round.
inline void pin_to_cpu(std::size_t n) {
    cpu_set_t allowed;
    checked(::sched_getaffinity(0, sizeof allowed, &allowed), "sched_getaffinity");
    const auto count = static_cast<std::size_t>(CPU_COUNT(&allowed));
    std::size_t left = n % count;
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(cpu, &allowed) || left-- > 0) continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        checked(::sched_setaffinity(0, sizeof one, &one), "sched_setaffinity");
        return;
    }
}

}  // namespace procpool::inline v0_1::detail::os

#endif
