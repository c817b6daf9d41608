// SPDX-License-Identifier: MIT
// The parts of the scheduler, each by itself, with peers that do what the test says: the states of a peer,
// the supervisor, the dispatcher, deliveries, and the recovery after a death. Together they are simulated.
#include "procpool/detail/scheduler/scheduler.hpp"

#include <gtest/gtest.h>
#include <cereal/types/memory.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "simulation/job.hpp"
#include "simulation/peer.hpp"

namespace scheduler_test {

using namespace std::chrono_literals;
namespace job = procpool::detail::job;
namespace scheduler = procpool::detail::scheduler;
using scheduler::peer_state;
using simulation::behaviour;
using simulation::simulated_job;
using simulation::simulated_peer;

// ---- the states of a peer

TEST(PeerState, leads_from_a_start_to_a_death_and_to_a_new_start) {
    scheduler::peer_state_machine state;
    EXPECT_TRUE(state.is(peer_state::absent));
    for (const auto next : {peer_state::starting, peer_state::up, peer_state::stalled, peer_state::up,
                            peer_state::terminating, peer_state::draining, peer_state::dead,
                            peer_state::absent, peer_state::starting, peer_state::absent}) {
        EXPECT_TRUE(state.may_follow(state.state(), next));
        state.become(next);
        EXPECT_TRUE(state.is(next));
    }
}

TEST(PeerState, comes_back_to_life_only_by_a_new_start) {
    using machine = scheduler::peer_state_machine;
    for (const auto ending : {peer_state::terminating, peer_state::draining, peer_state::dead})
        for (const auto alive : {peer_state::starting, peer_state::up, peer_state::stalled})
            EXPECT_FALSE(machine::may_follow(ending, alive));
    EXPECT_FALSE(machine::may_follow(peer_state::absent, peer_state::up));
    EXPECT_FALSE(machine::may_follow(peer_state::dead, peer_state::terminating));
}

// ---- what the others need

/// Notes what is asked of it.
class noted_group final : public scheduler::peer_group {
public:
    explicit noted_group(std::size_t count) : all(count) {
        for (auto& one : all) {
            one.connect();
            one.tell_start();
            one.words().ready.store(1);
            add(one);
        }
    }
    void send(scheduler::peer& to) override { static_cast<simulated_peer&>(to).transfer(1000); }
    void end(scheduler::peer&, ending how) override { ends += how == ending::asked ? "asked " : "killed "; }
    void forget(const scheduler::remote_job&, bool) override {}
    scheduler::death examine(scheduler::peer&, const scheduler::runs_in_flight::running&,
                             const scheduler::block&) override {
        return {"died", std::make_exception_ptr(std::runtime_error("died"))};
    }
    std::vector<simulated_peer> all;
    std::string ends;
};

class Scheduling : public testing::Test {
protected:
    explicit Scheduling(std::size_t peers = 2) : group(peers) {}

    std::shared_ptr<simulated_job> make_job(std::uint64_t elements) {
        auto made = std::make_shared<simulated_job>(0, 1, false);
        made->id = ++last_id;
        made->timing = &timing;
        made->elements.resize(elements);
        return made;
    }
    static scheduler::block block_of(simulated_job& of, std::uint64_t begin, std::uint64_t count) {
        scheduler::block made{.first = begin, .count = count, .stride = 8, .bytes = {}, .pins = {}};
        for (std::uint64_t i = begin; i < begin + count; ++i) made.bytes.append_value(of.number(i));
        of.add_submitted(count);
        return made;
    }
    void give(simulated_peer& to, const std::shared_ptr<simulated_job>& of, std::uint64_t from,
              std::uint64_t count) {
        to.give(of, block_of(*of, from, count), 1);
        group.send(to);
    }
    void begin(simulated_peer& one) { one.begin_next(clock.now()); }
    void pass(std::chrono::nanoseconds time) { clock.advance_to(clock.now() + time); }
    void check(simulated_peer& one) {
        one.check_at = procpool::detail::steady_time::max();
        supervisor.enforce_limits(one, clock.now());
    }

