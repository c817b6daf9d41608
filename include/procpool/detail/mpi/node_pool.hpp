// SPDX-License-Identifier: MIT
// Runs jobs on many machines: the peers of its scheduler are nodes.
#ifndef PROCPOOL_DETAIL_MPI_NODE_POOL_HPP
#define PROCPOOL_DETAIL_MPI_NODE_POOL_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/make_error.hpp"
#include "procpool/detail/job/unlocked.hpp"
#include "procpool/detail/mpi/hosted_pool.hpp"
#include "procpool/detail/mpi/node.hpp"
#include "procpool/detail/mpi/node_accounts.hpp"
#include "procpool/detail/mpi/node_group.hpp"
#include "procpool/detail/mpi/node_pool_options.hpp"
#include "procpool/detail/mpi/pace.hpp"
#include "procpool/detail/mpi/protocol.hpp"
#include "procpool/detail/mpi/session.hpp"
#include "procpool/detail/mpi/withdrawals.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/cancellation.hpp"
#include "procpool/detail/os/cpu.hpp"
#include "procpool/detail/os/poller.hpp"
#include "procpool/detail/process/driven_scheduler.hpp"
#include "procpool/detail/scheduler/scheduler.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "procpool/detail/wire/other_machines.hpp"
#include "procpool/error.hpp"
#include "procpool/pool_status.hpp"
#include "procpool/statistics.hpp"

namespace procpool::inline v0_1::detail::mpi {

template <class = only_if_used>
class basic_node_pool final : public process::driven_scheduler {
    using base = process::driven_scheduler;

public:
    using lock = base::lock;

    basic_node_pool(session& all, node_pool_options options)
        : base({.error_handler = std::move(options.error_handler), .initializer = nullptr}, group_, clock_),
          session_(all),
          inbox_(driver_.interruption()),
          fails_with_node_(options.fails_with_node),
          group_(all, driver_.interruption()),
          number_(all.add(inbox_, options.node_timeout)) {
        try {
            poller_.add(driver_.interruption().file(), os::poller::interest::read, key_interruption);
            poller_.add(session_.net().bell().file(), os::poller::interest::read, key_bell);
            lock held = acquire();
            open_nodes(held, options);
            driver_.start();
        } catch (...) {
            lock held = acquire();
            close_nodes(held, false);
            session_.remove(number_);
            throw;
        }
    }

    ~basic_node_pool() override {
        lock held = acquire();
        shut_down(held, false);
        driver_.join(held);
    }

    /// Workers of all nodes that are not lost.
    std::size_t size() const noexcept override { return size_.load(std::memory_order_relaxed); }
    std::vector<WorkerStatus> workers() override PROCPOOL_REQUIRES(pool_mutex) { return {}; }
    Statistics stats(lock& held) override PROCPOOL_REQUIRES(pool_mutex) {
        if (!is_shutting_down() && !driver_.drives_here()) ask_for_accounts(held);
        Statistics all{.age = std::chrono::steady_clock::now() - made_};
        accounts_.add_to(all);
        return all;
    }
    const std::shared_ptr<wire::arena>& arena() const noexcept override { return wire::other_machines(); }

    /// Calls `take(node, is_alive)` for each.
    template <class Take>
    void each_node(Take take) PROCPOOL_REQUIRES(pool_mutex) {
        for (const node& one : group_.nodes())
            take(one, one.is_alive() && (has_ended() || !session_.is_lost(one.rank())));
    }

    void add(const std::shared_ptr<scheduler::remote_job>& job) override PROCPOOL_REQUIRES(pool_mutex) {
        refuse_what_nodes_cannot(*job);
        // Nobody has looked at losses while there was nothing to do.
        for (node& one : group_.nodes())
            if (one.is_alive() && session_.is_lost(one.rank())) one.drain();
        base::add(job);
    }

