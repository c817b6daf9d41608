// SPDX-License-Identifier: MIT
// What procpool throws. A task's own exception arrives as its own type; these are the library's.
#ifndef PROCPOOL_ERROR_HPP
#define PROCPOOL_ERROR_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#if !defined(__cpp_rtti) || !defined(__cpp_exceptions)
#error \
    "procpool needs exceptions and run-time type information: compile without -fno-exceptions and -fno-rtti"
#endif

namespace procpool::inline v0_1 {

/// Base of all errors of the library itself (a bad argument is std::invalid_argument instead).
class Error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The caller waited too long; the task goes on and its result can still be fetched later.
class TimeoutError : public Error {
public:
    using Error::Error;
};

/// The pool was closed, moved from, or belongs to another process.
class PoolNotRunning : public Error {
public:
    using Error::Error;
};

/// The pool was neither closed nor terminated before it was joined.
class PoolStillRunning : public Error {
public:
    using Error::Error;
};

/// It was asked how a call has ended, and the call has not.
class ResultNotReady : public Error {
public:
    using Error::Error;
};

/// The pool was terminated before this element had a result.
class PoolTerminated : public Error {
public:
    using Error::Error;
};

/// A value could not be encoded or decoded on its way to or from a worker.
class SerializationError : public Error {
public:
    using Error::Error;
};

/// Worker processes could not be started.
class BootstrapError : public Error {
public:
    using Error::Error;
};

/// A Process was used in a state, or in a process, where that can't be.
class ProcessError : public Error {
public:
    using Error::Error;
};

/// All that could send have ended or closed their end: nothing more comes.
class EOFError : public Error {
public:
    using Error::Error;
};

/// A Connection was closed, or can't do what was asked of it.
class ConnectionClosed : public Error {
public:
    using Error::Error;
};

/// The process of a Manager has ended, and its objects with it.
class ManagerDied : public Error {
public:
    using Error::Error;
};

/// A message had more bytes than were asked for.
class BufferTooShort : public Error {
public:
    /// With the message, where at most so many bytes were asked for.
    BufferTooShort(std::size_t most, std::vector<std::byte> message);

    /// All of it.
    const std::vector<std::byte>& message() const noexcept;

private:
    std::shared_ptr<const std::vector<std::byte>> message_;  // shared, so that copies can't throw
};

/// The element was taken back before it had a result.
class TaskCancelled : public Error {
public:
    using Error::Error;
};

/// The element was not run, since it has killed its worker in earlier calls with the same journal; see
/// JournalOptions::give_up_after.
class TaskQuarantined : public Error {
public:
    using Error::Error;
};

/// The queue had no item in time; as queue.Empty of Python.
class Empty : public Error {
public:
    using Error::Error;
};

/// The queue had no room in time; as queue.Full of Python.
class Full : public Error {
public:
    using Error::Error;
};

/// The queue was closed in this process.
class QueueClosed : public Error {
public:
    using Error::Error;
};

/// The barrier was aborted, reset, or somebody waited too long at it.
class BrokenBarrier : public Error {
public:
    using Error::Error;
};

/// A process (or a thread) died while it held a lock or a permit.
class LockOwnerDied : public Error {
public:
    /// With a text, and the process id of the dead.
    LockOwnerDied(const std::string& text, long pid) : Error(text), pid_(pid) {}
    /// Its process id.
    long pid() const noexcept { return pid_; }

private:
    long pid_;
};

/// A worker process ended while it ran an element (or its initializer).
class WorkerDied : public Error {
public:
    /// How and where it happened, as far as it is known.
    struct Cause {
        /// See WorkerDied::pid().
        long pid = 0;
        /// See WorkerDied::exit_code().
        std::optional<int> exit_code = {};
        /// See WorkerDied::signal().
        int signal = 0;
        /// See WorkerDied::index().
        std::optional<std::uint64_t> index = {};
        /// See WorkerDied::run_time().
        std::chrono::nanoseconds run_time{0};
        /// See WorkerDied::peak_memory().
        std::uint64_t peak_memory = 0;
        /// See WorkerDied::out_of_memory().
        bool out_of_memory = false;
        /// See WorkerDied::stack_trace().
        std::string stack_trace = {};
        /// See WorkerDied::error_output().
        std::string error_output = {};
        /// See WorkerDied::host().
        std::string host = {};
    };

