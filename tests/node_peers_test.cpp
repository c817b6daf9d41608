// SPDX-License-Identifier: MIT
// Peers of many workers that answer in any order: the books on what they have got, what they get, what is
// asked back from them, and their loss. A node has no machine here: a test says what comes from it.
#include <gtest/gtest.h>

#include <chrono>
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
#include "procpool/detail/scheduler/scheduler.hpp"
#include "procpool/detail/scheduler/window.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "procpool/error.hpp"
#include "simulation/job.hpp"
#include "simulation/peer.hpp"

namespace node_peers_test {

namespace mpi = procpool::detail::mpi;
namespace scheduler = procpool::detail::scheduler;
namespace wire = procpool::detail::wire;
using kind = mpi::frame_header::kind;
using scheduler::peer_state;
using simulation::simulated_job;
using simulation::simulated_series;

/// An element is its own number.
scheduler::block block_of(std::uint64_t first, std::uint64_t count) {
    scheduler::block made{.first = first, .count = count, .stride = 8, .bytes = {}, .pins = {}};
    for (std::uint64_t i = first; i < first + count; ++i) made.bytes.append_value(i);
    return made;
}
std::vector<std::uint64_t> numbers_in(const scheduler::block& some) {
    std::vector<std::uint64_t> numbers;
    for (wire::cursor from(some.payload()); from.left() > 0;) numbers.push_back(from.value<std::uint64_t>());
    return numbers;
}
std::vector<std::uint64_t> numbers(std::uint64_t first, std::uint64_t count) {
    std::vector<std::uint64_t> all;
    for (std::uint64_t i = first; i < first + count; ++i) all.push_back(i);
    return all;
}

class Nodes : public testing::Test {
protected:
    std::shared_ptr<simulated_job> make_job(bool once = false) {
        auto made = std::make_shared<simulated_job>(0, 1, once);
        made->id = ++last_id;
        made->timing = &timing;
        return made;
    }
    std::shared_ptr<simulated_series> make_series(std::uint64_t calls) {
        auto made = std::make_shared<simulated_series>(0, 1);
        made->id = ++last_id;
        made->timing = &timing;
        made->add_submitted(calls);
        return made;
    }
    scheduler::task_timing timing;
    std::uint64_t last_id = 0;
};

// ---- the books of a peer that answers in any order

class Books : public Nodes {
protected:
    void send(const std::shared_ptr<simulated_job>& job, std::uint64_t first, std::uint64_t count) {
        books.add_sent(job, std::make_shared<const scheduler::block>(block_of(first, count)));
    }
    /// First and count of each run.
    std::vector<std::pair<std::uint64_t, std::uint64_t>> parts() const {
        std::vector<std::pair<std::uint64_t, std::uint64_t>> all;
        for (const auto& one : books.runs()) all.emplace_back(one.elements.first, one.elements.count);
        return all;
    }
    void expect_counts() const {
        std::uint64_t elements = 0;
        std::size_t bytes = 0;
        for (const auto& one : books.runs()) {
            elements += one.elements.count;
            bytes += one.counted;
            EXPECT_EQ(numbers_in(scheduler::runs_in_flight::copy(one)),
                      numbers(one.elements.first, one.elements.count));
        }
        EXPECT_EQ(books.elements(), elements);
        EXPECT_EQ(books.bytes(), bytes);
        EXPECT_EQ(books.bytes(), 8 * elements);
        EXPECT_TRUE(books.all_sent());
    }
    using ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
    scheduler::runs_in_flight books;
};

TEST_F(Books, take_results_at_the_begin_in_the_middle_and_at_the_end) {
    const auto job = make_job();
    send(job, 10, 10);
    EXPECT_EQ(books.got(*job, 10, 2), 2u);
    EXPECT_EQ(parts(), (ranges{{12, 8}}));
    expect_counts();
    EXPECT_EQ(books.got(*job, 15, 2), 2u);
    EXPECT_EQ(parts(), (ranges{{12, 3}, {17, 3}}));
    expect_counts();
    EXPECT_EQ(books.got(*job, 19, 1), 1u);
    EXPECT_EQ(parts(), (ranges{{12, 3}, {17, 2}}));
    expect_counts();
    EXPECT_EQ(books.results(), 5u);
    EXPECT_EQ(books.got(*job, 12, 3), 3u);
    EXPECT_EQ(books.got(*job, 17, 2), 2u);
    EXPECT_TRUE(books.runs().empty());
    expect_counts();
    EXPECT_EQ(books.results(), 10u);
}

TEST_F(Books, take_results_across_parts_and_runs_in_whatever_order_these_were_sent) {
    const auto job = make_job();
    send(job, 10, 10);
    send(job, 0, 10);  // given back elsewhere, and sent later
    books.remove(*job, 12, 2);
    EXPECT_FALSE(books.has(*job, 5, 10)) << "two are missing";
    EXPECT_TRUE(books.has(*job, 5, 7));
    EXPECT_TRUE(books.has(*job, 14, 6));
    EXPECT_FALSE(books.has(*job, 14, 7));
    EXPECT_EQ(books.got(*job, 5, 10), 8u);
    EXPECT_EQ(parts(), (ranges{{15, 5}, {0, 5}}));
    expect_counts();
}

TEST_F(Books, do_not_count_an_element_twice_nor_one_of_another_job_nor_one_that_was_removed) {
    const auto job = make_job();
    const auto other = make_job();
    send(job, 0, 4);
    send(other, 0, 4);
    EXPECT_EQ(books.got(*job, 1, 1), 1u);
    EXPECT_EQ(books.got(*job, 1, 1), 0u);
    EXPECT_EQ(books.remove(*job, 0, 1), 1u);
    EXPECT_EQ(books.got(*job, 0, 2), 0u);
    EXPECT_EQ(books.results(), 1u) << "what was removed has no result";
    EXPECT_EQ(books.got(*job, 4, 100), 0u);
    EXPECT_EQ(books.elements(), 6u);
    EXPECT_TRUE(books.has(*other, 0, 4));
    EXPECT_FALSE(books.has(*job, 1));
    EXPECT_TRUE(books.has(*job, 2));
    expect_counts();
}

TEST_F(Books, account_for_all_bytes_where_elements_differ_in_size) {
    const auto job = make_job();
    auto some = block_of(0, 3);
    some.bytes.extend(5);  // 29 bytes of 3 elements
    books.add_sent(job, std::make_shared<const scheduler::block>(std::move(some)));
    EXPECT_EQ(books.bytes(), 29u);
    books.remove(*job, 1, 1);
    EXPECT_LE(books.bytes(), 29u);
    EXPECT_GT(books.bytes(), 0u);
    books.got(*job, 0, 1);
    books.got(*job, 2, 1);
    EXPECT_EQ(books.bytes(), 0u);
    EXPECT_EQ(books.elements(), 0u);
}

TEST_F(Books, leave_the_parts_that_have_no_result) {
    const auto job = make_job();
    send(job, 0, 6);
    books.got(*job, 2, 2);
    const auto left = books.take_unfinished();
    ASSERT_EQ(left.size(), 2u);
    EXPECT_EQ(numbers_in(scheduler::runs_in_flight::copy(left[0])), numbers(0, 2));
    EXPECT_EQ(numbers_in(scheduler::runs_in_flight::copy(left[1])), numbers(4, 2));
    EXPECT_EQ(books.elements(), 0u);
    EXPECT_EQ(books.bytes(), 0u);
}

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
        some.lost = lost;
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
    using ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

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
    EXPECT_EQ(results[0].note, attempts);
    EXPECT_EQ(*results[0].host, "far");
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
    EXPECT_EQ(back[0].elements.lost, 0u);
    EXPECT_EQ(numbers_in(back[1].elements), numbers(4, 3));
    EXPECT_EQ(back[1].elements.lost, 1u);
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
    EXPECT_EQ(elsewhere[0].elements.lost, 1u);
    EXPECT_EQ(elsewhere[1].elements.lost, 1u);
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

// ---- the scheduler's parts with nodes

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
    scheduler::peer_events events{group, dispatcher, supervisor, deliveries, nullptr};
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
    EXPECT_EQ(scheduler::elements_to_give(*job, 4, 3, 11, 88, ~std::uint64_t{0}), 12u)
        << "one worker has none";
    EXPECT_EQ(scheduler::elements_to_give(*job, 4, 3, 12, 96, ~std::uint64_t{0}), 0u);
    EXPECT_EQ(scheduler::elements_to_give(*job, 4, 1, 3, 24, ~std::uint64_t{0}),
              scheduler::elements_to_give(*job, 4, 3, 24, ~std::uint64_t{0}));
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
    back.back().elements.lost = 1;
    back.push_back({job, block_of(3, 3)});
    events.take_returned(std::move(back));
    std::vector<std::uint64_t> firsts;
    std::vector<unsigned> lost;
    for (const auto& some : job->ready) {
        firsts.push_back(some.first);
        lost.push_back(some.lost);
    }
    EXPECT_EQ(firsts, (std::vector<std::uint64_t>{0, 2, 3, 6}));
    EXPECT_EQ(lost, (std::vector<unsigned>{0, 1, 0, 0}));
    EXPECT_EQ(job->ready_elements, 8u);
}

TEST_F(UnequalNodes, what_comes_back_of_a_withdrawn_job_fails) {
    const auto withdrawn = make_job();
    const auto given_up = make_job();
    const auto wanted = make_job();
    withdrawn->withdrawn = std::make_exception_ptr(procpool::TaskCancelled("withdrawn"));
    given_up->withdrawn = withdrawn->withdrawn;
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
        EXPECT_EQ(one.error, withdrawn->withdrawn);
    }
}

TEST_F(UnequalNodes, a_call_does_not_join_those_that_were_on_a_lost_node) {
    const auto series = make_series(1);
    auto some = block_of(0, 1);
    some.lost = 1;
    small.stall();
    large.stall();
    dispatcher.push_front(series, std::move(some));
    const scheduler::block& next = series->open_block(8);
    EXPECT_EQ(next.first, 1u);
    EXPECT_EQ(next.lost, 0u);
    EXPECT_EQ(series->ready.size(), 2u);
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
    const std::exception_ptr given_back =
        std::make_exception_ptr(procpool::TaskCancelled(mpi::outgoing_frames::given_back_text));
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

}  // namespace node_peers_test