    /// Where a node has the call, it is asked for it.
    bool withdraw_call(lock& held, const std::shared_ptr<job::basic_job>& wanted, std::uint64_t call,
                       const char* why) override PROCPOOL_REQUIRES(pool_mutex) {
        const auto job = std::static_pointer_cast<scheduler::remote_job>(wanted);
        if (!job->elements_are_calls()) call = 0;
        node* const there = group_.who_has(*job, call);
        if (!there || driver_.drives_here()) return base::withdraw_call(held, wanted, call, why);
        const withdrawals::one mine(withdrawals_, job, call, why);
        // What it was asked before is not about calls that came later.
        for (bool was_asked = there->is_asked_back();; was_asked = false) {
            there->ask_back();
            group_.send(*there);
            const auto answered = [&]() PROCPOOL_REQUIRES(pool_mutex) {
                return !there->is_asked_back() || !there->is_alive() || is_shutting_down() || failure();
            };
            wait(held, answered, steady_time::max());
            if (!was_asked || !there->work().has(*job, call)) return mine.succeeded();
        }
    }

private:
    using base::driver_;

    // ---- who drives

    void notice_pause() override PROCPOOL_REQUIRES(pool_mutex) {}
    const os::fd& news() const override PROCPOOL_REQUIRES(pool_mutex) { return no_news_; }
    // ---- one step: receive without the lock, then settle, give out and deliver with it

    void step(lock& held, steady_time until) override PROCPOOL_REQUIRES(pool_mutex) {
        std::vector<inbox::message> came;  // until what lies in it is delivered
        try {
            until = std::min(until, begin_step());
            sleeps_until_ = until;
            if (awaits_one_quick_call()) pace_.stay_awake(std::chrono::steady_clock::now());
            {
                const job::unlocked meanwhile(held);
                came = receive(until);
            }
            sleeps_until_ = steady_time::min();
            take_local_results();
            for (const inbox::message& one : came) settle(one);
            give_out();
            deliver(held);
            notify_ready();
        } catch (...) {
            events().collected().clear();
            fail(std::current_exception());
        }
    }

    /// Waits until something has come, or the time has, or whoever drives is interrupted.
    std::vector<inbox::message> receive(steady_time until) PROCPOOL_EXCLUDES(pool_mutex) {
        for (;;) {
            const bool any = session_.receive(&inbox_, pace_.is_awake());
            std::vector<inbox::message> came = inbox_.take();
            const auto now = std::chrono::steady_clock::now();
            if (any || !came.empty()) pace_.received(now);
            if (!came.empty()) return came;
            if (now >= until) return came;
            const auto nap = pace_.next(now, session_.net().is_busy(std::chrono::nanoseconds::max()),
                                        session_.all_hosts_ring());
            if (nap.count() == 0) std::this_thread::yield();  // what is waited for may need this processor
            if (interrupted(std::min(until, now + nap))) return inbox_.take();
        }
    }
    /// Sleeps until the bell rings, or that time has come. @return whether there is something else to do
    bool interrupted(steady_time until) {
        bool is_interrupted = false;
        for (const auto& event : poller_.wait_precisely(until)) {
            if (event.key == key_bell) {
                session_.net().bell().silence();
                pace_.restart();  // a message may come a moment later than its bell
            } else {
                is_interrupted = true;
            }
        }
        if (is_interrupted) driver_.interruption().silence();
        return is_interrupted;
    }

    void settle(const inbox::message& message) PROCPOOL_REQUIRES(pool_mutex) {
        node* const from = group_.find(message.from);
        if (!from || !from->is_alive()) return;
        std::vector<scheduler::returned> back;
        const std::size_t results = events().collected().size();
        try {
            each_frame(message.bytes.bytes(),
                       [&](const frame_header& header, std::span<const std::byte> payload)
                           PROCPOOL_REQUIRES(pool_mutex) {
                               using kind = frame_header::kind;
                               switch (header.what) {
                                   case kind::failed: fail(decoded(payload)); break;
                                   case kind::closed: from->has_closed = true; break;
                                   case kind::account:
                                       accounts_.take(from->rank(), header.count, payload);
                                       break;
                                   case kind::missing: group_.bridge_broken_link(*from, header.job); break;
                                   case kind::lost: lose(*from, std::chrono::nanoseconds(header.ns)); break;
                                   default: from->collect(header, payload, events().collected(), back);
                               }
                           });
        } catch (const SerializationError&) {
            session_.net().lose(from->rank());  // it can't be trusted any more
            lose(*from, {});
        }
        take_withdrawn(back);
        if (from->is_alive())
            events().note_message(*from, results, std::move(back));
        else
            events().take_returned(std::move(back));
    }
    static std::exception_ptr decoded(std::span<const std::byte> record) {
        return wire::decode_exception_of(wire::cursor(record), 0, std::nullopt, "on a node");
    }