    /// With a text, and what is known of the death.
    WorkerDied(const std::string& text, Cause cause);

    /// Process id of the dead worker.
    long pid() const noexcept;
    /// Exit code, or nothing if a signal ended the process (or its status is unknown).
    std::optional<int> exit_code() const noexcept;
    /// Number of the signal that ended the process, 0 if none did.
    int signal() const noexcept;
    /// Position of the element in its call's input; nothing if it was the initializer that died.
    std::optional<std::uint64_t> index() const noexcept;
    /// Time for which the element had run.
    std::chrono::nanoseconds run_time() const noexcept;
    /// The largest resident memory of the process in bytes, 0 if unknown.
    std::uint64_t peak_memory() const noexcept;
    /// Whether the kernel killed processes for want of memory when this one was killed.
    bool out_of_memory() const noexcept;
    /// Where a fault or abort happened, or what was running when a time limit was exceeded: the innermost
    /// call first, one a line. Empty for other deaths, where the program has a handler of its own for the
    /// signal (SIGTERM at a limit), and where the worker had to be killed.
    const std::string& stack_trace() const noexcept;
    /// The last that the worker printed to standard error, if PoolOptions::stderr_tail asks for it.
    const std::string& error_output() const noexcept;
    /// Name of the machine where that was; empty for the caller's own.
    const std::string& host() const noexcept;

private:
    std::shared_ptr<const Cause> cause_;  // shared, so that copies of the exception can't throw
};

/// An element ran longer than its `timeout`; its worker was ended and replaced.
class TaskTimeout : public WorkerDied {
public:
    using WorkerDied::WorkerDied;
};

/// An element took more CPU time than its `cpu_timeout`; its worker was ended and replaced.
class TaskCpuTimeout : public TaskTimeout {
public:
    using TaskTimeout::TaskTimeout;
};

/// A whole machine was lost, or the process of the program that is there, and the element was on it.
class NodeDied : public Error {
public:
    /// With a text, the name of the machine, and the rank of its process.
    NodeDied(const std::string& text, std::string host, int rank)
        : Error(text), host_(std::move(host)), rank_(rank) {}

    /// Name of the machine.
    const std::string& host() const noexcept { return host_; }
    /// Rank of the process among those of the program, as in MPI.
    int rank() const noexcept { return rank_; }

private:
    std::string host_;
    int rank_;
};

/// An exception of a task, as text.
///
/// It stands for an exception whose type can't be rebuilt here, and is nested in each exception that
/// can, to tell where that was thrown: `try { ... } catch (const std::exception& e) {
/// std::rethrow_if_nested(e); }`.
class RemoteError : public Error {
public:
    /// With the text of the exception, and where it was thrown.
    RemoteError(std::string type_name, const std::string& text, long pid, std::optional<std::uint64_t> index,
                std::string host = {});

    /// Name of the exception's type in the worker, for example "std::out_of_range" or "int".
    const std::string& type_name() const noexcept { return type_name_; }
    /// Process id of the worker that threw it.
    long pid() const noexcept { return pid_; }
    /// Position of the element in its call's input; nothing for an initializer.
    std::optional<std::uint64_t> index() const noexcept { return index_; }
    /// Name of the worker's machine; empty for the caller's own.
    const std::string& host() const noexcept { return host_; }

private:
    std::string type_name_;
    long pid_;
    std::optional<std::uint64_t> index_;
    std::string host_;
};

}  // namespace procpool::inline v0_1

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/error_impl.hpp"
#endif

#endif
