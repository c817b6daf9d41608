// SPDX-License-Identifier: MIT
// Processes that descend from others: whose they are, whatever has become of their parents.
//
// A process that has left its session, its group and its parent behind, and runs another program, still has
// the resource limits that it was born with. One of them, RLIMIT_RSS, means nothing to the kernel since
// version 2.4.30, and RLIMIT_LOCKS nothing since 2.4.25. Its value is a mark: too large to limit anything,
// and of one ancestor only.
#ifndef PROCPOOL_DETAIL_OS_LINUX_DESCENDANTS_HPP
#define PROCPOOL_DETAIL_OS_LINUX_DESCENDANTS_HPP

#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "procpool/detail/os/cgroup.hpp"
#include "procpool/detail/os/child.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/process_identity.hpp"

namespace procpool::inline v0_1::detail::os {

/// Tells an ancestor: one of a tree's.
struct descent {
    std::uint64_t tree = 0;      // 0: none
    std::uint64_t ancestor = 0;  // in the tree; 0 is its root

    static constexpr unsigned ancestor_bits = 20, tree_bits = 41;
    static constexpr std::uint64_t flag = std::uint64_t{1} << (ancestor_bits + tree_bits);

    /// Never 0.
    static constexpr std::uint64_t tree_of(std::uint64_t random) noexcept {
        return random % ((std::uint64_t{1} << tree_bits) - 1) + 1;
    }
    /// Of a number from 1 on; never 0.
    static constexpr std::uint64_t ancestor_of(std::uint64_t number) noexcept {
        return (number - 1) % ((std::uint64_t{1} << ancestor_bits) - 1) + 1;
    }
};

/// Limits that the kernel knows and doesn't use: the second one where a batch system has set the first.
inline constexpr std::array unused_limits{RLIMIT_RSS, RLIMIT_LOCKS};

/// From now on this process and all that it starts have this mark. @return false where no limit can be raised
/// so far: they have none
inline bool mark_descent(const descent& of) noexcept {
    for (const auto which : unused_limits) {
        rlimit limit{};
        if (::getrlimit(which, &limit) != 0) continue;
        limit.rlim_cur = descent::flag | of.tree << descent::ancestor_bits | of.ancestor;
        if (limit.rlim_cur <= limit.rlim_max && ::setrlimit(which, &limit) == 0) return true;
    }
    return false;
}

/// The mark of a process of this user.
inline std::optional<descent> descent_of(long pid) noexcept {
    for (const auto which : unused_limits) {
        rlimit limit{};
        if (::prlimit(static_cast<pid_t>(pid), which, nullptr, &limit) != 0) return std::nullopt;
        if (limit.rlim_cur >> (descent::ancestor_bits + descent::tree_bits) != 1) continue;
        constexpr std::uint64_t low = (std::uint64_t{1} << descent::ancestor_bits) - 1;
        return descent{(limit.rlim_cur ^ descent::flag) >> descent::ancestor_bits, limit.rlim_cur & low};
    }
    return std::nullopt;
}

/// Processes below this one become its children when their parents end. @return false if this is refused, as
/// a filter of system calls may do
inline bool adopt_orphans() noexcept { return ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0; }

/// Calls `use` with the process id of each process, those of other users included.
template <class Use>
void for_each_process(Use use) {
    struct close_folder {
        void operator()(DIR* folder) const noexcept { ::closedir(folder); }
    };
    const auto no_fork = fd_registry::instance().hold_forks();
    const std::unique_ptr<DIR, close_folder> processes(::opendir("/proc"));
    if (!processes) return;
    while (const dirent* const entry = ::readdir(processes.get())) {
        long pid = 0;
        const char* const end = entry->d_name + std::strlen(entry->d_name);
        const auto [read_to, error] = std::from_chars(entry->d_name, end, pid);
        if (error == std::errc() && read_to == end) use(pid);
    }
}

/// Whether this process, of one thread, may have children that `is_known` is false for. Not every kernel
/// tells: then it may.
template <class IsKnown>
bool may_have_other_children(IsKnown is_known) {
    const std::string self = std::to_string(::getpid());
    const std::unique_ptr<std::FILE, close_file> list(
        std::fopen(("/proc/" + self + "/task/" + self + "/children").c_str(), "re"));
    if (!list) return true;
    for (long pid = 0; std::fscanf(list.get(), "%ld", &pid) == 1;)
        if (!is_known(pid)) return true;
    return false;
}

/// Whether this process has any children, dead ones that it hasn't waited for included.
inline bool has_children() noexcept {
    siginfo_t end{};
    return ::waitid(P_ALL, 0, &end, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/// Waits for a process that has ended if it is a child of this one. @return whether there was one to wait for
inline bool reap_if_ended(long pid) noexcept {
    return ::waitpid(static_cast<pid_t>(pid), nullptr, WNOHANG) == pid;
}

/// Kills a process if it is one that `is_meant` is true for, and no other one has got its id since.
/// @return false if it isn't, or if this process may not
template <class IsMeant>
bool kill_if(long pid, IsMeant is_meant) {
    if (!is_meant(pid)) return false;
    const fd process = open_process(pid);
    return is_meant(pid) && send_signal(process, pid, SIGKILL);
}

}  // namespace procpool::inline v0_1::detail::os

#endif
