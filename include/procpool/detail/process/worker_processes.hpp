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
#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/pool_lock.hpp"
#include "procpool/detail/job/unlocked.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/event.hpp"
#include "procpool/detail/os/poller.hpp"
#include "procpool/detail/os/readable.hpp"
#include "procpool/detail/os/signal.hpp"
#include "procpool/detail/process/current_zygote.hpp"
#include "procpool/detail/process/pool_memory.hpp"
#include "procpool/detail/process/post_mortem.hpp"
#include "procpool/detail/process/worker_link.hpp"
#include "procpool/detail/process/worker_process_options.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/peer.hpp"
#include "procpool/detail/scheduler/restart_policy.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "procpool/detail/zygote/starter.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1::detail::process {

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
          memory_(options_.most, options_.arena_limit),
          links_(options_.most),
          restarts_(options_.count, options_.restart_limit),
          bundles_(std::move(options_.bundles), options_.settings.seed) {
        for (worker_link& link : links_) add(link);
        scheduler::peer_group::resize(options_.count);
        poller_.add(interruption.file(), os::poller::interest::read, key_interruption);
        options_.settings.arenas = memory_.layout();
        options_.settings.slot_bytes = worker::slot_memory;
        if (!bundles_.is_wanted()) share_arguments(options_.initializer_arguments, memory_.arguments());
        // Made now: a child that another thread forks while it is being made could never use it.
        wire::exception_registry::instance();
        options_.settings.is_first = true;
        zygote_.take(make_zygote());
        options_.settings.is_first = false;
    }

    os::poller& poller() noexcept { return poller_; }
    pool_memory& memory() noexcept { return memory_; }
    /// What goes into bundles must have all its bytes.
    std::shared_ptr<wire::arena> memory_for_arguments() const {
        return bundles_.is_wanted() ? nullptr : memory_.arguments();
    }
    std::vector<worker_link>& links() noexcept { return links_; }
    const std::vector<worker_link>& links() const noexcept { return links_; }
    worker_link& link_of(std::uint64_t key) noexcept { return links_[key / 2]; }
    std::uint32_t slot_of(const worker_link& link) const noexcept {
        return static_cast<std::uint32_t>(&link - links_.data());
    }
    static worker_link& link_of(scheduler::peer& one) noexcept { return static_cast<worker_link&>(one); }
    const auto& initializer() const noexcept { return options_.initializer; }
    /// When launch_missing() is to be called, among others.
    scheduler::restart_policy& restarts() noexcept { return restarts_; }
    const scheduler::restart_policy& restarts() const noexcept { return restarts_; }
    /// Readable when there is news; empty while there is no zygote.
    const os::fd& news() const noexcept { return zygote_.news(); }

    void launch_all() {
        for (worker_link& link : links_)
            if (is_wanted(link)) launch(link);
    }
    /// Whether all that were launched have, and have run a preload of their own.
    bool have_started() const noexcept {
        return std::ranges::all_of(links_, [own = workers_preload()](const worker_link& link) {
            return link.is(peer_state::absent) || (link.has_started() && (!own || link.is_ready()));
        });
    }
    /// When to ask that again: nobody tells of the end of a worker's own preload.
    steady_time start_check_due() const noexcept {
        return workers_preload() ? deadline_in(std::chrono::milliseconds(2)) : steady_time::max();
    }
    /// So many are to work; missing ones are started by launch_missing(). @throws std::invalid_argument
    void resize(int count) {
        scheduler::peer_group::resize(checked_size(count, links_.size()));
        restarts_.schedule(std::chrono::steady_clock::now());
    }
    /// All that have nothing to do leave, and nobody takes their places until rest_no_more().
    void rest() {
        resting_ = true;
        for (worker_link& link : links_) {
            if (!link.is_alive()) continue;
            link.retired = true;
            link.check_at = steady_time::min();
        }
    }
    bool is_resting() const noexcept { return resting_; }
    /// Workers are started by launch_missing().
    void rest_no_more() {
        resting_ = false;
        restarts_.schedule(std::chrono::steady_clock::now());
    }
    /// Whether it is one of those that are to work.
    bool is_wanted(const worker_link& link) const noexcept { return !resting_ && slot_of(link) < size(); }

    /// Puts new workers in the places of missing ones, and a new zygote in that of a dead one, now or when it
    /// is time for that. What can't be started is tried again after a while. `in_own_thread`: no thread of
    /// the program calls this.
    /// @return whether news() is another one
    /// @throws why nothing can be started, after too many tries
    bool launch_missing(job::pool_lock& held, bool in_own_thread) PROCPOOL_REQUIRES(pool_mutex) {
        if (!restarts_.take_due(std::chrono::steady_clock::now())) return false;
        const bool had_zygote = !lacks_zygote();
        if (!had_zygote && forks_alone()) zygote::require_no_threads_to_replace_zygote(in_own_thread);
        try {
            if (!had_zygote) {
                std::unique_ptr<zygote::zygote> next;
                {
                    const job::unlocked meanwhile(held);  // for hooks, and large programs take their time
                    next = make_zygote();
                }
                zygote_.take(std::move(next));
            }
            for (worker_link& link : links_)
                if (link.is(peer_state::absent) && is_wanted(link)) launch(link);
        } catch (...) {
            restarts_.failed_start();
            if (restarts_.exhausted()) throw;
            restarts_.postpone(std::chrono::steady_clock::now());
        }
        return zygote_ && !had_zygote;
    }
    /// Whether it is dead and not yet replaced.
    bool lacks_zygote() const noexcept { return !zygote_; }
    start_method how() const noexcept { return options_.settings.how; }
    /// Whether each worker runs the pool's preload itself.
    bool workers_preload() const noexcept { return options_.preload_file && how() == start_method::spawn; }
    /// Whether only a thread of the program may replace it, and only if that is the program's only one.
    bool forks_alone() const noexcept {
        return options_.start_left_open && options_.settings.how == start_method::fork;
    }

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
        if (has_lost(link) || lacks_zygote()) return;
        zygote_->signal(slot_of(link), link.serial, link.pid,
                        how == ending::asked ? os::terminate_signal : os::kill_signal);
        zygote_.expect_news();
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
        const worker_link& link = link_of(dead);
        const post_mortem found(link, interrupted, element, options_.quote_arguments);
        const std::string bundle = bundles_.write({.job = *interrupted.of->job,
                                                   .element = element,
                                                   .place = interrupted.index,
                                                   .initializer = options_.initializer.get(),
                                                   .initializer_arguments = options_.initializer_arguments,
                                                   .worker = dead.index,
                                                   .found = found});
        return {found.how(), found.error(bundle), link.remains.out_of_memory && !link.terminated_for(),
                link.remains.peak_memory};
    }

    // ---- ends

    /// Nothing more is read from it: it is dead, or must die. True if it is known how it ended.
    bool stop_reading(worker_link& link) {
        poller_.remove(link.results());
        if (link.is(peer_state::dead)) return true;
        if (has_lost(link)) {  // its zygote is gone, and with it the news of how it ended
            link.die_with({});
            return true;
        }
        link.drain();
        zygote_.expect_news();
        return false;
    }

    /// It has run all that it may.
    void end_input(worker_link& link) {
        link.end_input();
        // If the zygote is stopped while it still holds the worker's pipe, nothing else tells of the end.
        zygote_.expect_news();
    }

    /// When check_zygote() is to be called.
    steady_time zygote_due() const noexcept { return zygote_.due(); }
    /// A zygote that owes news may have been stopped.
    void check_zygote() {
        if (!zygote_.is_overdue()) return;
        if (awaits_news())
            zygote_.rouse();
        else
            zygote_.expect_nothing();
    }

    /// Gives back what is kept for the next large arguments and results; who is busy keeps his.
    void trim() {
        memory_.trim_arguments();
        for (worker_link& link : links_)
            if (link.has_started() && link.is_alive() && link.send_trim()) send(link);
    }

    // ---- news of births and deaths

    current_zygote& zygote() noexcept { return zygote_; }
    worker_link& link_in(std::uint32_t slot) noexcept { return links_[slot]; }
    /// The workers die with it. Appends to `ended` those of whom nothing more is to come; of each of the
    /// others the end of its pipe tells.
    void lose_zygote(std::vector<worker_link*>& ended) {
        zygote_.lose(links_);
        restarts_.failure();
        lost_ = 0;
        for (worker_link& link : links_) {
            if (link.is(peer_state::absent)) continue;
            ++lost_;
            if (link.is(peer_state::dead) || !link.results_ended) continue;
            link.die_with({});
            ended.push_back(&link);
        }
        restarts_.schedule(std::chrono::steady_clock::now());
    }
    /// To be called when news have been read.
    void expect_other_news() {
        if (!awaits_news()) zygote_.expect_nothing();
    }

    /// Lets go of a worker that is dead or was never born.
    void dismiss(worker_link& link) {
        if (has_lost(link)) {
            --lost_;
            if (link.is_unreported()) zygote_.add_orphan(link);
        } else if (link.is(peer_state::dead))
            zygote_->reap(slot_of(link), link.serial);
        let_go(link);
    }

    /// Whether workers died with their zygote and are still to be dismissed.
    bool has_lost() const noexcept { return lost_ > 0; }
    /// Whether this one did.
    bool has_lost(const worker_link& link) const noexcept { return link.zygote != zygote_.number(); }

    /// Whether no worker has anything to do, its initializer included.
    bool is_idle() const noexcept {
        return std::all_of(links_.begin(), links_.end(),
                           [](const worker_link& link) { return link.work().elements() == 0; });
    }
    /// Lets idle workers leave at the end of their input; true if all workers are idle.
    bool disconnect() noexcept {
        const bool idle = is_idle();
        for (worker_link& link : links_)
            if (link.is_unreported())
                link.end_input();
            else
                link.disconnect();
        return idle;
    }
    /// Takes the zygote out, to end it and what is left of the workers.
    std::unique_ptr<zygote::zygote> take_zygote() noexcept { return zygote_.release(links_); }
    /// To be called when all workers are disconnected and the zygote has ended. If that was `killed`, as
    /// those before it were, nobody has waited for the workers that it hasn't reported.
    void end_unreported(bool killed) noexcept {
        const steady_time until = deadline_in(std::chrono::seconds(1));
        try {
            for (const worker_link& link : links_) {
                if (!link.is_unreported() || !link.results() || (!killed && !has_lost(link))) continue;
                // If there is one, it has said which process it is when its pipe ends.
                if (os::wait_readable(link.results(), until)) zygote_.add_orphan(link);
            }
        } catch (const std::exception&) {  // then they stay
        }
        zygote_.reap_orphans();
        for (worker_link& link : links_) link.disconnect();
    }

