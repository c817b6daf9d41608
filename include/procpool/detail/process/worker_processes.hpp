// SPDX-License-Identifier: MIT
// The workers of a pool as processes: their zygote, their birth, the news of their death.
#ifndef PROCPOOL_DETAIL_PROCESS_WORKER_PROCESSES_HPP
#define PROCPOOL_DETAIL_PROCESS_WORKER_PROCESSES_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/pool_lock.hpp"
#include "procpool/detail/job/unlocked.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/event.hpp"
#include "procpool/detail/os/orphans.hpp"
#include "procpool/detail/os/poller.hpp"
#include "procpool/detail/os/readable.hpp"
#include "procpool/detail/process/pool_memory.hpp"
#include "procpool/detail/process/post_mortem.hpp"
#include "procpool/detail/process/worker_link.hpp"
#include "procpool/detail/process/worker_process_options.hpp"
#include "procpool/detail/scheduler/peer.hpp"
#include "procpool/detail/scheduler/restart_policy.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "procpool/detail/worker/loop.hpp"
#include "procpool/detail/zygote/start_check.hpp"
#include "procpool/detail/zygote/zygote.hpp"
#include "procpool/options.hpp"

namespace procpool::detail::process {

/// Knows nothing of what the workers work on, apart from the initializer.
template <class = only_if_used>
class basic_worker_processes final : public scheduler::peer_group {
public:
    /// What poller() watches: `interruption`, the zygote, and for each worker its result pipe, and its task
    /// pipe while that is full.
    static constexpr std::uint64_t key_interruption = ~std::uint64_t{0};
    static constexpr std::uint64_t key_zygote = key_interruption - 1;
    static bool is_results_key(std::uint64_t key) noexcept { return key % 2 == 0; }

    /// Who doesn't look at poller() is told by `watch`, under `key_end`, that a worker's result pipe has
    /// ended: its zygote may be stopped, and have no news of that.
    basic_worker_processes(worker_process_options options, const os::event& interruption, os::poller& watch,
                           std::uint64_t key_end)
        : watch_(watch),
          key_end_(key_end),
          options_(std::move(options)),
          memory_(options_.count, options_.arena_limit),
          links_(options_.count),
          restarts_(options_.count, options_.restart_limit) {
        for (worker_link& link : links_) peers_.push_back(&link);
        poller_.add(interruption.file(), os::poller::interest::read, key_interruption);
        options_.settings.arenas = memory_.layout();
        options_.settings.slot_bytes = worker::slot_memory;
        share_arguments(options_.initializer_arguments, memory_.arguments());
        // Made now: a child that another thread forks while it is being made could never use it.
        wire::exception_registry::instance();
        take(make_zygote());
    }

    os::poller& poller() noexcept { return poller_; }
    pool_memory& memory() noexcept { return memory_; }
    std::vector<worker_link>& links() noexcept { return links_; }
    const std::vector<worker_link>& links() const noexcept { return links_; }
    worker_link& link_of(std::uint64_t key) noexcept { return links_[key / 2]; }
    static worker_link& link_of(scheduler::peer& one) noexcept { return static_cast<worker_link&>(one); }
    const std::shared_ptr<scheduler::remote_job>& initializer() const noexcept {
        return options_.initializer;
    }
    scheduler::restart_policy& restarts() noexcept { return restarts_; }
    /// Readable when there is news; empty while there is no zygote.
    const os::fd& news() const noexcept { return zygote_ ? zygote_->control() : no_news_; }

    void launch_all() {
        for (worker_link& link : links_) launch(link);
    }

