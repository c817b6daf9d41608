// SPDX-License-Identifier: MIT
// Waits until a descriptor can be read or written to.
#ifndef PROCPOOL_DETAIL_OS_LINUX_READABLE_HPP
#define PROCPOOL_DETAIL_OS_LINUX_READABLE_HPP

#include <poll.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/watch_list.hpp"

namespace procpool::inline v0_1::detail::os {

/// Waits until one of `files` can be read, or is at its end, or `until` has come.
/// @return which of them
inline std::vector<bool> wait_readable(std::span<const int> files, steady_time until) {
    watch_list watched;
    watched.reserve(files.size());
    for (const int file : files) watched.add(file, watch_list::interest::read);
    if (watched.wait_until(until) == wait_end::failed) throw_system_error(errno, "poll");
    std::vector<bool> ready;
    ready.reserve(files.size());
    for (std::size_t i = 0; i < files.size(); ++i) ready.push_back(watched.is_ready(i));
    return ready;
}

inline std::vector<bool> wait_readable(const std::vector<const fd*>& files, steady_time until) {
    std::vector<int> numbers;
    numbers.reserve(files.size());
    for (const fd* const file : files) numbers.push_back(file->get());
    return wait_readable(std::span<const int>(numbers), until);
}

inline bool wait_readable(int file, steady_time until) { return wait_readable({&file, 1}, until).front(); }

inline bool wait_readable(const fd& file, steady_time until) { return wait_readable(file.get(), until); }

/// How the system's own calls know it.
inline int number_of(const fd& file) noexcept { return file.get(); }

/// Waits until `file` takes what is written, or its reader is gone.
inline wait_end wait_writable(int file, int milliseconds) noexcept {
    pollfd watched{file, POLLOUT, 0};
    const int n = retry_on_eintr([&] { return ::poll(&watched, 1, milliseconds); });
    return n > 0 ? wait_end::ready : n == 0 ? wait_end::timed_out : wait_end::failed;
}

}  // namespace procpool::inline v0_1::detail::os

#endif