private:
    using peer_state = scheduler::peer_state;

    std::uint64_t key_results(const worker_link& link) const noexcept { return 2ull * slot_of(link); }

    /// Whether the zygote owes news of a birth or a death.
    bool awaits_news() const noexcept {
        return zygote_ && std::any_of(links_.begin(), links_.end(),
                                      [](const worker_link& link) { return link.awaits_news(); });
    }

    std::unique_ptr<zygote::zygote> make_zygote() const {
        return zygote_.make(memory_.file(), options_.settings, options_.around, options_.preload_file);
    }

    void launch(worker_link& link) {
        // Of the worker before: what it had sent is read, as far as anybody wanted it.
        const bool has_memory = link.serial != 0 && link.has_arena_memory();
        const worker::arena_room room = memory_.next_room(slot_of(link), has_memory);
        try {
            ask_for(link, room);
        } catch (...) {
            let_go(link);
            link.serial = ++last_serial_;  // whatever comes of it
            throw;
        }
    }

    void ask_for(worker_link& link, const worker::arena_room& room) {
        const os::fd results = link.connect(memory_.slot(slot_of(link)), room);
        link.serial = ++last_serial_;
        link.zygote = zygote_.number();
        poller_.prepare(link.tasks());
        poller_.add(link.results(), os::poller::interest::read, key_results(link));
        watch_.add(link.results(), os::poller::interest::end_once, key_end_);
        zygote_->fork_worker(slot_of(link), link.serial, link.tasks_reader(), results);
        zygote_.expect_news();
        if (!options_.initializer) return;
        link.give(options_.initializer, copy_of_arguments(options_.initializer_arguments));
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
    pool_memory memory_;
    os::poller poller_;
    current_zygote zygote_{poller_, key_zygote};
    std::vector<worker_link> links_;
    std::uint64_t last_serial_ = 0;
    std::size_t lost_ = 0;
    bool resting_ = false;
    scheduler::restart_policy restarts_;
    bundle_writer bundles_;
};
using worker_processes = basic_worker_processes<>;

}  // namespace procpool::inline v0_1::detail::process

#endif
