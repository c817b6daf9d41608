// SPDX-License-Identifier: MIT
// Settings of pools and of calls, for designated initialisers.
#ifndef PROCPOOL_OPTIONS_HPP
#define PROCPOOL_OPTIONS_HPP

#include <cstddef>
#include <exception>
#include <functional>
#include <optional>

#include "procpool/start_method.hpp"

namespace procpool {

/// `Pool pool({.processes = 8, .maxtasksperchild = 1000});`
struct PoolOptions {
    /// Number of workers, 1 or more; cpu_count() by default.
    std::optional<int> processes = {};
    /// Elements that a worker runs before it is replaced by a fresh one, 1 or more; no limit by default.
    /// A worker finishes the chunk that it has.
    std::optional<std::ptrdiff_t> maxtasksperchild = {};
    procpool::start_method start_method = procpool::start_method::automatic;
    /// Told of exceptions that callbacks throw; by default they are printed to standard error.
    std::function<void(std::exception_ptr)> error_handler = {};
};

/// `pool.map(f, files, {.chunksize = 10});`
struct MapOptions {
    /// Elements that go to a worker together, 1 or more. map's default is Python's: the input in four
    /// chunks a worker; imap's is 1.
    std::optional<std::ptrdiff_t> chunksize = {};
    /// Times that an element is run again after its worker died, 0 or more.
    int retries = 0;
    /// imap only: elements that are pulled from the input and not yet yielded, at the most; two chunks a
    /// worker by default.
    std::optional<std::ptrdiff_t> buffersize = {};
};

/// `pool.apply_async({.retries = 2}, f, args...);`
struct TaskOptions {
    /// Times that the task is run again after its worker died, 0 or more.
    int retries = 0;
};

}  // namespace procpool

#endif
