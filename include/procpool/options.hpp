// SPDX-License-Identifier: MIT
// Settings of pools, of processes and of calls, for designated initialisers.
#ifndef PROCPOOL_OPTIONS_HPP
#define PROCPOOL_OPTIONS_HPP

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/retry_policy.hpp"
#include "procpool/start_method.hpp"

namespace procpool::inline v0_1 {

class ElementResult;
class Observer;
namespace detail::job {
class finalizer;
class preload;
}  // namespace detail::job
namespace detail::job {
class journal;
}
namespace detail::call {
template <class F>
class finalizer_of;  // in finalizer.hpp
template <class F>
class preload_of;  // in preload.hpp
}  // namespace detail::call
namespace detail::journal {
template <class Name>
class journal_in_file;  // in journal.hpp
}

/// A function that each worker of a pool calls once before it leaves in peace: `{.finalizer = f}`. To be
/// made from any callable without arguments; the file includes `procpool/finalizer.hpp`.
class Finalizer {
public:
    /// None.
    Finalizer() = default;
    /// A Pool sends it to its workers as it sends tasks; a ThreadPool calls it as it is.
    template <class F>
        requires(!std::is_same_v<std::remove_cvref_t<F>, Finalizer>)
    Finalizer(F&& function) {
        using kept = detail::call::finalizer_of<std::decay_t<F>>;
        static_assert(
            requires { sizeof(kept); },
            "procpool: include <procpool/finalizer.hpp> where a finalizer is given");
        function_ = std::make_shared<kept>(std::in_place, std::forward<F>(function));
    }

    /// Whether there is one.
    explicit operator bool() const noexcept { return function_ != nullptr; }

    /// For the library itself.
    const std::shared_ptr<const detail::job::finalizer>& function() const noexcept { return function_; }

private:
    std::shared_ptr<const detail::job::finalizer> function_;
};

/// `{.journal = {"run.journal", {.version = "2"}}}`
struct JournalOptions {
    /// What makes results good for later runs. By default that is the build of the program: results of
    /// another one are refused. With a version they are good as long as the version stays the same, whatever
    /// was built since.
    std::string version = {};
    /// Calls in which an element may kill its worker, or exceed its time limit; later ones don't run it any
    /// more, and it fails with TaskQuarantined. 1 or more.
    int give_up_after = 3;
    /// Whether results are on the disk, and not only with the system, before the program sees them: so they
    /// survive a crash of the machine, too. Costs some milliseconds each time that results come.
    bool sync = false;
};

/// A file that keeps the results of a call: `pool.map(f, files, {.journal = "run.journal"})`. The next call
/// with it takes the results that are there, and runs the rest. The file includes `procpool/journal.hpp`.
///
/// A result belongs to an element's value, not to its place: the same argument gets the same result. One file
/// is for one function, and for one program at a time; other calls are refused with an Error. It stays open
/// as long as a copy of this or a call with it lives. May be used by several calls at once.
class Journal {
public:
    /// None.
    Journal() = default;
    /// In the file of that name, which is made if there is none. It is opened by the first call.
    /// @throws std::invalid_argument
    template <class File>
        requires std::convertible_to<File, std::string>
    Journal(File&& file, JournalOptions options = {}) {
        using kept = detail::journal::journal_in_file<std::decay_t<File>>;
        static_assert(
            requires { sizeof(kept); }, "procpool: include <procpool/journal.hpp> where a journal is given");
        journal_ = std::make_shared<kept>(std::forward<File>(file), std::move(options));
    }

    /// Whether there is one.
    explicit operator bool() const noexcept { return journal_ != nullptr; }

    /// For the library itself.
    const std::shared_ptr<detail::job::journal>& kept() const noexcept { return journal_; }

private:
    std::shared_ptr<detail::job::journal> journal_;
};

/// A function that a pool calls once before it forks its workers: `{.preload = f}`. To be made from any
/// callable without arguments; the file includes `procpool/preload.hpp`.
class Preload {
public:
    /// None.
    Preload() = default;
    /// It is sent as tasks are.
    template <class F>
        requires(!std::is_same_v<std::remove_cvref_t<F>, Preload>)
    Preload(F&& function) {
        using kept = detail::call::preload_of<std::decay_t<F>>;
        static_assert(
            requires { sizeof(kept); }, "procpool: include <procpool/preload.hpp> where a preload is given");
        function_ = std::make_shared<kept>(std::in_place, std::forward<F>(function));
    }

