// SPDX-License-Identifier: MIT
// What a node is told and what it tells, and a job as its node runs it. A node has no machine here: a test
// says what comes from it.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/mpi/forwarded_job.hpp"
#include "procpool/detail/mpi/node.hpp"
#include "procpool/detail/mpi/protocol.hpp"
#include "procpool/error.hpp"
#include "simulation/peer.hpp"
#include "support/nodes.hpp"

namespace node_messages_test {

using namespace nodes_support;

// ---- a node

/// A copy of a frame.
struct frame {
    mpi::frame_header header;
    std::vector<std::byte> payload;
};

class Node : public Nodes {
protected:
    Node() { node.open(2); }

    std::vector<frame> sent() {
        const wire::buffer message = node.take_output();
        std::vector<frame> all;
        mpi::each_frame(message.bytes(),
                        [&](const mpi::frame_header& header, std::span<const std::byte> bytes) {
                            EXPECT_EQ(header.pool, 7u);
                            all.push_back({header, {bytes.begin(), bytes.end()}});
                        });
        return all;
    }
    std::vector<kind> kinds_sent() {
        std::vector<kind> kinds;
        for (const frame& one : sent()) kinds.push_back(one.header.what);
        return kinds;
    }
    template <class Job>
    void give(const std::shared_ptr<Job>& job, std::uint64_t first, std::uint64_t count, unsigned lost = 0) {
        auto some = block_of(first, count);
        some.losses = lost;
        node.give(job, std::move(some), 1);
    }
    void values(const scheduler::remote_job& job, std::uint64_t first, std::uint64_t count) {
        came.push_back(block_of(first, count).bytes);
        node.collect(
            {.what = kind::values, .pool = 7, .job = job.id, .first = first, .count = count, .stride = 8},
            came.back().bytes(), results, back);
    }
    void returned(const scheduler::remote_job& job, std::uint64_t index) {
        node.collect({.what = kind::returned, .pool = 7, .job = job.id, .first = index, .count = 1}, {},
                     results, back);
    }
    void given_back() { node.collect({.what = kind::given_back, .pool = 7}, {}, results, back); }
    /// First and count of all results.
    std::vector<std::pair<std::uint64_t, std::uint64_t>> delivered() const {
        std::vector<std::pair<std::uint64_t, std::uint64_t>> all;
        for (const auto& one : results) all.emplace_back(one.first, one.count);
        return all;
    }

