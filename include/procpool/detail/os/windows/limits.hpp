// SPDX-License-Identifier: MIT
// What a process may use: memory, CPU, priority; and how much memory it uses.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_LIMITS_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_LIMITS_HPP

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/windows/job.hpp"

namespace procpool::inline v0_1::detail::os {

/// Memory of this process, in bytes.
struct memory_use {
    std::uint64_t own = 0;        // in use now
    std::uint64_t allocated = 0;  // that it was promised
};
inline std::uint64_t peak_memory_of(void* process, memory_use* now = nullptr) noexcept {
    using read = int __stdcall(void*, api::process_memory*, unsigned long);
    static auto* const call = api::function_of<read>(L"kernel32.dll", "K32GetProcessMemoryInfo");
    api::process_memory memory{};
    memory.size = sizeof memory;
    if (!call || !call(process, &memory, sizeof memory)) return 0;
    if (now) *now = {memory.working_set, memory.private_bytes};
    return memory.peak_working_set;
}

/// What a process has used at the most, in bytes; 0 if it is gone.
inline std::uint64_t peak_memory_of(long pid) {
    const fd process = pid > 0 ? open_process(pid, api::process_query) : fd();
    return process ? peak_memory_of(process.get()) : 0;
}

/// Tells the memory use of this process again and again.
class memory_meter {
public:
    memory_use read() const noexcept {
        memory_use now;
        peak_memory_of(::GetCurrentProcess(), &now);
        return now;
    }
};

/// Whether operator new has failed since limit_allocations(), whatever became of the exception.
inline std::atomic<bool> allocations_failed{false};
inline std::new_handler new_handler_before = nullptr;
inline void note_failed_allocation() {
    allocations_failed.store(true, std::memory_order_relaxed);
    if (!new_handler_before) throw std::bad_alloc();
    new_handler_before();
}

/// The job of this process alone, which limits it.
inline job& own_job() {
    static auto* const own = new job;  // for the rest of the process's life
    return *own;
}

/// Lets this process allocate `bytes` more than it has.
inline void limit_allocations(std::uint64_t bytes) {
    new_handler_before = std::set_new_handler(&note_failed_allocation);
    own_job().limit_memory(memory_meter().read().allocated + bytes);
    own_job().add_this_process();
}
/// For what must still be said.
inline void limit_allocations_no_more() noexcept {
    try {
        own_job().limit_memory(0);
    } catch (const std::system_error&) {  // then it may fail
    }
}

// The heap of the system decides that itself.
inline void keep_heap() noexcept {}
/// Gives freed memory back to the system.
inline void give_back_heap() noexcept { ::HeapCompact(::GetProcessHeap(), 0); }

/// Makes this process `more` nicer to others: the system has two classes below the normal one.
inline void add_niceness(int more) {
    constexpr unsigned long below_normal = 0x4000, idle = 0x40;
    constexpr int half = 10;
    succeed(::SetPriorityClass(::GetCurrentProcess(), more >= half ? idle : below_normal),
            "SetPriorityClass");
}

/// Keeps this process on one of the CPUs that it may use: the n-th, counted round.
inline void pin_to_cpu(std::size_t n) {
    unsigned long long own = 0, all = 0;
    if (!::GetProcessAffinityMask(::GetCurrentProcess(), &own, &all) || own == 0) return;
    for (auto left = n % static_cast<std::size_t>(std::popcount(own)); left > 0; --left) own &= own - 1;
    succeed(::SetProcessAffinityMask(::GetCurrentProcess(), own & (~own + 1)), "SetProcessAffinityMask");
}

}  // namespace procpool::inline v0_1::detail::os

#endif
