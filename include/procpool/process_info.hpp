// SPDX-License-Identifier: MIT
// current_process() and parent_process(): who a process is among those of the program.
#ifndef PROCPOOL_PROCESS_INFO_HPP
#define PROCPOOL_PROCESS_INFO_HPP

#include <atomic>
#include <optional>
#include <string>
#include <utility>

#include "procpool/detail/os/this_process.hpp"
#include "procpool/detail/zygote/named_process.hpp"
#include "procpool/worker.hpp"

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

namespace detail::worker {
/// What a Process is told at its birth. Set before any code of the user's runs.
struct process_identity {
    std::string name = "MainProcess";
    std::string place = {};  // among all: "2:1" is the first child of the second; empty for the main process
    bool daemon = false;
    std::optional<ProcessInfo> parent = {};
    std::atomic<unsigned> children{0};  // how many have got a place

    static process_identity& instance() {
        static auto* const identity = new process_identity;  // leaked: used by static objects
        return *identity;
    }
    std::string place_of_next_child() {
        const std::string number = std::to_string(++children);
        return place.empty() ? number : place + ":" + number;
    }
};
}  // namespace detail::worker

/// The calling process: "MainProcess", a Process, or "PoolWorker-1" and so on in a pool's workers, which
/// count as daemons.
inline ProcessInfo current_process() {
    if (const auto index = worker_index())
        return {"PoolWorker-" + std::to_string(*index + 1), detail::os::own_pid(), true};
    const auto& identity = detail::worker::process_identity::instance();
    return {identity.name, detail::os::own_pid(), identity.daemon};
}

/// The process that started this one, be it a Process or a pool's worker; nothing in the main process. It is
/// alive: none outlives its parent.
inline std::optional<ProcessInfo> parent_process() {
    if (!detail::worker::this_process.index) return detail::worker::process_identity::instance().parent;
    const detail::zygote::named_process& parent = detail::zygote::parent_of_worker;
    return ProcessInfo{parent.name.data(), static_cast<long>(parent.pid), parent.daemon};
}

}  // namespace procpool::inline v0_1

#endif