    /// Puts new workers in the places of missing ones, and a new zygote in that of a dead one, now or when it
    /// is time for that. What can't be started is tried again after a while. `in_own_thread`: no thread of
    /// the program calls this.
    /// @return whether news() is another one
    /// @throws why nothing can be started, after too many tries
    bool launch_missing(job::pool_lock& held, bool in_own_thread) PROCPOOL_REQUIRES(pool_mutex) {
        const auto now = std::chrono::steady_clock::now();
        if (!launch_at_) launch_at_ = now + restarts_.delay();
        if (now < *launch_at_) return false;
        launch_at_.reset();
        const bool had_zygote = zygote_ != nullptr;
        if (!had_zygote && forks_alone()) zygote::require_no_threads_to_replace_zygote(in_own_thread);
        try {
            if (!had_zygote) {
                std::unique_ptr<zygote::zygote> next;
                {
                    const job::unlocked meanwhile(
                        held);  // for hooks, and since a large program takes its time
                    next = make_zygote();
                }
                take(std::move(next));
            }
            for (worker_link& link : links_)
                if (link.is(peer_state::absent)) launch(link);
        } catch (...) {
            restarts_.failed_start();
            if (restarts_.exhausted()) throw;
            launch_later();
        }
        return zygote_ && !had_zygote;
    }
    /// Whether it is dead and not yet replaced.
    bool lacks_zygote() const noexcept { return !zygote_; }
    /// Whether only a thread of the program may replace it, and only if that is the program's only one.
    bool forks_alone() const noexcept {
        return options_.start_left_open && options_.settings.how == start_method::fork;
    }
    /// When launch_missing() is to be called; nothing if nobody is missing.
    const std::optional<steady_time>& launch_at() const noexcept { return launch_at_; }
    void launch_no_more() noexcept { launch_at_.reset(); }

    // ---- what the scheduler asks

    void send(scheduler::peer& to) override {
        worker_link& link = link_of(to);
        if (!link.tasks()) return;
        const bool all = link.write();
        if (all == !link.watching_tasks) return;
        if (all)
            poller_.remove(link.tasks());
        else
            poller_.add(link.tasks(), os::poller::interest::write, key_results(link) + 1);
        link.watching_tasks = !all;
    }

    /// Of one whose zygote is gone nothing is left to be signalled.
    void end(scheduler::peer& which, ending how) override {
        const worker_link& link = link_of(which);
        if (has_lost(link)) return;
        zygote_->signal(slot_of(link), link.serial, link.pid, how == ending::asked ? SIGTERM : SIGKILL);
        expect_news();
    }

    void forget(const scheduler::remote_job& job, bool refers) override {
        for (worker_link& link : links_) {
            link.forget(job.id);
            // What it is bound to, a SharedArray for instance, would otherwise stay until the next job.
            if (refers && link.can_work() && link.send_forgotten()) send(link);
        }
    }

    scheduler::death examine(scheduler::peer& dead, const scheduler::runs_in_flight::running& interrupted,
                             const scheduler::block& element) override {
        const post_mortem found(link_of(dead), interrupted, element, options_.quote_arguments);
        return {found.how(), found.error()};
    }

    // ---- ends

    /// Nothing more is read from it: it is dead, or must die. True if it is known how it ended.
    bool stop_reading(worker_link& link) {
        poller_.remove(link.results());
        if (link.is(peer_state::dead)) return true;
        if (has_lost(link)) {  // its zygote is gone, and with it the news of how it ended
            die(link, {});
            return true;
        }
        link.drain();
        expect_news();
        return false;
    }
    /// Nobody tells how it ended.
    static void die_untold(worker_link& link) { die(link, {}); }

    /// It has run all that it may.
    void end_input(worker_link& link) {
        link.end_input();
        // If the zygote is stopped while it still holds the worker's pipe, nothing else tells of the end.
        expect_news();
    }

    /// When check_zygote() is to be called.
    steady_time zygote_due() const noexcept { return zygote_due_; }
    /// A zygote that owes news may have been stopped.
    void check_zygote() {
        if (std::chrono::steady_clock::now() < zygote_due_) return;
        zygote_due_ = steady_time::max();
        if (!awaits_news()) return;
        zygote_->rouse();
        expect_news();
    }

    // ---- memory that is kept for the next large arguments and results

    bool keeps_memory() const noexcept { return memory_.is_kept(); }
    /// Gives it back; those workers that are busy keep theirs.
    void trim() {
        memory_.trim_arguments();
        for (worker_link& link : links_)
            if (link.has_started() && link.is_alive() && link.send_trim()) send(link);
    }