    mpi::node node{3, "far", 7};
    std::deque<wire::buffer> came;
    std::vector<scheduler::delivery> results;
    std::vector<scheduler::returned> back;
};

TEST_F(Node, is_told_of_a_job_once_and_then_of_its_elements) {
    const auto job = make_job();
    job->retries = 3;
    job->chunk = 5;
    give(job, 0, 2);
    give(job, 2, 3);
    const auto frames = sent();
    ASSERT_EQ(frames.size(), 3u);
    EXPECT_EQ(frames[0].header.what, kind::define);
    wire::cursor from(frames[0].payload);
    const auto settings = from.value<mpi::job_settings>();
    EXPECT_EQ(settings.retries, 3u);
    EXPECT_EQ(settings.chunk, 5u);
    EXPECT_EQ(frames[2].header.what, kind::run);
    EXPECT_EQ(frames[2].header.job, job->id);
    EXPECT_EQ(frames[2].header.first, 2u);
    EXPECT_EQ(frames[2].header.count, 3u);
    EXPECT_EQ(frames[2].payload.size(), 24u);
    EXPECT_FALSE(node.has_output());
    EXPECT_EQ(node.taken, 5u);
    node.forget(*job);
    node.forget(*job);
    EXPECT_EQ(kinds_sent(), std::vector{kind::forget}) << "once";
    give(job, 5, 1);
    EXPECT_EQ(kinds_sent(), (std::vector{kind::define, kind::run}));
}

TEST_F(Node, forgets_a_job_of_one_run_when_nothing_of_it_is_there) {
    const auto job = make_job(true);
    give(job, 0, 1);
    EXPECT_EQ(kinds_sent(), (std::vector{kind::define, kind::run}));
    values(*job, 0, 1);
    EXPECT_EQ(kinds_sent(), std::vector{kind::forget});
    EXPECT_FALSE(node.knows(*job));
}

TEST_F(Node, tells_that_it_runs_as_many_elements_as_it_has_workers) {
    const auto job = make_job();
    give(job, 0, 5);
    EXPECT_EQ(node.told().begun, 2u);
    EXPECT_EQ(node.told().claimed(), 2u);
    EXPECT_TRUE(node.work().has_waiting(*job, node.told().claimed()));
    values(*job, 1, 3);
    EXPECT_EQ(node.told().begun, 5u);
    EXPECT_FALSE(node.work().has_waiting(*job, node.told().claimed()));
    EXPECT_EQ(node.work().results(), 3u);
}

TEST_F(Node, what_it_tells_of_an_element_goes_with_its_result) {
    const auto job = make_job();
    give(job, 0, 6);
    node.collect({.what = kind::facts, .flag = 1, .pool = 7, .job = job->id, .first = 4, .count = 3}, {},
                 results, back);
    values(*job, 0, 2);
    values(*job, 4, 1);
    values(*job, 5, 1);
    ASSERT_EQ(results.size(), 3u);
    EXPECT_FALSE(results[0].history);
    ASSERT_TRUE(results[1].history);
    EXPECT_EQ(results[1].history->facts.attempts, 3u);
    EXPECT_TRUE(results[1].history->facts.asked_to_stop);
    EXPECT_EQ(results[1].history->index, 4u);
    EXPECT_FALSE(results[2].history);
}

TEST_F(Node, results_come_in_any_order_and_pieces) {
    const auto job = make_job();
    give(job, 0, 6);
    values(*job, 3, 2);
    values(*job, 0, 1);
    values(*job, 5, 1);
    values(*job, 1, 2);
    EXPECT_EQ(delivered(), (ranges{{3, 2}, {0, 1}, {5, 1}, {1, 2}}));
    EXPECT_EQ(node.work().elements(), 0u);
}

TEST_F(Node, results_that_it_cannot_have_are_refused_and_cost_no_element) {
    const auto job = make_job();
    give(job, 0, 3);
    values(*job, 0, 1);
    EXPECT_THROW(values(*job, 0, 2), procpool::SerializationError) << "the first one twice";
    EXPECT_THROW(values(*job, 2, 2), procpool::SerializationError);
    EXPECT_EQ(node.work().elements(), 2u) << "they can run elsewhere";
    EXPECT_EQ(delivered(), (ranges{{0, 1}}));
    EXPECT_THROW(node.collect({.what = kind::beat, .job = job->id}, {}, results, back),
                 procpool::SerializationError);
}

TEST_F(Node, results_of_a_job_that_is_over_are_ignored) {
    const auto job = make_job();
    give(job, 0, 2);
    node.forget(*job);
    values(*job, 0, 2);
    EXPECT_TRUE(results.empty());
}

TEST_F(Node, an_error_tells_the_attempts_before_and_the_host) {
    const auto job = make_job();
    give(job, 0, 3);
    const std::string attempts = "; attempt 1: died";
    wire::buffer payload;
    payload.append_value(std::uint64_t{attempts.size()});
    payload.append(attempts.data(), attempts.size());
    payload.append(simulation::thrown_record().data(), simulation::thrown_record().size());
    for (int twice = 0; twice < 2; ++twice)
        node.collect({.what = kind::error, .job = job->id, .first = 1, .count = 1, .pid = 99},
                     payload.bytes(), results, back);
    ASSERT_EQ(results.size(), 1u);
    EXPECT_EQ(results[0].what, scheduler::delivery::kind::error_record);
    EXPECT_EQ(results[0].first, 1u);
    EXPECT_EQ(results[0].pid, 99);
    EXPECT_EQ(results[0].history->note, attempts);
    EXPECT_EQ(*results[0].history->host, "far");
    EXPECT_EQ(results[0].bytes.size(), simulation::thrown_record().size());
    EXPECT_EQ(node.work().elements(), 2u);
}

TEST_F(Node, is_asked_once_to_give_back_until_it_has) {
    const auto job = make_job();
    EXPECT_TRUE(node.recall().empty());
    EXPECT_FALSE(node.has_output()) << "it has nothing";
    give(job, 0, 5);
    sent();
    EXPECT_TRUE(node.recall().empty());
    EXPECT_TRUE(node.recall().empty());
    EXPECT_EQ(kinds_sent(), std::vector{kind::give_back});
    given_back();
    node.recall();
    EXPECT_EQ(kinds_sent(), std::vector{kind::give_back});
}

TEST_F(Node, what_comes_back_is_in_order_and_in_one_piece_and_has_its_bytes) {
    const auto job = make_job();
    give(job, 0, 4);
    give(job, 4, 4, 1);  // was on a lost node
    for (std::uint64_t i = 2; i < 7; ++i) returned(*job, i);
    ASSERT_EQ(back.size(), 2u);
    EXPECT_EQ(back[0].elements.first, 2u);
    EXPECT_EQ(numbers_in(back[0].elements), numbers(2, 2));
    EXPECT_EQ(back[0].elements.losses, 0u);
    EXPECT_EQ(numbers_in(back[1].elements), numbers(4, 3));
    EXPECT_EQ(back[1].elements.losses, 1u);
    EXPECT_EQ(node.work().elements(), 3u);
    EXPECT_EQ(node.work().results(), 0u) << "they have no result";
    EXPECT_EQ(node.taken, 3u);
    returned(*job, 3);
    EXPECT_EQ(back.size(), 2u) << "it came back already";
    values(*job, 7, 1);
    returned(*job, 7);
    EXPECT_EQ(back.size(), 2u) << "it has a result";
    EXPECT_EQ(delivered(), (ranges{{7, 1}}));
}

TEST_F(Node, a_job_that_is_given_up_is_cancelled_and_not_asked_back) {
    const auto job = make_job();
    const auto other = make_job();
    give(job, 0, 3);
    give(other, 0, 2);
    give(job, 3, 2);
    sent();
    job->abandoned = true;
    job->end_running_since = 1;
    node.recall();
    const auto frames = sent();
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0].header.what, kind::cancel);
    EXPECT_EQ(frames[0].header.job, job->id);
    EXPECT_EQ(frames[0].header.flag, 1u) << "what runs is ended";
    EXPECT_EQ(node.work().elements(), 2u);
    values(*job, 0, 1);
    EXPECT_TRUE(results.empty());
}