    void take_withdrawn(std::span<const scheduler::returned> back) PROCPOOL_REQUIRES(pool_mutex) {
        withdrawals_.take_from(back,
                               [this](const auto& job, std::uint64_t call, const char* why)
                                   PROCPOOL_REQUIRES(pool_mutex) { base::abandon_call(job, call, why); });
    }
    void lose(node& gone, std::chrono::nanoseconds silence) PROCPOOL_REQUIRES(pool_mutex) {
        group_.lose_workers_of(gone);
        size_.store(group_.workers(), std::memory_order_relaxed);
        const std::exception_ptr error = gone.loss(silence);
        auto back = gone.take_lost(fails_with_node_, error, events().collected());
        take_withdrawn(back);
        events().take_returned(std::move(back));
        group_.repair_chain();
        if (group_.workers() == 0) fail(error);
    }

    void ask_for_accounts(lock& held) PROCPOOL_REQUIRES(pool_mutex) {
        const std::uint64_t question = accounts_.ask();
        for (node& one : group_.nodes()) {
            if (!one.is_alive() || is_gone(one)) continue;
            wire::buffer message;
            append_frame(message,
                         {.what = frame_header::kind::ask_account, .pool = number_, .count = question});
            group_.transmit(one, std::move(message));
        }
        constexpr std::chrono::seconds patience{1};
        const auto all_told = [this, question]() PROCPOOL_REQUIRES(pool_mutex) {
            for (const node& one : group_.nodes())
                if (owes_account(one, question)) return is_shutting_down();
            return true;
        };
        wait(held, all_told, deadline_in(patience));
    }

    bool owes_account(const node& one, std::uint64_t question) PROCPOOL_REQUIRES(pool_mutex) {
        return one.is_alive() && !is_gone(one) && !accounts_.has_answered(one.rank(), question);
    }

    // ---- the start and the end

    void open_nodes(lock& held, const node_pool_options& options) PROCPOOL_REQUIRES(pool_mutex) {
        group_.make(number_, options.workers_on_rank_0);
        if (group_.nodes().empty())
            throw Error("procpool: all nodes but rank 0's are lost, and that shall have no workers");
        std::uint32_t first_index = 0;
        for (node& one : group_.nodes()) {
            node_options its = options.node;
            its.first_index = first_index;
            its.is_one_of_many = group_.nodes().size() > 1;
            if (!its.processes) its.processes = session_.processors_of(one.rank());
            first_index += static_cast<std::uint32_t>(std::max(*its.processes, 0));
            wire::buffer request;
            request.append_value(its);
            request.append(options.functions.data(), options.functions.size());
            group_.ask_to_open(one, request.bytes(), options.node_timeout, [this](wire::buffer&& up) {
                inbox_.put(session_.net().rank(), std::move(up));
            });
        }
        std::exception_ptr failed;
        std::size_t open = 0;
        wait_for_nodes(held, [&](node& from, const frame_header& header, std::span<const std::byte> payload)
                                 PROCPOOL_REQUIRES(pool_mutex) {
                                     if (header.what == frame_header::kind::opened) {
                                         group_.open(from, header.count);
                                         ++open;
                                     } else if (header.what == frame_header::kind::failed) {
                                         // An initializer's error is told to each call; what keeps workers
                                         // from starting, here.
                                         if (from.is_alive())
                                             fail(decoded(payload));
                                         else
                                             failed = decoded(payload);
                                     } else if (header.what == frame_header::kind::lost && !from.is_alive()) {
                                         failed = from.loss(std::chrono::nanoseconds(header.ns));
                                     }
                                     return failed || open == group_.nodes().size();
                                 });
        if (failed) std::rethrow_exception(failed);
        for (node& one : group_.nodes())  // one that was ready may be lost before the last one is
            if (session_.is_lost(one.rank()))
                lose(one, session_.silence_of_lost(one.rank()).value_or(silence{}).time);
        size_.store(group_.workers(), std::memory_order_relaxed);
    }

