// SPDX-License-Identifier: MIT
// What a program, its zygotes and their workers tell each other about the birth and death of workers, be
// these a pool's or single processes.
#ifndef PROCPOOL_DETAIL_ZYGOTE_BIRTH_HPP
#define PROCPOOL_DETAIL_ZYGOTE_BIRTH_HPP

#include <cstddef>
#include <cstdint>

#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/locale.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/signal.hpp"
#include "procpool/detail/zygote/named_process.hpp"
#include "procpool/options.hpp"
#include "procpool/start_method.hpp"

namespace procpool::inline v0_1::detail::zygote {

/// Where in a pool's memory file the arenas lie: one for arguments, then one for each worker's results.
struct arena_layout {
    std::uint64_t pool = 0;   // tells them from other pools'
    std::uint64_t begin = 0;  // bytes
    std::uint64_t size = 0;   // bytes of each; 0 if there are none
    std::uint64_t limit = 0;  // bytes of memory that each may take
};

/// What a zygote's children are there for.
enum class occupation : std::uint32_t {
    tasks,   // workers of a pool
    process  // one function each, as a part of the program: with its signal settings
};

/// Where a new process says which one it is: a worker in its slot of the pool's memory, another one in front
/// of its definition. That is the first that it does, before it dies with its zygote: that may be killed
/// before it can report the birth.
struct birth_record {
    using word = std::int64_t;
    os::native_file memory = os::no_file;
    std::uint64_t page = 0;  // that begins with the word

    /// Safe between fork or vfork and exec.
    void write() const noexcept {
        if (memory != os::no_file) os::exchange_in_memory(memory, page, os::current_pid());
    }
    /// Clears what was written. @return the process id, 0 if none was written
    word take() const noexcept { return os::exchange_in_memory(memory, page, 0); }
};

/// What all workers of a pool have in common.
struct worker_settings {
    start_method how = start_method::fork;  // never automatic
    WorkerLimits limits;
    bool offers_memory = false;  // the kernel ends workers rather than others if there isn't enough
    worker_output output = worker_output::direct;
    std::size_t stderr_tail = 0;
    std::uint64_t slot_bytes = 0;  // of each worker's piece of the pool's memory file; a process has none
    arena_layout arenas = {};
    occupation purpose = occupation::tasks;
    named_process parent = {};
    std::uint32_t first_index = 0;      // worker_index() in slot 0: others may come before
    bool is_rank = false;               // MPI's launcher has started the program, and its variables tell so
    bool serves_other_machine = false;  // results go there
    bool preloads = false;              // where it is comes in a message of its own
    bool is_first = false;              // the pool waits for this zygote, in its constructor
    bool keeps_children = false;        // what tasks have started may outlive their worker
    std::uint64_t tree = 0;             // the mark of what does not; 0 if there is none
    std::uint64_t seed = 0;             // of elements' random numbers
    std::int32_t inner_threads = 0;     // that libraries use in a worker; as many as they like if 0
    bool only_default_threads = false;  // of libraries that would use all CPUs
};

/// What a new worker process starts with.
struct worker_birth {
    std::uint32_t slot = 0;
    std::uint64_t serial = 0;
    os::fd tasks;    // read end; a process has a file instead: its birth_record, then its only one
    os::fd results;  // write end
    os::fd memory;   // the pool's black boxes, outboxes and arenas; none for a process
    worker_settings settings;
    os::fd preload = {};  // to be run before anything else; none unless it is a fresh run of its own
};

using worker_main = int (*)(worker_birth&);

struct zygote_request {
    enum class kind : std::uint32_t { fork, reap, signal, finish };
    kind what{};
    std::uint32_t slot = 0;
    std::uint64_t serial = 0;
    std::int32_t signal = 0;
};

/// News of a worker. `serial` tells a slot's present worker from the ones before. Behind that of its end may
/// follow the last that it printed to standard error, if that was asked for; behind that of a failed preload
/// is what has gone wrong.
struct worker_report {
    enum class kind : std::uint32_t { zygote_ready, preloaded, preload_failed, started, exited, fork_failed };
    kind what{};
    std::uint32_t slot = 0;
    std::uint64_t serial = 0;
    std::int64_t pid = 0;
    std::int32_t code = 0;  // exit code, or the signal's number, or fork's errno
    bool signalled = false;
    bool out_of_memory = false;     // the kernel has killed processes for want of memory
    std::uint64_t peak_memory = 0;  // in bytes

    static constexpr std::size_t most_output = 4096;
};

/// The first message to a process that runs the program anew.
struct process_birth {
    enum class kind : std::uint32_t { zygote, worker, preload };
    kind what{};
    std::uint32_t slot = 0;
    std::uint64_t serial = 0;
    std::int64_t parent = 0;
    worker_settings settings;
    os::signal_mask mask;         // a zygote's
    os::signal_settings signals;  // a worker's
    os::locale_names locale;
};

}  // namespace procpool::inline v0_1::detail::zygote

#endif