TEST_F(Node, calls_of_a_series_are_given_up_one_by_one) {
    const auto series = make_series(6);
    give(series, 0, 6);
    sent();
    ASSERT_TRUE(series->give_up(1, std::make_exception_ptr(std::runtime_error("x")), 1));
    ASSERT_TRUE(series->give_up(4, std::make_exception_ptr(std::runtime_error("x")), 1));
    node.recall();
    const auto frames = sent();
    ASSERT_EQ(frames.size(), 2u);
    for (const frame& one : frames) EXPECT_EQ(one.header.what, kind::give_up);
    EXPECT_EQ(frames[0].header.first, 1u);
    EXPECT_EQ(frames[1].header.first, 4u);
    EXPECT_EQ(node.work().elements(), 4u);
    values(*series, 0, 6);  // they were on their way
    EXPECT_EQ(delivered(), (ranges{{0, 1}, {2, 1}, {3, 1}, {5, 1}}));
    for (const auto& one : results) {
        std::uint64_t number = 0;
        std::memcpy(&number, one.bytes.data(), sizeof number);
        EXPECT_EQ(number, one.first);
    }
    returned(*series, 4);
    EXPECT_TRUE(back.empty());
}

TEST_F(Node, what_a_lost_one_had_runs_elsewhere_once) {
    const auto job = make_job();
    const auto over = make_job();
    give(job, 0, 3);
    give(job, 3, 3, 1);
    give(over, 0, 2);
    values(*job, 1, 1);
    values(*job, 4, 1);
    results.clear();
    over->abandoned = true;
    const auto error = std::make_exception_ptr(std::runtime_error("lost"));
    const auto elsewhere = node.take_lost(false, error, results);
    ASSERT_EQ(elsewhere.size(), 2u);
    EXPECT_EQ(numbers_in(elsewhere[0].elements), numbers(0, 1));
    EXPECT_EQ(numbers_in(elsewhere[1].elements), numbers(2, 1));
    EXPECT_EQ(elsewhere[0].elements.losses, 1u);
    EXPECT_EQ(elsewhere[1].elements.losses, 1u);
    EXPECT_EQ(delivered(), (ranges{{3, 1}, {5, 1}})) << "they were on another lost node before";
    EXPECT_EQ(results[0].what, scheduler::delivery::kind::error);
    EXPECT_EQ(results[0].error, error);
    EXPECT_TRUE(node.is(peer_state::absent));
    EXPECT_FALSE(node.has_output());
    EXPECT_EQ(node.work().elements(), 0u);
}

