// SPDX-License-Identifier: MIT
// Births and deaths of workers: what they mean for the pool's jobs, and when others take their places.
#ifndef PROCPOOL_DETAIL_PROCESS_WORKER_TURNOVER_HPP
#define PROCPOOL_DETAIL_PROCESS_WORKER_TURNOVER_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <string>
#include <system_error>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/process/worker_link.hpp"
#include "procpool/detail/process/worker_processes.hpp"
#include "procpool/detail/scheduler/scheduler.hpp"
#include "procpool/error.hpp"

namespace procpool::detail::process {

/// With the pool's lock held.
template <class = only_if_used>
class basic_worker_turnover {
public:
    basic_worker_turnover(scheduler::scheduler& jobs, worker_processes& workers)
        : jobs_(jobs), workers_(workers) {}

    /// @throws what has kept workers from starting
    void require_start() const PROCPOOL_REQUIRES(pool_mutex) {
        if (fork_error_ != 0) os::throw_system_error(fork_error_, "fork (a worker)");
        if (failed_start_ && jobs_.failure() == failed_start_) std::rethrow_exception(failed_start_);
    }

    /// Enters what the zygote tells of births and deaths; the dead are appended to `dying`.
    void read_news(std::vector<worker_link*>& dying) PROCPOOL_REQUIRES(pool_mutex) {
        const auto news = workers_.read_news();
        if (news.failed_start) failed_start_ = why_no_start_ = news.failed_start;
        if (news.for_good) jobs_.fail(failed_start_);
        dying.insert(dying.end(), news.ended.begin(), news.ended.end());
        for (const auto& [link, error] : news.not_forked) {
            if (!link->is_alive()) continue;  // its zygote has ended meanwhile
            fork_error_ = error;
            jobs_.requeue_work_of(*link);
            workers_.dismiss(*link);
            workers_.restarts().failed_start();
            if (workers_.restarts().exhausted())
                jobs_.fail(std::make_exception_ptr(std::system_error(error, std::generic_category(),
                                                                     "procpool: can't start workers: fork")));
            else
                workers_.launch_later();
        }
    }

    /// Settles what a dead worker had; another one will take its place.
    void reap(worker_link& link) PROCPOOL_REQUIRES(pool_mutex) {
        if (const auto wrong = link.collect_remains(jobs_.collected()))
            link.find_faulty("its results were garbage: " + *wrong);
        const bool had_started =
            link.work().results() > 0 ||
            (!jobs_.initializer() && link.box().told.ready.load(std::memory_order_acquire) != 0);
        const bool was_of_use =
            link.interrupted() || link.work().results() > 0 || link.work().elements() == 0;
        if (had_started && was_of_use)
            workers_.restarts().progress();
        else if (!workers_.has_lost(link))  // the death of its zygote counts once for all of them
            workers_.restarts().failure();
        if (jobs_.recover_work_of(link)) why_no_start_ = jobs_.initializer_death();
        const WorkerDied::Cause cause{
            .pid = link.told_pid(), .exit_code = link.exit->code, .signal = link.exit->signal};
        const std::string how = os::describe(*link.exit);
        workers_.dismiss(link);
        if (!workers_.restarts().exhausted()) return;
        std::exception_ptr why = why_no_start_;
        if (!why)
            why = std::make_exception_ptr(
                WorkerDied("procpool: workers die before they can run anything: " + how, cause));
        jobs_.fail(why);
    }

    /// A fork in this thread could copy locks that the program holds. A thread of its own will come for the
    /// zygote; nobody misses it before that, unless calls are pending and it doesn't come.
    bool leaves_zygote_to_program(bool in_own_thread, bool calls_pend, bool comes_soon) {
        if (!workers_.lacks_zygote() || !workers_.forks_alone() || !in_own_thread) return false;
        const bool nobody_misses_it = !calls_pend || comes_soon;
        program_due_ = nobody_misses_it ? steady_time::max()
                                        : std::min(program_due_, deadline_in(std::chrono::seconds(1)));
        return std::chrono::steady_clock::now() < program_due_;
    }

    /// There is a zygote.
    void stop_waiting_for_program() noexcept { program_due_ = steady_time::max(); }

private:
    scheduler::scheduler& jobs_;
    worker_processes& workers_;
    std::exception_ptr failed_start_;  // of a zygote
    std::exception_ptr why_no_start_;  // that, or a death in an initializer, whichever was last
    int fork_error_ = 0;
    // When a thread of the program must have come for the zygote.
    steady_time program_due_ = steady_time::max();
};
using worker_turnover = basic_worker_turnover<>;

}  // namespace procpool::detail::process

#endif