    struct news_read {
        std::vector<worker_link*> ended;                       // dead; their remains are still to be taken
        std::vector<std::pair<worker_link*, int>> not_forked;  // with the error number
        std::exception_ptr failed_start;                       // of a zygote
        bool for_good = false;                                 // another would fail like it
    };
    news_read read_news() {
        news_read result;
        while (const auto report = zygote_->next_report()) {
            worker_link& link = links_[report->slot];
            if (report->serial != link.serial) {
                // It was given up when it had just been asked for.
                if (report->what == zygote::worker_report::kind::exited)
                    zygote_->reap(report->slot, report->serial);
                continue;
            }
            switch (report->what) {
                case zygote::worker_report::kind::zygote_ready: break;
                case zygote::worker_report::kind::started:
                    link.pid = static_cast<long>(report->pid);
                    link.tell_start();
                    restarts_.start();
                    break;
                case zygote::worker_report::kind::fork_failed:
                    result.not_forked.emplace_back(&link, report->code);
                    break;
                case zygote::worker_report::kind::exited:
                    if (!link.is_alive()) break;
                    die(link, report->signalled ? os::exit_status{{}, report->code}
                                                : os::exit_status{report->code, 0});
                    link.remains = {report->peak_memory, report->out_of_memory,
                                    std::string(zygote_->output())};
                    result.ended.push_back(&link);
                    break;
            }
        }
        if (zygote_->gone()) {
            if (const auto how = zygote_->failed_start()) {
                result.failed_start = std::make_exception_ptr(
                    BootstrapError("procpool: no worker could be started: " +
                                   zygote::end_of_zygote(options_.settings.how, *how)));
                // One that ended by itself: another would do so, too, and until then do what the program
                // does.
                result.for_good = how->code.has_value();
            }
            lose_zygote(result.ended);
        }
        if (!awaits_news()) zygote_due_ = steady_time::max();
        return result;
    }

    /// Lets go of a worker that is dead or was never born.
    void dismiss(worker_link& link) {
        if (has_lost(link)) {
            --lost_;
            bury_untold(link);
        } else if (link.is(peer_state::dead))
            zygote_->reap(slot_of(link), link.serial);
        let_go(link);
    }
    /// To be called when what is missing may come back only after a while.
    void launch_later() { launch_at_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(100); }

    /// Whether workers died with their zygote and are still to be dismissed.
    bool has_lost() const noexcept { return lost_ > 0; }
    /// Whether this one did.
    bool has_lost(const worker_link& link) const noexcept { return link.zygote != zygote_number_; }

    /// Whether no worker has anything to do, its initializer included.
    bool is_idle() const noexcept {
        return std::all_of(links_.begin(), links_.end(),
                           [](const worker_link& link) { return link.work().elements() == 0; });
    }
    /// Lets idle workers leave at the end of their input; true if all workers are idle.
    bool disconnect() noexcept {
        const bool idle = is_idle();
        for (worker_link& link : links_)
            if (is_untold(link))
                link.end_input();
            else
                link.disconnect();
        return idle;
    }
    /// Takes the zygote out, to end it and what is left of the workers.
    std::unique_ptr<zygote::zygote> take_zygote() noexcept { return std::move(zygote_); }
    /// To be called when all workers are disconnected and the zygote has ended: it may have been killed.
    void bury_untold() noexcept {
        zygote_lost_at_ = os::known_now(0).known_at;
        const steady_time until = deadline_in(std::chrono::seconds(1));
        for (worker_link& link : links_) {
            if (!is_untold(link)) continue;
            // If there is one, it has said which process it is when its pipe ends.
            try {
                if (link.results() && os::wait_readable(link.results().get(), until)) bury_untold(link);
            } catch (const std::exception&) {  // then it stays
            }
            link.disconnect();
        }
    }

private:
    using peer_state = scheduler::peer_state;

    static void die(worker_link& link, const os::exit_status& how) {
        link.exit = how;
        link.die();
    }

    std::uint32_t slot_of(const worker_link& link) const noexcept {
        return static_cast<std::uint32_t>(&link - links_.data());
    }
    std::uint64_t key_results(const worker_link& link) const noexcept {
        return 2 * std::uint64_t{slot_of(link)};
    }

    std::unique_ptr<zygote::zygote> make_zygote() const {
        return std::make_unique<zygote::zygote>(memory_.file(), &worker::main<>, options_.settings,
                                                signal_mask_);
    }
    void take(std::unique_ptr<zygote::zygote> next) {
        poller_.add(next->control(), os::poller::interest::read, key_zygote);
        zygote_ = std::move(next);
    }

