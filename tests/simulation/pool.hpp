// SPDX-License-Identifier: MIT
// A pool of simulated peers: the scheduler as it is, and a host that moves only when it is told to.
#ifndef PROCPOOL_TESTS_SIMULATION_POOL_HPP
#define PROCPOOL_TESTS_SIMULATION_POOL_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "job.hpp"
#include "peer.hpp"
#include "procpool/detail/mpi/node.hpp"
#include "procpool/detail/mpi/protocol.hpp"
#include "procpool/detail/scheduler/keyed_jobs.hpp"
#include "procpool/detail/scheduler/scheduler.hpp"
#include "procpool/detail/scheduler/window.hpp"
#include "procpool/statistics.hpp"
#include "random.hpp"

namespace simulation {

namespace mpi = procpool::detail::mpi;

/// A node as rank 0 sees it, and the messages on their way there and back.
struct node_link {
    explicit node_link(int rank) : node(rank, "host " + std::to_string(rank), 1) {}

    mpi::node node;
    std::deque<wire::buffer> down;
    std::deque<wire::buffer> up;
    std::vector<wire::buffer> received;  // whose results are being delivered
    bool is_lost = false;                // nothing comes from it any more
};

class simulated_group final : public scheduler::peer_group {
public:
    simulated_group(std::size_t count, random& chance) : all(count), dice_(chance) {
        for (auto& one : all) add(one);
    }

    /// Now and then a peer takes only a part.
    void send(scheduler::peer& to) override {
        for (auto& link : nodes)
            if (&link.node == &to) {
                if (link.node.has_output()) link.down.push_back(link.node.take_output());
                return;
            }
        auto& one = static_cast<simulated_peer&>(to);
        if (!one.input_ended) one.transfer(dice_.one_in(8) ? dice_.below(3) : ~std::size_t{0});
    }
    void end(scheduler::peer& which, ending how) override {
        auto& one = static_cast<simulated_peer&>(which);
        if (how == ending::killed)
            one.alive = false;
        else
            one.asked_to_end = true;
    }
    void forget(const scheduler::remote_job& job, bool) override {
        for (auto& link : nodes) {
            link.node.forget(job);
            send(link.node);
        }
    }
    scheduler::death examine(scheduler::peer&, const scheduler::runs_in_flight::running&,
                             const scheduler::block&) override {
        return {"died", std::make_exception_ptr(procpool::WorkerDied("died", {}))};
    }

    void open_node(std::size_t workers) {
        node_link& link = nodes.emplace_back(static_cast<int>(nodes.size()) + 1);
        link.node.open(workers);
        add(link.node);
    }
    using scheduler::peer_group::resize;
    void lose_workers_of(const node_link& link) noexcept { lose(link.node); }

    std::vector<simulated_peer> all;
    std::deque<node_link> nodes;

private:
    random& dice_;
};

/// Before the scheduler, which refers to them.
struct simulated_place {
    simulated_place(std::size_t count, std::uint64_t seed) : dice(seed), group(count, dice) {}
    random dice;
    simulated_clock clock;
    simulated_group group;
};

class simulated_pool final : private simulated_place, public scheduler::scheduler {
    using base = procpool::detail::scheduler::scheduler;

public:
    simulated_pool(std::size_t peers, std::uint64_t seed,
                   procpool::detail::scheduler::scheduler_options options)
        : simulated_place(peers, seed), base(std::move(options), group, clock) {
        for (auto& one : group.all) start(one);
    }

    std::vector<simulated_peer>& peers() noexcept { return group.all; }
    std::deque<node_link>& nodes() noexcept { return group.nodes; }
    const simulated_group& all_peers() const noexcept { return group; }
    /// For a pool whose peers are nodes. @param fails elements that a lost node had; else they run elsewhere
    void open_nodes(std::span<const std::size_t> workers, bool fails) {
        for (const std::size_t count : workers) group.open_node(count);
        fails_with_node_ = fails;
    }
    std::size_t size() const noexcept override { return group.workers(); }
    procpool::Statistics stats(lock&) override { return {}; }
    simulated_clock& time() noexcept { return clock; }

