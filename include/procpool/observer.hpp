// SPDX-License-Identifier: MIT
// Observer: is told what a pool does, call by call and element by element.
#ifndef PROCPOOL_OBSERVER_HPP
#define PROCPOOL_OBSERVER_HPP

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <limits>
#include <optional>
#include <span>
#include <string>

namespace procpool::inline v0_1 {

namespace detail::job {
struct observer_access;
}

/// A call of a pool: a map(), an apply(), the whole of an imap(). Single calls of one function that are made
/// one after the other may be told as one call of several elements, since they travel together.
struct CallInfo {
    std::uint64_t pool = 0;  ///< tells the program's pools apart
    std::uint64_t id = 0;    ///< tells the program's calls apart
    std::string name = {};   ///< MapOptions::name or TaskOptions::name; empty if it has none
    /// How many elements it has; nothing if that isn't known when it begins.
    std::optional<std::uint64_t> elements = {};
    std::chrono::steady_clock::time_point begun = {};
};

/// How a call came to its end.
struct CallEnd {
    std::uint64_t succeeded = 0;    ///< elements that have a result
    std::uint64_t failed = 0;       ///< elements that have an error of their own
    std::exception_ptr error = {};  ///< of the call as a whole: it was cancelled, or its pool failed
    std::chrono::steady_clock::time_point ended = {};
};

/// Elements on their way to a worker. What is taken back from a slow worker is told again when another gets
/// it. A ThreadPool gives nothing ahead, and tells nothing of this.
struct ElementsGiven {
    std::uint32_t worker = 0;
    std::uint64_t first = 0;  ///< index of the first in the call's input
    std::uint64_t count = 0;
    std::uint64_t in_worker = 0;  ///< that the worker has now, those of other calls included
    std::uint64_t waiting = 0;    ///< of the call that no worker has yet
    std::chrono::steady_clock::time_point when = {};
};

/// An element that a worker has begun.
struct ElementBegin {
    std::uint64_t index = 0;  ///< in the call's input
    std::uint32_t worker = 0;
    std::uint32_t attempt = 1;
    std::chrono::steady_clock::time_point begun = {};
};

/// What became of an element.
enum class element_outcome : std::uint8_t {
    returned,     ///< it has a result
    threw,        ///< it has thrown an exception
    worker_died,  ///< its worker died while it ran
    timed_out,    ///< it has exceeded its time limit, and its worker was ended
    cancelled,    ///< nobody wanted it any more: it was ended, or never begun
    not_sent,     ///< its arguments couldn't be encoded
    given_up      ///< it was not run, since it has killed its worker in earlier calls; see Journal
};

/// An element's end. Times are the worker's own.
struct ElementEnd {
    std::uint64_t index = 0;  ///< in the call's input
    /// Which worker ran it; nothing if none did: it failed before, or its result was in a journal.
    std::optional<std::uint32_t> worker = {};
    std::uint32_t attempt = 1;
    element_outcome outcome = element_outcome::returned;
    bool runs_again = false;  ///< it failed and gets another attempt
    std::chrono::steady_clock::time_point begun = {};
    std::chrono::steady_clock::time_point ended = {};
    /// Bytes of its arguments as encoded; 0 in a ThreadPool. Large parts in shared memory count if they are
    /// all that there is, as an array or a string.
    std::uint64_t argument_bytes = 0;
    std::uint64_t result_bytes = 0;  ///< the same of its result
    /// Its arguments as WorkerDied::what() has them, if it took as long as Observer::set_text_from() says.
    std::string arguments = {};

    std::chrono::nanoseconds run_time() const noexcept { return ended - begun; }
};

/// A worker that can take work.
struct WorkerStart {
    std::uint64_t pool = 0;
    std::uint32_t index = 0;
    long pid = 0;                                      ///< 0 for a thread
    std::chrono::steady_clock::time_point asked = {};  ///< when the pool asked for it
    std::chrono::steady_clock::time_point began = {};  ///< when it began to wait for work
};

/// Why a worker is gone.
enum class worker_end : std::uint8_t {
    finished,   ///< it had run as many elements, or had grown as much, as it may
    died,       ///< it crashed, was killed from outside, or ended itself
    ended,      ///< the pool has ended it: its element took too long or was cancelled, or it was corrupt
    pool_ended  ///< with its pool
};

/// A worker's end.
struct WorkerEnd {
    std::uint64_t pool = 0;
    std::uint32_t index = 0;
    long pid = 0;  ///< 0 for a thread
    worker_end reason = worker_end::pool_ended;
    std::string how = {};           ///< "killed by signal 11 (Segmentation fault)"; empty if it isn't known
    std::uint64_t peak_memory = 0;  ///< bytes; 0 if it isn't known
    std::chrono::steady_clock::time_point ended = {};
};

/// Is told what a pool does: register one by PoolOptions::observers, BasicPool::add_observer(), or for one
/// call by MapOptions::observers and TaskOptions::observers. Derive, and override what is of interest.
///
/// A call's begin is told first and its end last; each element's begin before its end, at the latest together
/// with it: quick elements are told in batches. When a call returns or its result is ready, its own end was
/// told. Observers of a call are told of workers while it lasts.
///
/// One pool's events are told one after the other, by whatever thread drives the pool, without its lock: an
/// observer may ask the pool and submit calls, which are not observed. It holds up no worker, but the end of
/// calls. If one throws it is told nothing any more, and the error goes where callbacks' errors go
/// (PoolOptions::error_handler). An observer that several pools have is called by several threads at once.
class Observer {
public:
    Observer() = default;
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;
    virtual ~Observer() = default;

    virtual void call_begins(const CallInfo& /*call*/) {}
    virtual void elements_given(const CallInfo& /*call*/, const ElementsGiven& /*some*/) {}
    /// At least one, in the order in which it became known.
    virtual void elements_begin(const CallInfo& /*call*/, std::span<const ElementBegin> /*some*/) {}
    virtual void elements_end(const CallInfo& /*call*/, std::span<const ElementEnd> /*some*/) {}
    virtual void call_ends(const CallInfo& /*call*/, const CallEnd& /*end*/) {}

    virtual void worker_starts(const WorkerStart& /*start*/) {}
    virtual void worker_ends(const WorkerEnd& /*end*/) {}

protected:
    /// Elements that run for so long or longer are told with their arguments as text, which costs about half
    /// a microsecond each. 1 ms by default. May be called at any time.
    void set_text_from(std::chrono::nanoseconds run_time) noexcept {
        text_from_.store(run_time.count(), std::memory_order_relaxed);
    }
    /// No texts.
    static constexpr std::chrono::nanoseconds never = std::chrono::nanoseconds::max();

private:
    friend struct detail::job::observer_access;
    std::atomic<std::int64_t> text_from_{1'000'000};
};

}  // namespace procpool::inline v0_1

#endif
