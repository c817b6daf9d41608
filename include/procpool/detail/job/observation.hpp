// SPDX-License-Identifier: MIT
// What a pool's observers are still to be told, and who tells them.
//
// Whoever has the pool's lock enters events, which takes next to no time; a thread that has none of it tells
// them, in the order in which they were entered, one thread at a time.
#ifndef PROCPOOL_DETAIL_JOB_OBSERVATION_HPP
#define PROCPOOL_DETAIL_JOB_OBSERVATION_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/callback_runner.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/job/observed_call.hpp"
#include "procpool/detail/job/pool_lock.hpp"
#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/job/statistics_keeper.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/observer.hpp"
#include "procpool/statistics.hpp"

namespace procpool::inline v0_1::detail::job {

/// With the pool's lock held. Where memory is out events are lost; nothing else fails for that.
class observation {
public:
    observation();
    observation(const observation&) = delete;
    observation& operator=(const observation&) = delete;

    std::uint64_t pool() const noexcept { return pool_; }
    bool quotes_arguments = true;  // in texts
    /// It is told of all that begins from now on.
    void add(std::shared_ptr<Observer> one);

    /// It is one of the observers.
    void keep_statistics(std::size_t workers);
    /// Null if there is none.
    const std::shared_ptr<statistics_keeper>& keeper() const noexcept { return keeper_; }
    /// What is known of elements.
    void add_statistics(Statistics& to) const;

    // ---- events

    /// The job is about to get elements. Its end waits until observers were told of it. It isn't observed
    /// after all if nobody is left to be told, or an observer makes the call.
    void begin(basic_job& job);
    /// It is complete.
    void end(basic_job& job) noexcept;

    void note(const std::shared_ptr<observed_call>& call, const ElementsGiven& some) noexcept;
    void note(const std::shared_ptr<observed_call>& call, const ElementBegin& one) noexcept;
    /// Elements that have come to an end, in the order of their ends; those among them that nobody knows to
    /// have begun begin now, too.
    class ends;

    void note(WorkerStart start) noexcept;
    void note(WorkerEnd end) noexcept;

    // ---- telling

    /// Whether there is something that this thread could tell.
    bool has_events() const noexcept { return !telling_ && !next_.order.empty(); }
    /// Whether ends of calls wait for another thread, that tells of them.
    bool holds_back_ends() const noexcept { return telling_ && !teller_waits_; }
    /// Tells all that there is, unless some thread does already. Lets the lock go meanwhile.
    void tell(pool_lock& held, const callback_runner& runner) PROCPOOL_REQUIRES(pool_mutex);
    /// Whether this thread is in an observer's function.
    bool is_told_here() const noexcept { return telling_ && teller_ == std::this_thread::get_id(); }
    /// This thread waits for the pool. If it is in an observer's function, what it waits for may be held
    /// back by that.
    void note_wait() noexcept {
        if (is_told_here()) teller_waits_ = true;
    }

private:
    enum class kind : std::uint8_t {
        call_begins,
        given,
        begins,
        ends,
        call_ends,
        worker_starts,
        worker_ends
    };
    struct event {
        kind what;
        std::shared_ptr<observed_call> call;  // none for a worker's
        std::size_t count;                    // of the records of that kind that follow
    };
    template <class Record>
    struct of_worker {
        Record record;
        observer_seats told;
    };
    struct events {
        std::vector<event> order;
        std::vector<ElementsGiven> given;
        std::vector<ElementBegin> begins;
        std::vector<ElementEnd> ends;
        std::vector<CallEnd> call_ends;
        std::vector<of_worker<WorkerStart>> worker_starts;
        std::vector<of_worker<WorkerEnd>> worker_ends;
        void clear() noexcept;
    };

    void count(kind what, const std::shared_ptr<observed_call>& call, std::size_t records) noexcept;
    observer_seats of_workers() const;
    static void tell_all(const events& some, const callback_runner& runner) noexcept;

    const std::uint64_t pool_;
    observer_seats seats_;
    std::shared_ptr<statistics_keeper> keeper_;
    std::vector<std::shared_ptr<observed_call>>
        with_own_;  // calls that go on and have observers of their own
    events next_;
    events now_;  // is being told
    bool telling_ = false;
    bool teller_waits_ = false;
    std::thread::id teller_;
};

/// An element's end that is not told yet, and whether its begin is to be told with it.
struct told_end {
    ElementEnd end;
    bool begins = false;
};

/// Of a job of the pool.
void begin_call(runner& pool, basic_job& job) PROCPOOL_REQUIRES(pool_mutex);
/// Whether callbacks wait, since another thread is telling observers of the ends of their jobs.
inline bool callbacks_wait(const runner& pool) noexcept PROCPOOL_REQUIRES(pool_mutex) {
    return pool.observed() && pool.observed()->holds_back_ends();
}

/// Collects records of one call.
class observation::ends {
public:
    /// Of `elements` at the most.
    ends(const std::shared_ptr<observed_call>& call, std::size_t elements) noexcept;
    ends(const ends&) = delete;
    ends& operator=(const ends&) = delete;
    ~ends();

    /// There is no memory, or the call is over: nothing is to be added.
    bool are_lost() const noexcept { return !to_; }
    /// From which run time on texts are wanted, in ns.
    std::int64_t text_from() const noexcept { return text_from_; }

    void begin(const ElementBegin& one) noexcept {
        to_->next_.begins.push_back(one);  // there is room
        ++begun_;
    }
    void end(ElementEnd&& one) noexcept {
        if (one.outcome == element_outcome::returned)
            ++call_->succeeded;
        else if (!one.runs_again)
            ++call_->failed;
        to_->next_.ends.push_back(std::move(one));
        ++ended_;
    }

private:
    const std::shared_ptr<observed_call>& call_;
    observation* to_;
    std::int64_t text_from_ = 0;
    std::size_t begun_ = 0;
    std::size_t ended_ = 0;
};

}  // namespace procpool::inline v0_1::detail::job

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/job/observation_impl.hpp"
#endif

#endif