    /// Whether there is one.
    explicit operator bool() const noexcept { return function_ != nullptr; }

    /// For the library itself.
    const std::shared_ptr<const detail::job::preload>& function() const noexcept { return function_; }

private:
    std::shared_ptr<const detail::job::preload> function_;
};

/// What each worker of a pool may take, and where it runs: `{.limits = {.memory = 1u << 30}}`.
struct WorkerLimits {
    /// Bytes that a worker may allocate beyond what it starts with; then its allocations fail, with
    /// std::bad_alloc in C++, and a fresh worker takes the place of the one whose task has met the limit.
    /// Shared arrays don't count.
    std::optional<std::size_t> memory = {};
    /// Bytes by which a worker's own memory in use may grow; then it finishes what it has, and a fresh one
    /// takes its place. For libraries that leak.
    std::optional<std::size_t> memory_growth = {};
    /// Added to the program's niceness, 0 to 19: a nicer worker leaves the CPU to others.
    int nice = 0;
    /// Each worker stays on one of the CPUs that the program may use, in turn.
    bool pin_to_cpu = false;
};

/// Whether elements wait for memory: `{.memory = {.reserve = 1u << 30}}`.
struct MemoryOptions {
    /// Bytes of what machine and container have free that are to be left: an element begins only if that is
    /// so when those that run have taken as much as such elements have taken before. One always runs. What
    /// the kernel kills for want of memory runs again alone, which counts as no try. By default nothing
    /// waits.
    std::optional<std::size_t> reserve = {};
};

/// Where what workers print goes.
enum class worker_output {
    direct,    ///< straight to the program's own standard output and error
    lines,     ///< to the same, in whole lines: those of several workers never mix
    prefixed,  ///< in whole lines, each with "[worker 0] " and so on in front
};

/// `Pool pool({.processes = 8, .maxtasksperchild = 1000});`
struct PoolOptions {
    /// Number of workers; cpu_count() by default. With 0 (Pool and its executor only), or where the
    /// environment has PROCPOOL_INLINE=1, tasks run in the thread that calls the pool, one at a time, to be
    /// debugged there: what can't be sent is refused as usual, but a crash ends the program, and nothing can
    /// be ended or limited.
    std::optional<int> processes = {};
    /// Elements that a worker runs before it is replaced by a fresh one, 1 or more; no limit by default.
    /// A worker finishes the chunk that it has.
    std::optional<std::ptrdiff_t> maxtasksperchild = {};
    /// How workers are born; automatic is what set_start_method() has set, if anything.
    procpool::start_method start_method = procpool::start_method::automatic;
    /// Workers that Pool::resize() may ask for; `processes` by default. Each costs address space, and a place
    /// in shared memory that is taken when it is used.
    std::optional<int> max_processes = {};
    /// After so long without calls all workers leave; the next call starts them again. No limit by default.
    std::optional<std::chrono::nanoseconds> idle_timeout = {};
    /// Told of exceptions that callbacks throw; by default they are printed to standard error.
    std::function<void(std::exception_ptr)> error_handler = {};
    /// Time that the initializer may take in each worker; no limit by default. A worker that exceeds it is
    /// ended, and that counts as a death.
    std::optional<std::chrono::nanoseconds> initializer_timeout = {};
    /// Time that a worker has to end after SIGTERM, when its task exceeded its limit or was cancelled, until
    /// it is killed.
    std::chrono::nanoseconds terminate_grace = std::chrono::seconds(1);
    /// Deaths in a row of workers that got nowhere, after which the pool fails; by default twice the workers,
    /// plus 2.
    std::optional<int> restart_limit = {};
    /// What each worker may use of the machine.
    WorkerLimits limits = {};
    /// How much memory of the machine is to be left. Not in a ThreadPool; with 0 processes it changes
    /// nothing.
    MemoryOptions memory = {};
    /// Bytes of shared memory that large arguments on their way may take, and the large results of each
    /// worker; more than that goes through pipes, slower. By default a quarter of the machine's memory. What
    /// was not used for a second is given back.
    std::optional<std::size_t> arena_limit = {};
    /// Whether processes that tasks have started (a shell, a converter), and those that these have started,
    /// may outlive their worker. By default they are killed when their worker ends, in whichever way. In a
    /// ThreadPool and with 0 processes they always stay.
    bool keep_children = false;
    /// Where what workers print goes.
    worker_output output = worker_output::direct;
    /// Bytes of what a worker printed last to standard error that its WorkerDied tells, up to 4096; none by
    /// default. Otherwise standard error passes through the pool, even if output is direct.
    std::size_t stderr_tail = 0;
    /// Whether WorkerDied and Pool::workers() quote numbers and strings that the element was called with. Say
    /// no where they may be secret: such texts get into logs.
    bool quote_arguments = true;
    /// A folder, made if there is none, for a file about each WorkerDied and TaskTimeout: its text says how
    /// the program runs that one element again, in a debugger for example. The file has the arguments, and
    /// the environment of the workers. 100 files at the most; large arguments go through pipes, slower.
    std::string bundles = {};
    /// Whether Pool::stats() tells the slowest elements, too, which takes about as much as an observer does.
    /// A ThreadPool has statistics only so.
    bool statistics = false;
    /// A file to which the pool writes what it does when: run.json for Perfetto and chrome://tracing,
    /// run.html to look at with any browser; see Trace.
    std::string trace = {};
    /// Are told what the pool does, from the start of its workers on; see Observer.
    std::vector<std::shared_ptr<Observer>> observers = {};
    /// Called once by each worker that leaves in peace: when the pool was closed and is joined (an executor
    /// shut down), or when the worker has run or taken as much as it may (maxtasksperchild, memory_growth).
    /// What it returns, throws or dies of is in finalizer_results(); errors are told to error_handler, too.
    Finalizer finalizer = {};
    /// Time that the finalizer may take in each worker; then the worker is ended. Not in a ThreadPool.
    std::chrono::nanoseconds finalizer_timeout = std::chrono::minutes(1);
    /// Single calls that are taken on and have no result yet, at the most, 1 or more: what would be one more
    /// waits before it returns (apply_async, submit and apply), or isn't made (try_apply_async, try_submit).
    /// Calls in callbacks, in observers and in tasks of a ThreadPool don't wait, since the pool may need
    /// their thread. map and its relatives don't count. No limit by default.
    std::optional<std::size_t> max_pending = {};
    /// The same for the bytes of their arguments as they travel; one call alone may have more. Not in a
    /// ThreadPool.
    std::optional<std::size_t> max_pending_bytes = {};
    /// Called once where all workers are forked from, before that: what it loads (a model, a dictionary) they
    /// share, and so do those that take their places. With start_method::spawn each worker calls it; in a
    /// ThreadPool and with 0 processes the constructor does. If it throws or dies, the constructor throws
    /// BootstrapError. It may leave no threads.
    Preload preload = {};
    /// Environment variables of the workers, besides those that the program has; what has std::nullopt for a
    /// value is removed. A worker that is a fresh run of the program has them from its beginning.
    std::vector<std::pair<std::string, std::optional<std::string>>> environment = {};
    /// Where workers start, an existing directory; that of the program if empty.
    std::string working_directory = {};
    /// Threads that OpenMP, OpenBLAS, MKL, BLIS and OpenCV use inside of each worker, 1 or more. By default
    /// the CPUs are divided among the workers, unless the program has set OMP_NUM_THREADS, or told a library
    /// how many it shall use.
    std::optional<int> inner_threads = {};
    /// Where the random numbers of elements begin, see element_seed(); another one in each pool by default.
    std::optional<std::uint64_t> seed = {};
};

/// `Process reader({.name = "reader", .daemon = true}, read_all, files);`
struct ProcessOptions {
    /// Shown in messages; "Process-1" and so on by default.
    std::string name = {};
    /// Whether it is terminated, and not waited for, when its Process object or the program ends.
    bool daemon = false;
    /// How it is born; automatic is what set_start_method() has set, if anything.
    procpool::start_method start_method = procpool::start_method::automatic;
};

/// `pool.map(f, files, {.chunksize = 10});`
struct MapOptions {
    /// Elements that go to a worker together, 1 or more. By default map sends as many as the time that they
    /// take suggests, fewer towards the end; imap's default is 1.
    std::optional<std::ptrdiff_t> chunksize = {};
    /// Time that each element may run in its worker; then the worker is ended and replaced, and the element
    /// fails with TaskTimeout. No limit by default.
    std::optional<std::chrono::nanoseconds> timeout = {};
    /// The same for the CPU time that its worker takes for it, in all threads, but not in processes that it
    /// starts; the element fails with TaskCpuTimeout.
    std::optional<std::chrono::nanoseconds> cpu_timeout = {};
    /// Time after which an element that still runs is asked to stop, see stop_requested(): it may end by
    /// itself before `timeout` ends its worker, and gives what it returns. No limit by default.
    std::optional<std::chrono::nanoseconds> soft_timeout = {};
    /// Times that an element is run again after its worker died or its time was over, 0 or more; or a
    /// RetryPolicy, for delays and a choice of errors.
    Retries retries = 0;
    /// imap only: elements that are pulled from the input and not yet yielded, at the most. By default two
    /// chunks a worker; after 256 results of quick tasks as many as take a millisecond, but at most 4096, and
    /// 256 KiB.
    std::optional<std::ptrdiff_t> buffersize = {};
    /// Whether `retries` are for elements that throw, too.
    bool retry_exceptions = false;
    /// After the first element that failed, those that have not begun are dropped (TaskCancelled).
    bool fail_fast = false;
    /// After so many elements that failed, 1 or more, those that have not begun are dropped (TaskCancelled);
    /// an element that gets another attempt has not failed yet. No limit by default; 1 is fail_fast.
    std::optional<std::uint64_t> max_failures = {};
    /// When a stop is requested the call is cancelled: what has no result gets TaskCancelled, and what runs
    /// is ended.
    std::stop_token stop = {};
    /// Not for imap. Called with each element's index and its value or error when that has come, in no order
    /// and never twice at a time, by a thread of the pool or of a caller; what it throws goes to
    /// PoolOptions::error_handler. The call is done when it has run for all. Elements that end with the call
    /// as a whole, as by cancel(), aren't told. An input of unknown size is read at once.
    std::function<void(const ElementResult&)> on_result = {};
    /// What observers know it by.
    std::string name = {};
    /// Are told of this call, besides those of the pool; see Observer.
    std::vector<std::shared_ptr<Observer>> observers = {};
    /// Shows how far the call is; see progress().
    std::shared_ptr<Observer> progress = {};
    /// Elements of calls with a higher one are given to workers first; what they have got already goes on.
    /// Calls with a lower one still get every eighth turn.
    int priority = 0;
    /// Processes only: where results are kept, and taken from, in later runs; see Journal.
    Journal journal = {};
};

/// `pool.apply_async({.timeout = 2s}, f, args...);`
struct TaskOptions {
    /// Time that the task may run in its worker; then the worker is ended and replaced, and the task fails
    /// with TaskTimeout. No limit by default.
    std::optional<std::chrono::nanoseconds> timeout = {};
    /// The same for the CPU time that its worker takes for it, in all threads, but not in processes that it
    /// starts; the task fails with TaskCpuTimeout.
    std::optional<std::chrono::nanoseconds> cpu_timeout = {};
    /// Time after which the task is asked to stop, see stop_requested(): it may end by itself before
    /// `timeout` ends its worker, and gives what it returns. No limit by default.
    std::optional<std::chrono::nanoseconds> soft_timeout = {};
    /// Times that the task is run again after its worker died or its time was over, 0 or more; or a
    /// RetryPolicy, for delays and a choice of errors.
    Retries retries = 0;
    /// Whether `retries` are for exceptions, too.
    bool retry_exceptions = false;
    /// When a stop is requested the task is cancelled, also while it runs.
    std::stop_token stop = {};
    /// What observers know it by.
    std::string name = {};
    /// Are told of this call, besides those of the pool; see Observer.
    std::vector<std::shared_ptr<Observer>> observers = {};
    /// Calls with a higher one are given to workers first, as with MapOptions::priority.
    int priority = 0;
    /// Processes only: where the result is kept, and taken from, in later runs; see Journal.
    Journal journal = {};
    /// Processes only: calls with the same key run in the same worker as long as it lives, and then in the
    /// one that takes its place; for what a worker has loaded. They wait for that worker, whatever the others
    /// do.
    std::optional<std::uint64_t> key = {};
};

}  // namespace procpool::inline v0_1

#endif
