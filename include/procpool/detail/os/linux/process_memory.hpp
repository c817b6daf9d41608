// SPDX-License-Identifier: MIT
// Memory that another process has, and has had at most.
#ifndef PROCPOOL_DETAIL_OS_LINUX_PROCESS_MEMORY_HPP
#define PROCPOOL_DETAIL_OS_LINUX_PROCESS_MEMORY_HPP

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "procpool/detail/os/cgroup.hpp"
#include "procpool/detail/os/fd_registry.hpp"

namespace procpool::inline v0_1::detail::os {

/// Bytes that are resident.
struct resident_memory {
    std::uint64_t now = 0;
    std::uint64_t peak = 0;  // since its start, or since forget_peak_memory()
};

/// Nothing of a process that has ended.
inline std::optional<resident_memory> resident_memory_of(long pid) {
    resident_memory found;
    const auto no_fork = fd_registry::instance().hold_forks();
    for_each_line("/proc/" + std::to_string(pid) + "/status", [&](const char* line) {
        if (std::strncmp(line, "Vm", 2) != 0) return;
        unsigned long long kib = 0;
        if (std::sscanf(line, "VmHWM: %llu", &kib) == 1) found.peak = kib * 1024;
        if (std::sscanf(line, "VmRSS: %llu", &kib) == 1) found.now = kib * 1024;
    });
    if (found.now == 0) return std::nullopt;
    found.peak = std::max(found.peak, found.now);
    return found;
}

/// Its peak begins anew. Where the system refuses that it goes on.
inline void forget_peak_memory(long pid) {
    const auto no_fork = fd_registry::instance().hold_forks();
    const std::unique_ptr<std::FILE, close_file> file(
        std::fopen(("/proc/" + std::to_string(pid) + "/clear_refs").c_str(), "we"));
    if (file) std::fputs("5", file.get());
}

/// If memory is out, the kernel ends this process rather than those that have not said so.
inline void offer_to_be_killed_for_memory() noexcept {
    constexpr int more = 300;  // thousandths of all memory, as if it had so much besides
    int score = 0;
    if (const std::unique_ptr<std::FILE, close_file> file{std::fopen("/proc/self/oom_score_adj", "re")}; file)
        if (std::fscanf(file.get(), "%d", &score) != 1) score = 0;
    if (const std::unique_ptr<std::FILE, close_file> file{std::fopen("/proc/self/oom_score_adj", "we")}; file)
        std::fprintf(file.get(), "%d", std::min(score + more, 1000));
}

}  // namespace procpool::inline v0_1::detail::os

#endif
