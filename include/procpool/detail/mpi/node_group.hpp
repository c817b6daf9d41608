// SPDX-License-Identifier: MIT
// The nodes of a pool, as peers of its scheduler, and the ways of messages to them.
#ifndef PROCPOOL_DETAIL_MPI_NODE_GROUP_HPP
#define PROCPOOL_DETAIL_MPI_NODE_GROUP_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/retrying.hpp"
#include "procpool/detail/mpi/definition_chain.hpp"
#include "procpool/detail/mpi/definition_head.hpp"
#include "procpool/detail/mpi/hosted_pool.hpp"
#include "procpool/detail/mpi/node.hpp"
#include "procpool/detail/mpi/protocol.hpp"
#include "procpool/detail/mpi/session.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/event.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/peer.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/runs_in_flight.hpp"
#include "procpool/detail/wire/buffer.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// @throws std::invalid_argument if its options ask for what nodes can't do
inline void refuse_what_nodes_cannot(const scheduler::remote_job& job) {
    if (job::depends_on_error(job))
        job::refuse(
            "RetryPolicy::when can't be asked in mpi::Pool, where each node runs its elements again itself; use "
            "times and delay alone");
}

/// The nodes of a pool, those that are lost, too.
template <class = only_if_used>
class basic_node_group final : public scheduler::peer_group {
public:
    /// `driver` is rung when whoever drives must move messages on.
    basic_node_group(session& all, os::event& driver) : session_(all), driver_(driver) {}

    std::deque<node>& nodes() noexcept { return nodes_; }
    const std::deque<node>& nodes() const noexcept { return nodes_; }
    node* find(int rank) noexcept {
        const auto at = std::find_if(nodes_.begin(), nodes_.end(),
                                     [rank](const node& one) { return one.rank() == rank; });
        return at != nodes_.end() ? &*at : nullptr;
    }

    /// The node that has this element; null if none has.
    node* who_has(const scheduler::remote_job& job, std::uint64_t index) noexcept {
        const auto at = std::find_if(nodes_.begin(), nodes_.end(), [&](const node& one) {
            return one.is_alive() && one.work().has(job, index);
        });
        return at != nodes_.end() ? &*at : nullptr;
    }

    void make(std::uint64_t pool, bool with_rank_0) {
        for (const host_rank& one : session_.hosts())
            if (!session_.is_lost(one.rank) && (with_rank_0 || one.rank != session_.net().rank()))
                nodes_.emplace_back(one.rank, one.name, pool);
        pool_ = pool;
        if (std::count_if(nodes_.begin(), nodes_.end(), [this](const node& one) { return is_remote(one); }) <
            2)
            return;
        for (node& one : nodes_)
            if (is_remote(one))
                one.use_chain(
                    [this](const std::shared_ptr<scheduler::remote_job>& job) { define_along_chain(job); });
    }
    /// Tells all nodes but rank 0 of a job, one through the other, and those that know it nothing.
    void define_along_chain(const std::shared_ptr<scheduler::remote_job>& job) {
        const wire::buffer head = head_of_definition(*job);
        const std::size_t size = head.size() + job->definition().size();
        std::vector<int> route;
        for (node& one : nodes_)
            if (is_remote(one) && one.is_alive() && !session_.is_lost(one.rank()) &&
                session_.is_chained(one.rank()) && one.await_definition(job, size))
                route.push_back(one.rank());
        for (const int rank : route) send(*find(rank));  // so that all of them make room for it meanwhile
        if (!route.empty()) send_definition(*job, head, route);
    }
    /// A node of the chain is lost, and with it perhaps what it would have passed on.
    void repair_chain() {
        for (const node& one : nodes_)
            for (const auto& job : one.in_parts()) send_missing(one, *job);
    }
    /// All are well, but what one of the chain passes on doesn't get to this one.
    void bridge_broken_link(const node& to, std::uint64_t job) {
        session_.note_broken_link(to.rank());
        for (const auto& one : to.in_parts())
            if (one->id == job) send_missing(to, *one);
    }

    /// Asks a node to open its share of the pool; `up` takes what rank 0's own share says.
    void ask_to_open(node& one, std::span<const std::byte> request, std::chrono::nanoseconds node_timeout,
                     std::function<void(wire::buffer&&)> up) {
        if (!is_remote(one)) {
            here_ = std::make_unique<hosted_pool>(pool_, request, std::move(up));
            return;
        }
        wire::buffer message;
        append_frame(message, {.what = frame_header::kind::open, .pool = pool_, .ns = node_timeout.count()},
                     request);
        transmit(one, std::move(message));
    }
    /// It has opened its share of the pool.
    void open(node& one, std::size_t workers) {
        one.open(workers);
        add(one);
    }
    void lose_workers_of(const node& one) noexcept { lose(one); }

    /// The share of rank 0 itself.
    std::unique_ptr<hosted_pool>& here() noexcept { return here_; }
    /// Nobody waits for the end of its workers any more. @return what it would have said then
    wire::buffer abandon_here(const std::string& host) {
        std::fprintf(stderr, "procpool: %s: workers don't end, so the program goes on without their end\n",
                     host.c_str());
        hosted_pool::abandon(std::move(here_));
        wire::buffer closed;
        append_frame(closed, {.what = frame_header::kind::closed, .pool = pool_});
        return closed;
    }

    void transmit(node& to, wire::buffer&& message) {
        if (to.rank() != session_.net().rank()) {
            if (!session_.net().send(to.rank(), std::move(message))) driver_.ring();
            return;
        }
        each_frame(message.bytes(), [&](const frame_header& header, std::span<const std::byte> payload) {
            here_->handle(header, payload);
        });
    }

    void send(scheduler::peer& to) override {
        node& there = static_cast<node&>(to);
        if (there.has_output()) transmit(there, there.take_output());
    }
    void forget(const scheduler::remote_job& job, bool /*refers*/) override {
        for (node& one : nodes_) {
            one.forget(job);
            send(one);
        }
    }
    // A node ends what its workers run, and knows how they died.
    void end(scheduler::peer& /*which*/, ending /*how*/) override {}
    scheduler::death examine(scheduler::peer& /*dead*/,
                             const scheduler::runs_in_flight::running& /*interrupted*/,
                             const scheduler::block& /*element*/) override {
        return {};
    }

private:
    void send_missing(const node& to, const scheduler::remote_job& job) {
        if (!session_.is_lost(to.rank())) send_definition(job, head_of_definition(job), {to.rank()});
    }
    bool is_remote(const node& one) const { return one.rank() != session_.net().rank(); }

    void send_definition(const scheduler::remote_job& job, const wire::buffer& head,
                         const std::vector<int>& route) {
        const std::span further = std::span(route).subspan(1);
        send_parts({.pool = pool_, .job = job.id}, further, {head.bytes(), job.definition()},
                   [&](wire::buffer&& message) {
                       session_.net().send(route[0], std::move(message), sending_mode::in_turn);
                       // They don't hear one another.
                       for (const int rank : further) session_.net().bell().ring(rank);
                   });
    }

    session& session_;
    os::event& driver_;
    std::uint64_t pool_ = 0;
    std::deque<node> nodes_;  // which stay where they are
    std::unique_ptr<hosted_pool> here_;
};
using node_group = basic_node_group<>;

}  // namespace procpool::inline v0_1::detail::mpi

#endif