TEST_F(Node, what_a_lost_one_had_fails_where_that_was_asked_for) {
    const auto job = make_job();
    give(job, 0, 3);
    const auto elsewhere = node.take_lost(true, std::make_exception_ptr(std::runtime_error("lost")), results);
    EXPECT_TRUE(elsewhere.empty());
    EXPECT_EQ(delivered(), (ranges{{0, 1}, {1, 1}, {2, 1}}));
}

// ---- a job as its node runs it

class ForwardedJob : public Nodes {
protected:
    std::shared_ptr<mpi::forwarded_job> make(bool are_calls) {
        wire::buffer definition;
        definition.append_value(false);
        wire::cursor from(definition.bytes());
        return std::make_shared<mpi::forwarded_job>(5, mpi::job_settings{.keeps_its_place = are_calls}, from,
                                                    up);
    }
    std::vector<std::pair<kind, std::uint64_t>> told() {
        const wire::buffer message = up.take();
        std::vector<std::pair<kind, std::uint64_t>> all;
        mpi::each_frame(message.bytes(), [&](const mpi::frame_header& header, std::span<const std::byte>) {
            all.emplace_back(header.what, header.first);
        });
        return all;
    }
    using frames = std::vector<std::pair<kind, std::uint64_t>>;
    mpi::outgoing_frames up{7};
    const std::exception_ptr given_back = mpi::forwarded_job::given_back();
};

TEST_F(ForwardedJob, tells_once_that_all_elements_are_back) {
    const auto job = make(false);
    up.expect_returned(5, 2);
    up.tell_when_all_returned();
    EXPECT_TRUE(told().empty());
    job->fail(3, given_back);
    EXPECT_EQ(told(), (frames{{kind::returned, 3}}));
    job->fail(4, given_back);
    EXPECT_EQ(told(), (frames{{kind::returned, 4}, {kind::given_back, 0}}));
    up.tell_when_all_returned();
    EXPECT_EQ(told(), (frames{{kind::given_back, 0}})) << "there was nothing";
}

TEST_F(ForwardedJob, tells_of_a_cancelled_element_as_of_an_error) {
    const auto job = make(false);
    up.expect_returned(5, 1);
    up.tell_when_all_returned();
    job->fail(3, std::make_exception_ptr(procpool::TaskCancelled("procpool: given back to another node")));
    EXPECT_EQ(told(), (frames{{kind::error, 3}})) << "what it says doesn't matter";
}

TEST_F(ForwardedJob, tells_how_many_attempts_were_made) {
    const auto job = make(false);
    job->facts->note(3, {.attempts = 2});
    EXPECT_EQ(told(), (frames{{kind::facts, 3}}));
}

TEST_F(ForwardedJob, is_not_waited_for_when_it_is_cancelled) {
    up.expect_returned(5, 2);
    up.expect_returned(6, 1);
    up.tell_when_all_returned();
    up.expect_none_of(5);
    up.expect_none_of(8);
    EXPECT_TRUE(told().empty());
    up.expect_none_of(6);
    EXPECT_EQ(told(), (frames{{kind::given_back, 0}}));
}

TEST_F(ForwardedJob, has_all_results_when_calls_are_given_up) {
    const auto job = make(true);
    job->add_submitted(3);
    job->publish(0, 1);
    EXPECT_FALSE(job->give_up(0, nullptr, 1)) << "it has a result";
    EXPECT_TRUE(job->give_up(1, nullptr, 1));
    EXPECT_FALSE(job->give_up(1, nullptr, 1));
    EXPECT_TRUE(job->has_dropped(0, 3));
    job->publish(1, 2);  // the one that was given up came to its end, too
    EXPECT_TRUE(job->has_all_results());
}

TEST_F(ForwardedJob, counts_a_call_that_comes_once_more) {
    const auto job = make(true);
    job->add_submitted(1);
    job->publish(0, 1);  // given back
    job->reopen(0, 1);
    job->add_submitted(1);
    EXPECT_FALSE(job->has_all_results());
    job->publish(0, 1);
    EXPECT_TRUE(job->has_all_results());
}

}  // namespace node_messages_test
