// SPDX-License-Identifier: MIT
// The scheduler's parts with peers of many workers: what they get, what is asked back from them, and their
// loss.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "procpool/detail/mpi/node.hpp"
#include "procpool/detail/mpi/protocol.hpp"
#include "procpool/detail/scheduler/scheduler.hpp"
#include "procpool/detail/scheduler/window.hpp"
#include "procpool/error.hpp"
#include "simulation/job.hpp"
#include "simulation/peer.hpp"
#include "support/nodes.hpp"

namespace node_scheduling_test {

using namespace nodes_support;

class node_group final : public scheduler::peer_group {
public:
    explicit node_group(const std::vector<std::size_t>& workers) {
        for (const std::size_t count : workers) {
            all.emplace_back(static_cast<int>(all.size()), "n", 7);
            all.back().open(count);
            add(all.back());
        }
    }
    void lose_workers_of(const mpi::node& one) { lose(one); }
    void send(scheduler::peer& to) override { static_cast<mpi::node&>(to).take_output(); }
    void end(scheduler::peer&, ending) override {}
    void forget(const scheduler::remote_job&, bool) override {}
    scheduler::death examine(scheduler::peer&, const scheduler::runs_in_flight::running&,
                             const scheduler::block&) override {
        return {};
    }
    std::deque<mpi::node> all;
};

class UnequalNodes : public Nodes {
protected:
    template <class Job>
    void add(const std::shared_ptr<Job>& job, std::uint64_t first, std::uint64_t count) {
        dispatcher.add(job, block_of(first, count));
        dispatcher.dispatch();
    }
    static void answer(mpi::node& from, const scheduler::remote_job& job, std::uint64_t index,
                       std::vector<scheduler::delivery>& into) {
        std::vector<scheduler::returned> none;
        const auto value = block_of(index, 1);
        from.collect({.what = kind::values, .job = job.id, .first = index, .count = 1, .stride = 8},
                     value.payload(), into, none);
    }
    node_group group{{1, 3}};
    simulation::simulated_clock clock;
    scheduler::supervisor supervisor{group, clock, std::chrono::milliseconds(10)};
    scheduler::dispatcher dispatcher{group, supervisor, ~std::uint64_t{0}, nullptr};
    scheduler::deliveries deliveries;
    scheduler::delayed_tries again{dispatcher, clock};
    scheduler::peer_events events{group, dispatcher, again, supervisor, deliveries, nullptr};
    mpi::node& small = group.all[0];
    mpi::node& large = group.all[1];
};

TEST_F(UnequalNodes, get_shares_for_their_workers) {
    EXPECT_EQ(group.workers(), 4u);
    const auto job = make_job();
    add(job, 0, 100);
    EXPECT_EQ(small.work().elements(), 1u) << "nothing is known of its time: one a worker";
    EXPECT_EQ(large.work().elements(), 3u);
    timing.add(1e5, 1);  // ten elements a ms
    add(job, 100, 1000);
    EXPECT_NEAR(static_cast<double>(large.work().elements()),
                3.0 * static_cast<double>(small.work().elements()), 3);
    EXPECT_GE(small.work().elements(), 10u);
}

TEST_F(UnequalNodes, that_have_least_for_a_worker_come_first) {
    const auto job = make_job();
    for (std::uint64_t i = 0; i < 4; ++i) dispatcher.add(job, block_of(i, 1));
    EXPECT_EQ(small.work().elements(), 1u);
    EXPECT_EQ(large.work().elements(), 3u);
    std::vector<scheduler::delivery> results;
    answer(large, *job, 1, results);
    dispatcher.add(job, block_of(4, 1));
    EXPECT_EQ(large.work().elements(), 3u) << "2 of 3 is less than 1 of 1";
}

TEST_F(UnequalNodes, a_chunk_goes_to_each_worker) {
    const auto job = make_job();
    job->chunk = 4;
    EXPECT_EQ(scheduler::elements_to_give(*job, 4, 3, 0, 0, ~std::uint64_t{0}), 12u);
    EXPECT_EQ(scheduler::elements_to_give(*job, 4, 3, 11, 88, ~std::uint64_t{0}), 4u)
        << "one worker will have none soon";
    EXPECT_EQ(scheduler::elements_to_give(*job, 4, 3, 12, 96, ~std::uint64_t{0}), 0u);
    EXPECT_EQ(scheduler::elements_to_give(*job, 4, 1, 3, 24, ~std::uint64_t{0}),
              scheduler::elements_to_give(*job, 4, 3, 24, ~std::uint64_t{0}));
}

TEST_F(UnequalNodes, get_no_more_than_their_windows_have_room_for) {
    constexpr auto no_limit = ~std::uint64_t{0};
    const auto job = make_job();
    job->ready_elements = 1'000'000;
    for (const std::uint64_t chunk : {1, 4, 7}) {
        job->chunk = chunk;
        for (const bool is_known : {false, true}) {
            if (is_known) timing.add(1e5, 1);  // so that a window is more than a chunk
            const std::uint64_t window = 3 * scheduler::window_of_worker(*job);
            for (std::uint64_t out = 0; out <= window + chunk; ++out) {
                const std::uint64_t more = scheduler::elements_to_give(*job, 4, 3, out, 8 * out, no_limit);
                EXPECT_EQ(more > 0, out < window) << out;
                EXPECT_EQ(more % chunk, 0u) << "chunks stay together";
                EXPECT_LT(out + more, std::max(out + 1, window + chunk)) << out << " of " << window;
            }
        }
        timing = {};
    }
}

TEST_F(UnequalNodes, whose_workers_but_one_are_busy_get_an_element_for_that_one) {
    const auto job = make_job();
    add(job, 0, 100);
    ASSERT_EQ(large.work().elements(), 3u) << "nothing is known of the time";
    std::vector<scheduler::delivery> results;
    answer(large, *job, 1, results);
    dispatcher.dispatch();
    EXPECT_EQ(large.work().elements(), 3u);
}

TEST_F(UnequalNodes, a_lost_one_counts_no_more) {
    group.lose_workers_of(large);
    EXPECT_EQ(group.workers(), 1u);
    group.lose_workers_of(small);
    EXPECT_EQ(group.workers(), 0u);
    EXPECT_EQ(group.peers().size(), 2u);
}

TEST_F(UnequalNodes, stall_only_while_all_workers_have_something) {
    const auto job = make_job();
    large.give(job, block_of(0, 2), 1);
    dispatcher.take_back(large);
    EXPECT_FALSE(large.is(peer_state::stalled)) << "a worker has nothing";
    large.give(job, block_of(2, 1), 1);
    dispatcher.take_back(large);
    EXPECT_TRUE(large.is(peer_state::stalled));
    answer(large, *job, 1, events.collected());
    events.note_results(large);
    EXPECT_TRUE(large.is(peer_state::up));
}

TEST_F(UnequalNodes, that_give_back_what_waits_get_no_more_until_a_result_has_come) {
    const auto job = make_job();
    large.give(job, block_of(0, 5), 1);
    std::vector<scheduler::returned> back;
    for (std::uint64_t i = 3; i < 5; ++i)
        large.collect({.what = kind::returned, .job = job->id, .first = i, .count = 1}, {},
                      events.collected(), back);
    events.note_message(large, 0, std::move(back));
    EXPECT_TRUE(large.is(peer_state::stalled));
    EXPECT_EQ(job->ready_elements, 2u);
    events.note_message(large, events.collected().size(), {});
    EXPECT_TRUE(large.is(peer_state::stalled)) << "it had something else to tell";
    answer(large, *job, 0, events.collected());
    events.note_message(large, 0, {});
    EXPECT_TRUE(large.is(peer_state::up));
}

TEST_F(UnequalNodes, that_give_back_too_much_are_not_kept_from_getting_more) {
    const auto job = make_job();
    large.give(job, block_of(0, 3), 1);
    large.stall();
    std::vector<scheduler::returned> back;
    large.collect({.what = kind::returned, .job = job->id, .first = 2, .count = 1}, {}, events.collected(),
                  back);
    events.note_message(large, 0, std::move(back));
    EXPECT_TRUE(large.is(peer_state::up)) << "a worker has nothing";
}

TEST_F(UnequalNodes, are_not_checked_from_here) {
    const auto job = make_job();
    job->timeout = std::chrono::milliseconds(1);
    add(job, 0, 8);
    EXPECT_EQ(small.check_at, procpool::detail::steady_time::max());
    EXPECT_EQ(large.check_at, procpool::detail::steady_time::max());
}

TEST_F(UnequalNodes, what_comes_back_is_ready_again_in_its_order) {
    const auto job = make_job();
    job->timing = &timing;
    small.stall();
    large.stall();
    dispatcher.add(job, block_of(6, 2));
    std::vector<scheduler::returned> back;
    back.push_back({job, block_of(0, 2)});
    back.push_back({job, block_of(2, 1)});
    back.back().elements.losses = 1;
    back.push_back({job, block_of(3, 3)});
    events.take_returned(std::move(back));
    std::vector<std::uint64_t> firsts;
    std::vector<unsigned> lost;
    for (const auto& some : job->ready) {
        firsts.push_back(some.first);
        lost.push_back(some.losses);
    }
    EXPECT_EQ(firsts, (std::vector<std::uint64_t>{0, 2, 3, 6}));
    EXPECT_EQ(lost, (std::vector<unsigned>{0, 1, 0, 0}));
    EXPECT_EQ(job->ready_elements, 8u);
}

TEST_F(UnequalNodes, what_comes_back_of_a_withdrawn_job_fails) {
    const auto withdrawn = make_job();
    const auto given_up = make_job();
    const auto wanted = make_job();
    withdrawn->error_when_withdrawn = std::make_exception_ptr(procpool::TaskCancelled("withdrawn"));
    given_up->error_when_withdrawn = withdrawn->error_when_withdrawn;
    given_up->abandoned = true;
    small.stall();
    large.stall();
    std::vector<scheduler::returned> back;
    back.push_back({withdrawn, block_of(0, 2)});
    back.push_back({given_up, block_of(0, 2)});
    back.push_back({wanted, block_of(0, 2)});
    events.take_returned(std::move(back));
    EXPECT_EQ(withdrawn->ready_elements, 0u);
    EXPECT_EQ(wanted->ready_elements, 2u);
    deliveries.begin_step();
    ASSERT_EQ(deliveries.of_peers().size(), 2u);
    for (const auto& one : deliveries.of_peers()) {
        EXPECT_EQ(one.job, withdrawn);
        EXPECT_EQ(one.error, withdrawn->error_when_withdrawn);
    }
}

TEST_F(UnequalNodes, a_call_does_not_join_those_that_were_on_a_lost_node) {
    const auto series = make_series(1);
    auto some = block_of(0, 1);
    some.losses = 1;
    small.stall();
    large.stall();
    dispatcher.push_front(series, std::move(some));
    const scheduler::block& next = series->open_block(8);
    EXPECT_EQ(next.first, 1u);
    EXPECT_EQ(next.losses, 0u);
    EXPECT_EQ(series->ready.size(), 2u);
}

}  // namespace node_scheduling_test
