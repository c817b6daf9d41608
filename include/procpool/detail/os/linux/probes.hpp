// SPDX-License-Identifier: MIT
// Probes: places in the program that tools like bpftrace and perf find by name. Each is one instruction that
// does nothing, and none where the system has no <sys/sdt.h>.
#ifndef PROCPOOL_DETAIL_OS_LINUX_PROBES_HPP
#define PROCPOOL_DETAIL_OS_LINUX_PROBES_HPP

#include <cstdint>

#if !defined(PROCPOOL_NO_PROBES) && __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define PROCPOOL_PROBE(number, ...) DTRACE_PROBE##number(procpool, __VA_ARGS__)
#else
#define PROCPOOL_PROBE(number, ...) static_cast<void>(0)
#endif

namespace procpool::inline v0_1::detail::os::probes {

/// A worker has ended `ended` elements since its start, the last `count` of them in `ns`.
inline void elements_end([[maybe_unused]] std::uint64_t ended, [[maybe_unused]] std::int64_t ns,
                         [[maybe_unused]] std::uint64_t count) noexcept {
    PROCPOOL_PROBE(3, elements__end, ended, ns, count);
}
inline void call_begin([[maybe_unused]] std::uint64_t job) noexcept {
    PROCPOOL_PROBE(1, call__begin, job);
}
inline void call_end([[maybe_unused]] std::uint64_t job) noexcept { PROCPOOL_PROBE(1, call__end, job); }
inline void worker_start([[maybe_unused]] std::uint32_t index, [[maybe_unused]] long pid) noexcept {
    PROCPOOL_PROBE(2, worker__start, index, pid);
}
inline void worker_end([[maybe_unused]] std::uint32_t index, [[maybe_unused]] long pid) noexcept {
    PROCPOOL_PROBE(2, worker__end, index, pid);
}

}  // namespace procpool::inline v0_1::detail::os::probes

#undef PROCPOOL_PROBE

#endif