    /// The workers died with their zygote; each is buried when its pipe has ended.
    void lose_zygote(std::vector<worker_link*>& ended) {
        poller_.remove(zygote_->control());
        zygote_.reset();
        zygote_lost_at_ = os::known_now(0).known_at;
        ++zygote_number_;
        restarts_.failure();
        lost_ = 0;
        for (worker_link& link : links_) {
            if (link.is(peer_state::absent)) continue;
            ++lost_;
            if (link.is(peer_state::dead) || !link.results_ended) continue;
            die(link, {});
            ended.push_back(&link);
        }
        launch_at_ = std::chrono::steady_clock::now() + restarts_.delay();
    }

    /// Whether the zygote was asked for this one and hasn't told of its birth.
    static bool is_untold(const worker_link& link) noexcept {
        return link.pid == 0 && !link.is(peer_state::absent);
    }
    /// A zygote that was killed before it could tell of this one didn't wait for it, either.
    void bury_untold(const worker_link& link) const noexcept {
        if (!is_untold(link)) return;
        const os::known_process untold{link.told_pid(), zygote_lost_at_};
        os::bury_orphans({&untold, 1});
    }

    void expect_news() { zygote_due_ = std::min(zygote_due_, deadline_in(zygote::zygote::answer_timeout)); }
    /// Whether the zygote owes news of a birth or a death.
    bool awaits_news() const noexcept {
        return zygote_ && std::any_of(links_.begin(), links_.end(), [&](const worker_link& link) {
                   return link.is_alive() &&
                          (!link.has_started() || !link.tasks() || link.is(peer_state::terminating) ||
                           link.is(peer_state::draining));
               });
    }

    void launch(worker_link& link) {
        // Of the worker before: what it had sent is read, as far as anybody wanted it.
        if (link.serial != 0 && link.has_arena_memory()) memory_.discard_results(slot_of(link));
        try {
            ask_for(link);
        } catch (...) {
            let_go(link);
            link.serial = ++last_serial_;  // whatever comes of it
            throw;
        }
    }

    void ask_for(worker_link& link) {
        const os::fd results = link.connect(memory_.slot(slot_of(link)));
        link.serial = ++last_serial_;
        link.zygote = zygote_number_;
        poller_.add(link.results(), os::poller::interest::read, key_results(link));
        watch_.add(link.results(), os::poller::interest::end_once, key_end_);
        zygote_->fork_worker(slot_of(link), link.serial, link.tasks_reader(), results);
        expect_news();
        if (!options_.initializer) return;
        scheduler::block arguments{.count = 1, .stride = wire::variable_stride, .bytes = {}, .pins = {}};
        const auto bytes = options_.initializer_arguments.payload();
        arguments.bytes.append(bytes.data(), bytes.size());
        link.give(options_.initializer, std::move(arguments));
        link.taken = 0;
        // What checks on it has nothing else to go by as long as it runs nothing else.
        if (const auto limit = options_.initializer->timeout; limit != job::no_limit)
            link.check_at = std::min(link.check_at, std::chrono::steady_clock::now() + limit);
        send(link);
    }

    void let_go(worker_link& link) noexcept {
        poller_.remove(link.results());
        watch_.remove(link.results());
        if (std::exchange(link.watching_tasks, false)) poller_.remove(link.tasks());
        link.disconnect();
        if (!link.is(peer_state::absent)) link.leave();
    }

    os::poller& watch_;
    const std::uint64_t key_end_;
    worker_process_options options_;
    // The one of the thread that makes the pool, whoever replaces a zygote.
    const os::signal_mask signal_mask_ = os::signal_mask::of_this_thread();
    pool_memory memory_;
    os::poller poller_;
    std::unique_ptr<zygote::zygote> zygote_;       // none after a death until another could be started
    std::uint64_t zygote_number_ = 0;              // tells it from those before
    std::uint64_t zygote_lost_at_ = 0;             // the last one, in the kernel's ticks
    steady_time zygote_due_ = steady_time::max();  // when something that it owes is overdue
    const os::fd no_news_;
    std::vector<worker_link> links_;
    std::uint64_t last_serial_ = 0;
    std::size_t lost_ = 0;
    scheduler::restart_policy restarts_;
    std::optional<steady_time> launch_at_;
};
using worker_processes = basic_worker_processes<>;

}  // namespace procpool::detail::process

#endif
