// SPDX-License-Identifier: MIT
// Births and deaths of workers: what they mean for the pool's jobs, and when others take their places.
#ifndef PROCPOOL_DETAIL_PROCESS_WORKER_TURNOVER_HPP
#define PROCPOOL_DETAIL_PROCESS_WORKER_TURNOVER_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/probes.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/signal.hpp"
#include "procpool/detail/process/current_zygote.hpp"
#include "procpool/detail/process/worker_accounts.hpp"
#include "procpool/detail/process/worker_link.hpp"
#include "procpool/detail/process/worker_notes.hpp"
#include "procpool/detail/process/worker_processes.hpp"
#include "procpool/detail/scheduler/scheduler.hpp"
#include "procpool/detail/zygote/birth.hpp"
#include "procpool/error.hpp"
#include "procpool/statistics.hpp"

namespace procpool::inline v0_1::detail::process {

/// With the pool's lock held.
template <class = only_if_used>
class basic_worker_turnover {
public:
    basic_worker_turnover(scheduler::scheduler& jobs, worker_processes& workers)
        : jobs_(jobs), workers_(workers) {}

    /// @throws what has kept workers from starting
    void require_start() const PROCPOOL_REQUIRES(pool_mutex) {
        if (birth_error_) std::rethrow_exception(birth_error_);
        if (failed_start_ && jobs_.failure() == failed_start_) std::rethrow_exception(failed_start_);
    }

    /// Enters what the zygote tells of births and deaths; the dead are appended to `dying`.
    void read_news(std::vector<worker_link*>& dying) PROCPOOL_REQUIRES(pool_mutex) {
        current_zygote& zygote = workers_.zygote();
        std::vector<std::pair<worker_link*, std::exception_ptr>> not_born;  // and why
        while (const auto report = zygote->next_report()) {
            worker_link& link = workers_.link_in(report->slot);
            if (report->serial != link.serial) {
                // It was given up when it had just been asked for.
                if (report->what == zygote::worker_report::kind::exited)
                    zygote->reap(report->slot, report->serial);
                continue;
            }
            switch (report->what) {
                case zygote::worker_report::kind::zygote_ready:
                case zygote::worker_report::kind::preloaded:
                case zygote::worker_report::kind::preload_failed: break;  // the zygote's own
                case zygote::worker_report::kind::started:
                    link.pid = static_cast<long>(report->pid);
                    link.tell_start();
                    os::probes::worker_start(link.index, link.pid);
                    if (jobs_.observed()) tell_start(*jobs_.observed(), link);
                    workers_.restarts().start();
                    break;
                case zygote::worker_report::kind::fork_failed:
                    not_born.emplace_back(&link, zygote->birth_error(*report));
                    break;
                case zygote::worker_report::kind::exited:
                    if (!link.is_alive()) break;
                    link.die_with(os::status_told(report->code, report->signalled));
                    link.remains = {report->peak_memory, report->out_of_memory,
                                    std::string(zygote->output())};
                    dying.push_back(&link);
                    break;
            }
        }
        if (zygote->gone()) lose_zygote(zygote, dying);
        workers_.expect_other_news();
        for (const auto& [link, error] : not_born)
            if (link->is_alive()) give_up_birth(*link, error);  // else its zygote has ended meanwhile
    }

    /// Settles what a dead worker had; another one will take its place.
    void reap(worker_link& link) PROCPOOL_REQUIRES(pool_mutex) {
        if (const auto wrong = link.collect_remains(jobs_.events().collected()))
            link.find_faulty("its results were garbage: " + *wrong);
        const bool had_started =
            link.work().results() > 0 ||
            (!jobs_.events().initializer() && link.box().told.ready.load(std::memory_order_acquire) != 0);
        const bool was_of_use =
            link.interrupted() || link.work().results() > 0 || link.work().elements() == 0;
        if (had_started && was_of_use)
            workers_.restarts().progress();
        else if (!workers_.has_lost(link))  // the death of its zygote counts once for all of them
            workers_.restarts().failure();
        if (jobs_.events().recover_work_of(link)) why_no_start_ = jobs_.events().initializer_death();
        const WorkerDied::Cause cause{
            .pid = link.told_pid(), .exit_code = link.exit->code, .signal = link.exit->signal};
        const std::string how = os::describe(*link.exit);
        os::probes::worker_end(link.index, link.told_pid());
        if (jobs_.observed()) tell_end(*jobs_.observed(), link);
        accounts_.close(link, has_initializer());
        const std::string preload_problem = workers_.workers_preload() ? why_not_preloaded(link) : "";
        workers_.dismiss(link);
        if (!preload_problem.empty()) {   // in another one it would be the same
            if (jobs_.failure()) return;  // it was
            failed_start_ =
                std::make_exception_ptr(BootstrapError("procpool: the pool's preload " + preload_problem));
            jobs_.fail(failed_start_);
            return;
        }
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

    /// What all workers have done so far.
    std::vector<Statistics::Worker> accounts() const PROCPOOL_REQUIRES(pool_mutex) {
        return accounts_.all(workers_.links(), has_initializer());
    }

private:
    bool has_initializer() const PROCPOOL_REQUIRES(pool_mutex) {
        return jobs_.events().initializer() != nullptr;
    }

    /// Of a dead worker that has run the preload itself; empty if that isn't what it died of.
    static std::string why_not_preloaded(const worker_link& link) {
        if (std::string why = link.preload_problem(); !why.empty()) return why;
        if (link.is_ready() || link.exit->signal == os::kill_signal ||
            !(link.exit->code || link.exit->signal != 0))
            return {};  // it may be somebody else's doing
        return "died: " + os::describe(*link.exit);
    }

    void lose_zygote(const current_zygote& zygote, std::vector<worker_link*>& dying)
        PROCPOOL_REQUIRES(pool_mutex) {
        const auto not_started = zygote.why_not_started(workers_.how());
        workers_.lose_zygote(dying);
        if (!not_started) return;
        failed_start_ = why_no_start_ = not_started->error;
        if (not_started->for_good) jobs_.fail(failed_start_);
    }

    void give_up_birth(worker_link& link, const std::exception_ptr& error) PROCPOOL_REQUIRES(pool_mutex) {
        birth_error_ = error;
        jobs_.events().requeue_work_of(link);
        workers_.dismiss(link);
        workers_.restarts().failed_start();
        if (workers_.restarts().exhausted())
            jobs_.fail(error);
        else
            workers_.restarts().postpone(std::chrono::steady_clock::now());
    }

    scheduler::scheduler& jobs_;
    worker_processes& workers_;
    std::exception_ptr failed_start_;  // of a zygote
    std::exception_ptr why_no_start_;  // that, or a death in an initializer, whichever was last
    std::exception_ptr birth_error_;   // of a worker that could not be started
    worker_accounts accounts_;
    // When a thread of the program must have come for the zygote.
    steady_time program_due_ = steady_time::max();
};
using worker_turnover = basic_worker_turnover<>;

}  // namespace procpool::inline v0_1::detail::process

#endif