    // ---- the driver

    /// Whether it sleeps in the midst of a step.
    bool sleeps() const noexcept { return asleep_; }
    steady_time sleeps_until() const noexcept { return sleeps_until_; }
    bool is_interrupted() const noexcept { return interrupted_; }
    /// Whether something has come that wakes it.
    bool has_news() const {
        if (std::any_of(group.nodes.begin(), group.nodes.end(), [](const node_link& link) {
                return link.node.is_alive() && (link.is_lost || !link.up.empty());
            }))
            return true;
        return std::any_of(group.all.begin(), group.all.end(), [this](const simulated_peer& one) {
            using procpool::detail::scheduler::peer_state;
            if (one.is(peer_state::absent)) return is_wanted(one) && !failure_;
            return one.has_news() || !one.alive || one.has_outgoing() || !one.has_started();
        });
    }
    bool must_wake() const { return interrupted_ || clock.now() >= sleeps_until_ || has_news(); }

    void fall_asleep() {
        sleeps_until_ = begin_step();
        asleep_ = true;
        interrupted_ = false;
    }

    /// The rest of the step. `given_out` is called when all elements are that can be, `delivered` when
    /// results are where they belong, and before callbacks run.
    template <class GivenOut, class Delivered>
    void wake_up(random& chance, GivenOut given_out, Delivered delivered) {
        asleep_ = false;
        sleeps_until_ = steady_time::min();
        lock held = acquire();
        take_local_results();
        for (auto& link : group.nodes) settle(link, chance);
        for (auto& one : group.all) settle(one, chance);
        for (auto& one : group.all)
            if (one.check_at <= clock.now()) check_peer(one);
        for (auto& one : group.all)
            if (one.has_outgoing()) group.send(one);
        give_out();
        given_out();
        deliver(held);
        for (auto& link : group.nodes) link.received.clear();
        for (auto* one : events().take_finished())
            if (one->work().elements() == 0) static_cast<simulated_peer*>(one)->input_ended = true;
        delivered();
        // Not earlier: what is delivered lies in the dead peers' memory.
        for (auto& one : group.all)
            if (one.is(procpool::detail::scheduler::peer_state::absent) && !failure_ && is_wanted(one))
                start(one);
        run_callbacks(held);
        destroy_retired(held);
        notify_ready();
    }

    /// Whether, seen from outside of a step, there is something to do at once.
    bool has_something_to_do() {
        const bool idle_peer = std::any_of(group.all.begin(), group.all.end(), [](const simulated_peer& one) {
            return one.can_work() && one.work().elements() == 0 && !one.input_ended && !one.retired;
        });
        const bool idle_node = std::any_of(group.nodes.begin(), group.nodes.end(), [](const node_link& link) {
            return link.node.can_work() && link.node.work().elements() < link.node.workers;
        });
        const bool check_is_due =
            std::any_of(group.all.begin(), group.all.end(),
                        [this](const simulated_peer& one) { return one.check_at < sleeps_until_; });
        return has_something_at_hand() || check_is_due || ((idle_peer || idle_node) && has_ready()) ||
               has_ready_for_idle_peer();
    }
    /// Where a peer has nothing to do, and elements are ready that only this one may run.
    bool has_ready_for_idle_peer() const {
        return std::any_of(open_.begin(), open_.end(), [this](const auto& job) {
            if (!job->key || job->ready_elements == 0 || group.all.empty()) return false;
            const simulated_peer& one = group.all[place_of(*job)];
            return one.can_work() && !one.input_ended && !one.retired && one.work().elements() == 0 &&
                   one.taken == 0;
        });
    }
    /// Of the peer that runs a job with a key.
    std::size_t place_of(const procpool::detail::scheduler::remote_job& job) const noexcept {
        return procpool::detail::scheduler::keyed_jobs::place_of(*job.key, group.size());
    }
    bool has_ready() const {
        return std::any_of(open_.begin(), open_.end(),
                           [](const auto& job) { return job->ready_elements > 0 && !job->key; });
    }
    /// `visit(job, index)` of elements that wait for another attempt.
    template <class Visit>
    void each_delayed(Visit visit) const {
        tries_.each(visit);
    }
    /// Jobs that the simulation has added and that may have elements.
    std::vector<std::shared_ptr<procpool::detail::scheduler::remote_job>> open_;

