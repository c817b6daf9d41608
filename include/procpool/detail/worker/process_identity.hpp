// SPDX-License-Identifier: MIT
// Who this process is among those of the program, and who has started it.
#ifndef PROCPOOL_DETAIL_WORKER_PROCESS_IDENTITY_HPP
#define PROCPOOL_DETAIL_WORKER_PROCESS_IDENTITY_HPP

#include <atomic>
#include <optional>
#include <string>

#include "procpool/detail/os/this_process.hpp"
#include "procpool/detail/zygote/named_process.hpp"
#include "procpool/worker.hpp"

namespace procpool::inline v0_1::detail::worker {

/// A process, as ProcessInfo tells of it.
struct process_facts {
    std::string name;
    long pid = 0;
    bool daemon = false;
};

/// What a Process is told at its birth. Set before any code of the user's runs.
struct process_identity {
    std::string name = "MainProcess";
    std::string place = {};  // among all: "2:1" is the first child of the second; empty for the main process
    bool daemon = false;
    std::optional<process_facts> parent = {};
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

/// The calling process. The workers of pools count as daemons.
inline process_facts own_facts() {
    if (const auto index = worker_index())
        return {"PoolWorker-" + std::to_string(*index + 1), os::own_pid(), true};
    const process_identity& identity = process_identity::instance();
    return {identity.name, os::own_pid(), identity.daemon};
}

/// Who started it; nothing in the main process.
inline std::optional<process_facts> parent_facts() {
    if (!this_process.index) return process_identity::instance().parent;
    const zygote::named_process& parent = zygote::parent_of_worker;
    return process_facts{parent.name.data(), static_cast<long>(parent.pid), parent.daemon};
}

}  // namespace procpool::inline v0_1::detail::worker

#endif