    noted_group group;
    simulation::simulated_clock clock;
    scheduler::supervisor supervisor{group, clock, 10ms};
    scheduler::dispatcher dispatcher{group, supervisor, ~std::uint64_t{0}, nullptr};
    scheduler::task_timing timing;
    std::uint64_t last_id = 0;
    simulated_peer& first = group.all[0];
    simulated_peer& second = group.all[1];
};

// ---- the supervisor

class Supervisor : public Scheduling {};

TEST_F(Supervisor, asks_a_peer_to_end_when_a_limit_is_over_and_kills_it_after_the_grace) {
    const auto limited = make_job(1);
    limited->timeout = 50ms;
    give(first, limited, 0, 1);
    supervisor.schedule_check(first, *limited);
    EXPECT_EQ(first.check_at, clock.now() + 50ms);
    pass(20ms);
    begin(first);
    pass(30ms);
    check(first);
    EXPECT_EQ(group.ends, "") << "it began later";
    EXPECT_EQ(first.check_at, clock.now() + 20ms);
    pass(20ms);
    check(first);
    EXPECT_EQ(group.ends, "asked ");
    EXPECT_TRUE(first.is(peer_state::terminating));
    EXPECT_EQ(first.check_at, clock.now() + 10ms);
    pass(10ms);
    check(first);
    EXPECT_EQ(group.ends, "asked killed ");
}

TEST_F(Supervisor, ends_what_runs_for_nobody_soon_and_leaves_others_alone) {
    const auto wanted = make_job(1);
    const auto dropped = make_job(1);
    give(first, wanted, 0, 1);
    give(second, dropped, 0, 1);
    begin(first);
    begin(second);
    pass(100ms);
    dropped->end_running_since = procpool::detail::ns_of(clock.now());
    check(first);
    check(second);
    EXPECT_EQ(group.ends, "");
    EXPECT_EQ(second.check_at, clock.now() + scheduler::cancel_grace);
    pass(scheduler::cancel_grace);
    check(first);
    check(second);
    EXPECT_EQ(group.ends, "asked ");
    EXPECT_TRUE(first.can_work());
    EXPECT_TRUE(second.terminated_for());
}

TEST_F(Supervisor, sees_that_an_element_stalls_others_behind_it) {
    timing.add(1e6, 1);  // 1 ms is usual
    const auto slow = make_job(2);
    give(first, slow, 0, 2);
    begin(first);
    pass(2ms);
    EXPECT_FALSE(supervisor.stalls(first, clock.now()));
    EXPECT_EQ(first.check_at, clock.now() + 2ms) << "four times as long as usual";
    pass(2ms);
    EXPECT_TRUE(supervisor.stalls(first, clock.now()));
    give(second, slow, 0, 1);
    begin(second);
    pass(1s);
    EXPECT_FALSE(supervisor.stalls(second, clock.now())) << "nothing waits behind it";
}

TEST_F(Supervisor, checks_ever_more_rarely_what_shows_nothing_new) {
    const auto some = make_job(2);
    give(first, some, 0, 2);
    auto pause = 0ns;
    for (int n = 0; n < 5; ++n) {
        first.check_at = procpool::detail::steady_time::max();
        supervisor.back_off(first);
        EXPECT_GT(first.check_at - clock.now(), pause);
        pause = first.check_at - clock.now();
    }
    supervisor.schedule_collection(first);
    first.check_at = procpool::detail::steady_time::max();
    supervisor.back_off(first);
    EXPECT_LT(first.check_at - clock.now(), pause) << "a result has come";
}

// ---- the dispatcher

class Dispatcher : public Scheduling {};

TEST_F(Dispatcher, gives_a_single_element_to_the_peer_that_has_least) {
    const auto some = make_job(3);
    give(first, some, 0, 1);
    dispatcher.add(some, block_of(*some, 1, 1));
    EXPECT_EQ(second.work().elements(), 1u);
    EXPECT_EQ(some->ready_elements, 0u);
}

TEST_F(Dispatcher, gives_nothing_to_peers_that_stall_end_or_are_dead) {
    first.stall();
    second.drain();
    const auto some = make_job(1);
    dispatcher.add(some, block_of(*some, 0, 1));
    dispatcher.dispatch();
    EXPECT_EQ(some->ready_elements, 1u);
    first.unstall();
    dispatcher.dispatch();
    EXPECT_EQ(first.work().elements(), 1u);
}

TEST_F(Dispatcher, lets_jobs_take_turns_and_keeps_what_comes_back_in_front) {
    const auto one = make_job(9);
    dispatcher.add(one, block_of(*one, 3, 6));
    dispatcher.dispatch();
    EXPECT_EQ(first.work().elements() + second.work().elements(), 2u) << "nothing is known of its time";
    dispatcher.push_front(one, block_of(*one, 0, 3));
    EXPECT_EQ(one->ready.front().first, 0u);
    EXPECT_EQ(one->ready_elements, 7u);
}

TEST_F(Dispatcher, takes_back_what_is_not_claimed) {
    const auto some = make_job(4);
    give(first, some, 0, 4);
    begin(first);
    EXPECT_TRUE(dispatcher.take_back(first));
    EXPECT_EQ(first.work().elements(), 1u) << "the one that runs";
    EXPECT_EQ(some->ready_elements, 3u);
    EXPECT_TRUE(first.is(peer_state::stalled));
    dispatcher.dispatch();
    EXPECT_GT(second.work().elements(), 0u);
}

TEST_F(Dispatcher, does_not_give_out_what_was_given_up) {
    const auto some = make_job(5);
    first.stall();
    second.stall();
    dispatcher.add(some, block_of(*some, 0, 5));
    dispatcher.drop(*some, 2);
    EXPECT_EQ(some->ready_elements, 4u);
    some->abandoned = true;
    dispatcher.push_front(some, block_of(*some, 2, 1));
    EXPECT_EQ(some->ready_elements, 4u);
}

// ---- recovery

class Recovery : public Scheduling {
protected:
    std::vector<scheduler::delivery> recover(simulated_peer& one) {
        std::vector<scheduler::delivery> errors;
        one.die();
        recovery.recover(one, errors);
        return errors;
    }
    scheduler::delayed_tries again{dispatcher, clock};
    scheduler::recovery recovery{group, dispatcher, again, nullptr};
};

TEST_F(Recovery, fails_the_element_that_was_running_and_runs_the_others_elsewhere) {
    const auto some = make_job(4);
    give(first, some, 0, 4);
    begin(first);
    const auto errors = recover(first);
    ASSERT_EQ(errors.size(), 1u);
    EXPECT_EQ(errors[0].first, 0u);
    EXPECT_TRUE(errors[0].error);
    EXPECT_EQ(some->ready_elements, 3u);
    EXPECT_EQ(some->ready.front().first, 1u);
}

TEST_F(Recovery, blames_nobody_if_nothing_was_running) {
    const auto some = make_job(2);
    give(first, some, 0, 2);
    EXPECT_TRUE(recover(first).empty());
    EXPECT_EQ(some->ready_elements, 2u);
}

TEST_F(Recovery, tries_again_as_often_as_the_job_says_and_tells_how_it_ended) {
    const auto some = make_job(1);
    some->retries = 1;
    give(first, some, 0, 1);
    begin(first);
    EXPECT_TRUE(recover(first).empty());
    ASSERT_EQ(some->ready_elements, 1u);
    EXPECT_EQ(some->ready.front().attempts, std::vector<std::string>{"died"});
    dispatcher.dispatch();
    begin(second);
    EXPECT_EQ(recover(second).size(), 1u);
}

TEST_F(Recovery, forgives_an_element_that_dies_for_the_sake_of_another) {
    const auto some = make_job(2);
    give(first, some, 0, 2);
    begin(first);
    first.terminate_for({simulated_peer::termination::reason::timeout, 0, clock.now()});
    first.end_element(false, clock.now());
    begin(first);
    std::vector<scheduler::delivery> results;
    first.collect_remains(results);
    EXPECT_EQ(results.size(), 1u);
    EXPECT_TRUE(recover(first).empty());
    EXPECT_EQ(some->ready_elements, 1u);
}

// ---- deliveries

TEST_F(Scheduling, deliveries_reach_their_jobs_without_the_lock_and_end_if_anything_throws) {
    std::mutex mutex;
    procpool::detail::job::pool_lock held(mutex);
    const auto some = make_job(3);
    scheduler::deliveries deliveries;
    const procpool::detail::job::callback_runner user({});
    deliveries.fail(some, 0, std::make_exception_ptr(std::runtime_error("bad")));
    deliveries.fail(some, 1, std::make_exception_ptr(std::runtime_error("bad")));
    EXPECT_TRUE(deliveries.has_local());
    deliveries.begin_step();
    unsigned published = 0, failed = 0;
    const auto deliver = [&](bool throws) {
        deliveries.deliver(
            held, user, nullptr,
            [&](const scheduler::delivery&) {
                EXPECT_TRUE(held.owns_lock());
                if (throws) throw std::bad_alloc();
                ++published;
            },
            [&](const scheduler::delivery&) { ++failed; });
    };
    deliver(false);
    EXPECT_EQ(published, 2u);
    EXPECT_EQ(some->elements[1].errors, 1u);
    deliveries.fail(some, 2, std::make_exception_ptr(std::runtime_error("bad")));
    deliveries.begin_step();
    EXPECT_THROW(deliver(true), std::bad_alloc);
    EXPECT_TRUE(held.owns_lock());
    EXPECT_FALSE(some->delivering());
    EXPECT_TRUE(deliveries.of_peers().empty());
}

}  // namespace scheduler_test