    /// With the lock.
    void resize_now(std::size_t peers) {
        group.resize(peers);
        retire_peers();
    }
    bool is_wanted(const simulated_peer& one) const noexcept {
        return static_cast<std::size_t>(&one - group.all.data()) < group.size();
    }

    using base::has_jobs;
    std::exception_ptr why_failed() const { return failure_; }
    void terminate_now() {
        lock held = acquire();
        set_terminated();
        fail(std::make_exception_ptr(procpool::PoolTerminated("terminated")));
        run_callbacks(held);
    }

    std::vector<procpool::WorkerStatus> workers() override { return {}; }
    const std::shared_ptr<procpool::detail::wire::arena>& arena() const noexcept override {
        return no_arena_;
    }
    void leave(lock&) override {}
    void join(lock&) override {}
    void terminate(lock&) override {}

private:
    const std::shared_ptr<procpool::detail::wire::arena> no_arena_;

    bool help(lock&, steady_time, procpool::detail::job::basic_job*) override { return false; }
    void interrupt_driver() override { interrupted_ = true; }
    void hand_over() override {}
    void notice_pause() override {}

    void start(simulated_peer& one) {
        one.connect();
        if (!events().initializer()) return;
        scheduler::block nothing{.count = 1, .stride = 8, .bytes = {}, .pins = {}};
        nothing.bytes.append_value(std::uint64_t{0});
        one.give(events().initializer(), std::move(nothing), 1);
        one.taken = 0;
        group.send(one);
    }

    /// What has become of a peer since the last step; not all of it is told at once.
    void settle(simulated_peer& one, random& chance) {
        using state = procpool::detail::scheduler::peer_state;
        if (one.is(state::absent)) return;
        if (!one.has_started() && !chance.one_in(3)) one.tell_start();
        if (one.is(state::dead)) {
            one.collect_remains(events().collected());
            events().recover_work_of(one);
            one.leave();
            return;
        }
        if (one.has_news()) {
            one.collect(events().collected());
            events().note_results(one);
        }
        if (one.alive) return;
        if (!one.results_end && !chance.one_in(3)) {
            one.results_end = true;
            events().note_results(one);
            one.drain();
        }
        if (!chance.one_in(3)) one.die();
    }

    /// As the pool over MPI does it.
    void settle(node_link& link, random& chance) {
        while (link.node.is_alive() && !link.up.empty() && !chance.one_in(4)) {
            link.received.push_back(std::move(link.up.front()));
            link.up.pop_front();
            std::vector<scheduler::returned> back;
            const std::size_t results = events().collected().size();
            mpi::each_frame(link.received.back().bytes(),
                            [&](const mpi::frame_header& header, std::span<const std::byte> payload) {
                                link.node.collect(header, payload, events().collected(), back);
                            });
            events().note_message(link.node, results, std::move(back));
        }
        if (!link.is_lost || !link.node.is_alive() || !link.up.empty() || chance.one_in(3)) return;
        group.lose_workers_of(link);
        const auto error =
            std::make_exception_ptr(procpool::NodeDied("lost", link.node.host(), link.node.rank()));
        events().take_returned(link.node.take_lost(fails_with_node_, error, events().collected()));
        if (group.workers() == 0) fail(error);
    }

    void check_peer(simulated_peer& one) {
        one.check_at = steady_time::max();
        if (!one.is_alive()) return;
        if (!one.has_started() || one.results_end) {
            one.check_at = clock.now() + std::chrono::milliseconds(1);
            return;
        }
        events().check(one, clock.now());
    }

    bool fails_with_node_ = false;
    bool asleep_ = false;
    bool interrupted_ = false;
};

}  // namespace simulation

#endif
