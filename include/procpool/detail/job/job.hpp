// SPDX-License-Identifier: MIT
// A call of the pool: its elements are submitted, each gets one result, and then it is done.
#ifndef PROCPOOL_DETAIL_JOB_JOB_HPP
#define PROCPOOL_DETAIL_JOB_JOB_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/assert.hpp"
#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/mutex.hpp"

namespace procpool::inline v0_1 {
struct RetryPolicy;
}

namespace procpool::inline v0_1::detail::job {

struct observed_call;
class facts_keeper;
class pending_calls;

/// Is told when jobs are settled that it observes.
class observer {
public:
    /// It only takes a note.
    virtual void settled() noexcept PROCPOOL_REQUIRES(pool_mutex) = 0;

protected:
    ~observer() = default;
};

class basic_job;
class element_callbacks;

/// Callbacks that wait for the end of a job, or of a part of it. Who adds the first has them put into a list
/// of their own: so at that end, for want of memory perhaps, they go into other lists without taking any.
struct ending {
    std::vector<std::function<void()>> callbacks;
    std::function<void()> when_they_ran;    // with the mutex; throws nothing
    std::shared_ptr<basic_job> owner = {};  // of what that refers to; once the end has come
};

/// The part of a job that knows neither types nor where tasks run.
///
/// All state is guarded by the backend's mutex. fail() and the derived classes' ways to store a value are
/// called by one thread at a time, without the mutex; publish() then makes these results visible.
class basic_job {
public:
    basic_job() = default;
    basic_job(const basic_job&) = delete;
    basic_job& operator=(const basic_job&) = delete;
    PROCPOOL_COMPILED_APART virtual ~basic_job();

    /// Element `index` has failed.
    virtual void fail(std::uint64_t index, std::exception_ptr error) = 0;

    /// Elements [first, first + count) have their results.
    virtual void publish(std::uint64_t first, std::uint64_t count) {
        completed_ += count;
        if (each && count > 0) tell_each(first, count);
    }

    /// The job as a whole has failed: elements without a result won't get one.
    void fail_all(std::exception_ptr error);

    /// Elements were handed over.
    void add_submitted(std::uint64_t count) noexcept { submitted_ += count; }
    /// No more elements will come.
    void seal() noexcept { reach(phase::sealed); }

    std::uint64_t submitted() const noexcept { return submitted_; }
    const std::exception_ptr& failure() const noexcept { return failure_; }
    bool sealed() const noexcept { return phase_ >= phase::sealed; }

    /// Nothing is left to happen, apart from callbacks.
    bool complete() const noexcept {
        return sealed() && !delivering_ && (failure_ != nullptr || has_all_results());
    }
    /// Of the elements that were submitted so far.
    bool has_all_results() const noexcept { return completed_ == submitted_; }

    /// Results are complete and callbacks have run: a waiter may check.
    bool done() const noexcept { return phase_ == phase::done; }
    void set_done() noexcept {
        PROCPOOL_ASSERT(settled());
        reach(phase::done);
    }

    /// While results are being stored the job is not complete, whatever else happens to it.
    bool delivering() const noexcept { return delivering_ > 0; }
    void begin_delivery() noexcept { ++delivering_; }
    void end_delivery() noexcept { --delivering_; }

    /// Runs `callback` when the job is complete; false if it is already, and the caller must run it.
    bool add_callback(std::function<void()> callback);
    /// What is over, though the job as a whole may be not; who runs the job takes it from here.
    std::list<ending>& due_callbacks() noexcept { return due_callbacks_; }

    /// It is complete, and notice is taken: observers are told, callbacks are due.
    PROCPOOL_COMPILED_APART virtual void settle() noexcept PROCPOOL_REQUIRES(pool_mutex);
    /// Results are complete, and were taken notice of; callbacks may still be to run, which see it like that.
    bool settled() const noexcept { return phase_ >= phase::settled; }
    /// Tells `one` when the job is settled, which it isn't yet. It must live until then, or be dropped.
    void observe(observer& one) PROCPOOL_REQUIRES(pool_mutex);
    void drop(observer& one) noexcept PROCPOOL_REQUIRES(pool_mutex);

    /// Elements have failed for good. @return whether those that have not begun shall be dropped
    bool note_failures(std::uint64_t count) noexcept {
        if (max_failures == unknown || failures >= max_failures) return false;
        failures += count;
        return failures >= max_failures;
    }
    /// Whether so many more would do that.
    bool is_limit_of_failures(std::uint64_t more) const noexcept {
        return more > 0 && max_failures != unknown && failures + more >= max_failures;
    }
    /// Why they are dropped.
    std::string why_dropped() const;

    static constexpr std::uint64_t unknown = ~std::uint64_t{0};

    // How its elements are run, and where it stands; the pool's, guarded by its mutex.
    std::uint64_t chunk = 1;     // elements that go to a worker together, at the least
    std::uint64_t expected = 0;  // elements that are still to be submitted, as far as known
    std::uint32_t retries = 0;
    int priority = 0;  // the highest comes first
    bool retry_exceptions = false;
    std::shared_ptr<const RetryPolicy> retry_policy;  // null if they are made at once, whatever the error
    std::uint64_t max_failures = unknown;             // with the last of them, what has not begun is dropped
    std::uint64_t failures = 0;     // elements that have failed for good, if there is such a limit
    bool fail_fast = false;         // it is 1 for that reason
    facts_keeper* facts = nullptr;  // where those of elements are kept; part of it, or null
    bool borrows = false;    // refers to what the caller has; so it isn't complete while any of it runs
    bool abandoned = false;  // nobody wants the results any more
    std::uint64_t ready_elements = 0;               // that no worker has got yet
    std::vector<std::shared_ptr<const void>> pins;  // what must live until it is complete
    std::size_t place = 0;                          // among the pool's jobs
    /// What is told of each element, if anything; the job isn't complete before.
    std::shared_ptr<element_callbacks> each;
    std::uint64_t announced = unknown;       // elements that it will have
    pending_calls* pending_among = nullptr;  // null if nobody counts it
    std::uint64_t pending_bytes = 0;
    std::shared_ptr<observed_call> observed;  // what its observers are told; null if it has none

protected:
    std::list<ending> due_callbacks_;

private:
    void tell_each(std::uint64_t first, std::uint64_t count);

    std::uint64_t submitted_ = 0;
    std::uint64_t completed_ = 0;
    unsigned delivering_ = 0;
    /// It only goes on.
    enum class phase : std::uint8_t {
        open,     ///< elements come
        sealed,   ///< no more come; results do
        settled,  ///< it has all its results, or has failed; callbacks run
        done,
    };
    void reach(phase next) noexcept {
        if (phase_ < next) phase_ = next;
    }
    phase phase_ = phase::open;
    std::exception_ptr failure_;
    std::list<ending> callbacks_;
    std::vector<observer*> observers_;
};

}  // namespace procpool::inline v0_1::detail::job

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/job/job_impl.hpp"
#endif

#endif