    void close_nodes(lock& held, bool gracefully) PROCPOOL_REQUIRES(pool_mutex) {
        tell_nodes_to_close(gracefully);
        const auto all_gone = [this] {
            return std::all_of(group_.nodes().begin(), group_.nodes().end(),
                               [this](const node& one) { return is_gone(one); });
        };
        if (!all_gone())
            wait_for_nodes(held, [&](node& /*from*/, const frame_header& /*header*/,
                                     std::span<const std::byte> /*payload*/) { return all_gone(); });
        group_.here().reset();
    }

    void tell_nodes_to_close(bool gracefully) PROCPOOL_REQUIRES(pool_mutex) {
        for (node& one : group_.nodes()) {
            if (is_gone(one)) continue;
            wire::buffer message = one.take_output();
            append_frame(message, {.what = frame_header::kind::close, .flag = gracefully, .pool = number_});
            group_.transmit(one, std::move(message));
        }
        if (!gracefully) close_until_ = deadline_in(session_.patience_at_end());
    }
    /// Who is alive and can't end its workers isn't waited for without end. Rank 0 itself can't be lost.
    void lose_who_does_not_close() PROCPOOL_REQUIRES(pool_mutex) {
        if (std::chrono::steady_clock::now() < close_until_) return;
        for (node& one : group_.nodes()) {
            if (is_gone(one)) continue;
            if (one.rank() != session_.net().rank())
                session_.net().lose(one.rank());
            else
                inbox_.put(one.rank(), group_.abandon_here(one.host()));
        }
    }

    /// Calls `take(node, header, payload)` for what comes, until it returns true.
    template <class Take>
    void wait_for_nodes(lock& held, Take take) PROCPOOL_REQUIRES(pool_mutex) {
        bool done = false;
        while (!done) {
            std::vector<inbox::message> came;
            {
                const job::unlocked meanwhile(held);
                came = receive(deadline_in(beat_interval));
            }
            if (came.empty()) lose_who_does_not_close();
            for (const inbox::message& one : came) {
                node* const from = group_.find(one.from);
                if (!from) continue;
                each_frame(one.bytes.bytes(),
                           [&](const frame_header& header, std::span<const std::byte> payload) {
                               if (header.what == frame_header::kind::closed) from->has_closed = true;
                               if (header.what == frame_header::kind::account)
                                   accounts_.take(from->rank(), header.count, payload);
                               done = take(*from, header, payload) || done;
                           });
            }
        }
    }
    /// Whether its share of the pool has ended, or won't begin.
    bool is_gone(const node& one) {
        return one.has_closed || session_.is_lost(one.rank()) ||
               (one.rank() == session_.net().rank() && !group_.here());
    }

    void end(lock& held, bool gracefully) override PROCPOOL_REQUIRES(pool_mutex) {
        driver_.stop(held);
        close_nodes(held, gracefully);
        session_.remove(number_);
        if (!driver_.is_standby_driver()) driver_.join(held);
    }
    void hurry_end() override PROCPOOL_REQUIRES(pool_mutex) { tell_nodes_to_close(false); }

    static constexpr std::uint64_t key_interruption = 0;
    static constexpr std::uint64_t key_bell = 1;

    const steady_time_source clock_;
    session& session_;
    inbox inbox_;
    const bool fails_with_node_;
    node_group group_;
    const os::fd no_news_;
    os::poller poller_;
    const std::uint64_t number_;       // after all that could fail: from now on the session knows the inbox
    pace pace_{os::affinity_count()};  // of whoever drives
    const steady_time made_ = std::chrono::steady_clock::now();
    node_accounts accounts_ PROCPOOL_GUARDED_BY(pool_mutex);
    withdrawals withdrawals_ PROCPOOL_GUARDED_BY(pool_mutex);
    std::atomic<std::size_t> size_ = 0;

    steady_time close_until_ PROCPOOL_GUARDED_BY(pool_mutex) = steady_time::max();
};
using node_pool = basic_node_pool<>;

}  // namespace procpool::inline v0_1::detail::mpi

#endif
