// SPDX-License-Identifier: MIT
// current_process() and parent_process(): who a process is among those of the program.
#ifndef PROCPOOL_PROCESS_INFO_HPP
#define PROCPOOL_PROCESS_INFO_HPP

#include <optional>
#include <string>
#include <utility>

#include "procpool/detail/worker/process_identity.hpp"

namespace procpool::inline v0_1 {

/// A process of the program.
struct ProcessInfo {
    /// As ProcessOptions has set it, or made by the library.
    std::string name;
    /// Its process id.
    long pid = 0;
    /// Whether it is a daemon.
    bool daemon = false;
};

/// The calling process: "MainProcess", a Process, or "PoolWorker-1" and so on in a pool's workers, which
/// count as daemons.
inline ProcessInfo current_process() {
    auto own = detail::worker::own_facts();
    return {std::move(own.name), own.pid, own.daemon};
}

/// The process that started this one, be it a Process or a pool's worker; nothing in the main process. It is
/// alive: none outlives its parent.
inline std::optional<ProcessInfo> parent_process() {
    auto parent = detail::worker::parent_facts();
    if (!parent) return std::nullopt;
    return ProcessInfo{std::move(parent->name), parent->pid, parent->daemon};
}

}  // namespace procpool::inline v0_1

#endif
