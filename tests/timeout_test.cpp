// SPDX-License-Identifier: MIT
// MapOptions::timeout and TaskOptions::timeout: what runs too long is ended, and costs nothing else.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/pool.hpp"
#include "support/processes.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"

namespace timeout_test {

namespace mp = procpool;
using namespace std::chrono_literals;

[[noreturn]] void sleep_for_ever() {
    for (;;) ::pause();
}

int hang_at_3(int i) {
    if (i == 3) sleep_for_ever();
    return 2 * i;
}
int hang_always(int) { sleep_for_ever(); }

template <class R>
std::string text_of_timeout(const mp::Outcome<R>& outcome) {
    try {
        outcome.value();
    } catch (const mp::TaskTimeout& timeout) {
        return timeout.what();
    } catch (const std::exception& other) {
        ADD_FAILURE() << other.what();
    }
    return {};
}

struct shared_state {
    std::atomic<int> runs{0};
    std::atomic<int> cleaned_up{0};
    std::array<int, 8> order{};  // which calls ran, by one worker
    test::gate gate;
    test::gate second_gate;
};
test::shared<shared_state> state;

class Timeout : public testing::Test {
protected:
    Timeout() { state.reset(); }
};

TEST_F(Timeout, fails_that_element_and_all_others_have_their_results) {
    mp::Pool pool(2);
    for (const std::ptrdiff_t chunk : {1, 4, 12}) {
        const auto outcomes =
            pool.try_map(hang_at_3, test::views::iota(0, 12), {.chunksize = chunk, .timeout = 50ms});
        for (int i = 0; i < 12; ++i) {
            const auto& outcome = outcomes[static_cast<std::size_t>(i)];
            if (i == 3) {
                const std::string text = text_of_timeout(outcome);
                EXPECT_NE(text.find("element 3"), std::string::npos) << text;
                EXPECT_NE(text.find("limit of 50 ms"), std::string::npos) << text;
            } else {
                ASSERT_TRUE(outcome.has_value());
                EXPECT_EQ(*outcome, 2 * i);
            }
        }
    }
    EXPECT_EQ(pool.apply(hang_at_3, 4), 8);
}

TEST_F(Timeout, error_tells_worker_signal_and_index) {
    mp::Pool pool(1);
    const long worker = pool.apply([] { return static_cast<long>(::getpid()); });
    try {
        pool.map(hang_at_3, test::views::iota(3, 5), {.timeout = 20ms});
        FAIL();
    } catch (const mp::TaskTimeout& timeout) {
        EXPECT_EQ(timeout.pid(), worker);
        EXPECT_EQ(timeout.signal(), SIGTERM);
        EXPECT_FALSE(timeout.exit_code());
        EXPECT_EQ(timeout.index(), 0u);
        EXPECT_GE(timeout.run_time(), 20ms);
    }
}

TEST_F(Timeout, ends_a_single_call_and_others_have_their_own_limits) {
    mp::Pool pool(2);
    auto hanging = pool.apply_async({.timeout = 30ms}, hang_always, 1);
    auto unlimited = pool.apply_async(
        [](int i) {
            state->gate.pass();
            return i;
        },
        7);
    EXPECT_THROW(hanging.get(), mp::TaskTimeout);
    EXPECT_FALSE(unlimited.ready());
    state->gate.open();
    EXPECT_EQ(unlimited.get(), 7);
    EXPECT_THROW(pool.apply({.timeout = 1ms}, hang_always, 1), mp::TaskTimeout);
}

TEST_F(Timeout, counts_from_the_elements_own_start_not_from_the_call) {
    mp::Pool pool(1);
    // One after the other they take longer than the limit, and each of them far less.
    const auto nap = [](int i) {
        ::usleep(20'000);
        return i;
    };
    const auto results = pool.map(nap, test::views::iota(0, 40), {.chunksize = 40, .timeout = 500ms});
    EXPECT_EQ(results.size(), 40u);
}

TEST_F(Timeout, of_every_element_ends_them_all) {
    mp::Pool pool(2);
    const auto outcomes =
        pool.try_map(hang_always, test::views::iota(0, 10), {.chunksize = 5, .timeout = 5ms});
    for (const auto& outcome : outcomes) EXPECT_FALSE(text_of_timeout(outcome).empty());
    EXPECT_EQ(pool.apply(hang_at_3, 1), 2);
}

TEST_F(Timeout, lets_a_task_clean_up_and_kills_it_after_the_grace) {
    const auto stubborn = [](int) -> int {
        ::signal(SIGTERM, [](int) { state->cleaned_up.fetch_add(1); });
        sleep_for_ever();
    };
    mp::Pool pool({.processes = 1, .terminate_grace = 30ms});
    try {
        pool.apply({.timeout = 30ms}, stubborn, 1);
        FAIL();
    } catch (const mp::TaskTimeout& timeout) {
        EXPECT_EQ(timeout.signal(), SIGKILL);
    }
    EXPECT_EQ(state->cleaned_up.load(), 1);
}

TEST_F(Timeout, of_a_stopped_worker_is_enforced_too) {
    mp::Pool pool({.processes = 1, .terminate_grace = 20ms});
    const auto stop = [](int i) {
        ::kill(::getpid(), SIGSTOP);
        return i;
    };
    EXPECT_THROW(pool.apply({.timeout = 30ms}, stop, 1), mp::TaskTimeout);
    EXPECT_EQ(pool.apply(hang_at_3, 1), 2);
}

TEST_F(Timeout, works_while_nobody_waits) {
    mp::Pool pool(1);
    std::atomic<bool> told{false};
    auto result = pool.apply_async({.timeout = 20ms}, hang_always, 1);
    result.error_callback([&](const std::exception_ptr&) { told = true; });
    EXPECT_TRUE(test::eventually([&] { return told.load(); }));
    EXPECT_THROW(result.get(), mp::TaskTimeout);
}

TEST_F(Timeout, in_imap_is_thrown_at_its_place) {
    mp::Pool pool(2);
    auto results = pool.imap(hang_at_3, test::views::iota(0, 6), {.timeout = 50ms});
    for (int i = 0; i < 6; ++i) {
        if (i == 3) {
            EXPECT_THROW(results.next(), mp::TaskTimeout);
        } else {
            EXPECT_EQ(results.next(), 2 * i);
        }
    }
    EXPECT_EQ(results.next(), std::nullopt);
}

TEST_F(Timeout, and_retries_run_the_element_again) {
    mp::Pool pool(2);
    const auto hang_once = [](int i) {
        if (i == 2 && state->runs.fetch_add(1) == 0) sleep_for_ever();
        return i;
    };
    EXPECT_EQ(pool.map(hang_once, test::views::iota(0, 4), {.timeout = 100ms, .retries = 1}),
              (std::vector{0, 1, 2, 3}));
    const auto outcomes = pool.try_map(hang_always, test::views::iota(0, 1), {.timeout = 10ms, .retries = 2});
    const std::string text = text_of_timeout(outcomes[0]);
    EXPECT_NE(text.find("3 attempts"), std::string::npos) << text;
    EXPECT_NE(text.find("attempt 2: exceeded the limit of 10 ms"), std::string::npos) << text;
}

TEST_F(Timeout, that_is_never_reached_costs_nothing) {
    mp::Pool pool(2);
    const auto results =
        pool.map([](int i) { return i; }, test::views::iota(0, 20'000), {.chunksize = 1, .timeout = 20s});
    for (int i = 0; i < 20'000; ++i) ASSERT_EQ(results[static_cast<std::size_t>(i)], i);
}

TEST_F(Timeout, hits_innocent_neighbours_in_the_same_worker_only_as_a_second_run) {
    mp::Pool pool(1);
    for (int round = 0; round < 20; ++round) {
        // The sleeper ends at about its limit: whether it is in time or not, the one behind it has its value.
        const auto sleeper = [](int i) {
            if (i == 0) ::usleep(5000);
            return i;
        };
        const auto outcomes =
            pool.try_map(sleeper, test::views::iota(0, 3), {.chunksize = 3, .timeout = 5ms});
        if (!outcomes[0].has_value()) {
            EXPECT_FALSE(text_of_timeout(outcomes[0]).empty());
        }
        // They take no time, but the machine may: then it is the limit as well.
        for (std::size_t i = 1; i < 3; ++i) {
            if (!outcomes[i].has_value()) {
                EXPECT_FALSE(text_of_timeout(outcomes[i]).empty());
            }
        }
    }
}

TEST_F(Timeout, of_any_length_is_no_overflow) {
    mp::Pool pool({.processes = 1, .terminate_grace = std::chrono::nanoseconds::max()});
    for (const auto limit : {std::chrono::nanoseconds::max(), std::chrono::nanoseconds::max() - 1ns,
                             std::chrono::nanoseconds(std::chrono::hours(24 * 365 * 250))})
        EXPECT_EQ(pool.map(hang_at_3, test::views::iota(4, 6), {.timeout = limit}), (std::vector{8, 10}));
    EXPECT_THROW(pool.apply({.timeout = 5ms}, hang_always, 1), mp::TaskTimeout);
}

TEST_F(Timeout, of_nothing_or_less_is_refused) {
    mp::Pool pool(1);
    EXPECT_THROW(pool.map(hang_at_3, test::views::iota(0, 1), {.timeout = 0ms}), std::invalid_argument);
    EXPECT_THROW(pool.apply({.timeout = -1s}, hang_at_3, 1), std::invalid_argument);
    EXPECT_THROW(mp::Pool({.processes = 1, .initializer_timeout = 0s}, [] {}), std::invalid_argument);
    EXPECT_THROW(mp::Pool({.processes = 1, .terminate_grace = -1s}), std::invalid_argument);
}

TEST_F(Timeout, of_the_initializer_fails_the_pool_after_a_few_attempts) {
    // Long enough for a worker to get into it, also where it has a CPU only now and then.
    mp::Pool pool({.processes = 1, .initializer_timeout = 300ms, .restart_limit = 2}, [] {
        state->runs.fetch_add(1);
        sleep_for_ever();
    });
    EXPECT_THROW(pool.apply(hang_at_3, 1), mp::TaskTimeout);
    EXPECT_EQ(state->runs.load(), 3);
}

TEST_F(Timeout, of_the_initializer_is_survived_if_it_is_slow_only_once) {
    mp::Pool pool({.processes = 1, .initializer_timeout = 100ms}, [] {
        if (state->runs.fetch_add(1) == 0) sleep_for_ever();
    });
    EXPECT_EQ(pool.apply(hang_at_3, 1), 2);
    EXPECT_EQ(state->runs.load(), 2);
}

TEST_F(Timeout, is_enforced_while_another_thread_waits_for_something_else) {
    mp::Pool pool(2);
    for (int round = 0; round < 20; ++round) {
        state.reset();
        auto other = pool.apply_async([] { state->gate.pass(); });
        std::atomic<long> waiter{0};
        std::thread waits([&] {
            waiter = ::gettid();
            other.get();
        });
        EXPECT_TRUE(test::eventually([&] { return waiter != 0 && test::look_at(waiter).state == 'S'; }));
        auto late = pool.apply_async({.timeout = 20ms}, hang_always, 0);
        EXPECT_THROW(late.get(20s), mp::TaskTimeout);
        state->gate.open();
        waits.join();
    }
}

// ---- results that a slow element would hold back

TEST_F(Timeout, quick_result_does_not_wait_for_a_slow_element_behind_it) {
    mp::Pool pool(1);
    const auto quick = [](int i) { return i; };
    for (int i = 0; i < 50; ++i) pool.apply(quick, i);  // known to be quick: more is sent ahead
    for (int round = 0; round < 20; ++round) {
        state.reset();
        auto first = pool.apply_async(quick, 41);
        auto text =
            pool.apply_async([](int i) { return std::string(static_cast<std::size_t>(i), 'x'); }, 100);
        auto error = pool.apply_async([](int) -> int { throw std::range_error("quick"); }, 1);
        auto slow = pool.apply_async(
            [](int i) {
                state->gate.pass();
                return i;
            },
            2);
        auto behind = pool.apply_async(quick, 43);
        EXPECT_EQ(first.get(20s), 41);
        EXPECT_EQ(text.get(20s), std::string(100, 'x'));
        EXPECT_THROW(error.get(20s), std::range_error);
        EXPECT_FALSE(slow.ready());
        state->gate.open();
        EXPECT_EQ(slow.get(), 2);
        EXPECT_EQ(behind.get(), 43);
    }
}

TEST_F(Timeout, element_behind_a_slow_one_runs_elsewhere) {
    mp::Pool pool(2);
    const auto quick = [](int i) { return i; };
    for (int i = 0; i < 50; ++i) pool.apply(quick, i);
    auto slow = pool.apply_async(
        [](int i) {
            state->gate.pass();
            return i;
        },
        1);
    std::vector<mp::AsyncResult<int>> many;
    for (int i = 0; i < 2000; ++i) many.push_back(pool.apply_async(quick, i));
    for (int i = 0; i < 2000; ++i) ASSERT_EQ(many[static_cast<std::size_t>(i)].get(20s), i);
    EXPECT_FALSE(slow.ready());
    state->gate.open();
    EXPECT_EQ(slow.get(), 1);
}

TEST_F(Timeout, elements_that_are_taken_back_run_before_those_that_came_later) {
    mp::Pool pool(1);
    const auto note = [](int i) { state->order.at(static_cast<std::size_t>(state->runs++)) = i; };
    for (int round = 0; round < 20; ++round) {
        state.reset();
        for (int i = 0; i < 3; ++i) pool.apply(note, 0);  // known to be quick: more is sent ahead
        auto slow = pool.apply_async([] {
            ++state->runs;
            state->gate.pass();
        });
        EXPECT_TRUE(test::eventually([] { return state->runs == 4; }));
        std::vector<mp::AsyncResult<void>> ahead;
        for (const int i : {1, 2, 3}) ahead.push_back(pool.apply_async(note, i));
        // Nothing is known of this one: it waits in the program.
        auto last = pool.apply_async([note](int i) { note(i); }, 4);
        ahead.back().cancel();  // for which all that the worker has not begun is taken back
        state->gate.open();
        last.get();
        EXPECT_EQ(state->order, (std::array{0, 0, 0, 0, 1, 2, 4, 0}));
    }
}

TEST_F(Timeout, result_does_not_wait_for_a_slow_element_behind_it_in_its_chunk) {
    mp::Pool pool(1);
    // After so many quick ones a worker doesn't look at the clock between the last two.
    const auto task = [](int i) {
        if (i == 98) state->gate.pass();
        if (i == 99) state->second_gate.pass();
        return i;
    };
    for (int round = 0; round < 10; ++round) {
        state.reset();
        auto results = pool.imap(task, test::views::iota(0, 100), {.chunksize = 100});
        for (int i = 0; i < 98; ++i) EXPECT_EQ(results.next(20s), i);
        EXPECT_THROW(results.next(5ms), mp::TimeoutError);
        state->gate.open();
        EXPECT_EQ(results.next(20s), 98);
        state->second_gate.open();
        EXPECT_EQ(results.next(20s), 99);
    }
}

TEST_F(Timeout, quick_element_that_waits_for_the_next_one_gets_what_it_waits_for) {
    mp::Pool pool(2);
    const auto task = [](int i) {
        if (i == 700) state->gate.pass();
        if (i == 701) state->gate.open();
        return i;
    };
    for (int round = 0; round < 10; ++round) {
        state.reset();
        auto results = pool.map_async(task, test::views::iota(0, 1000), {.chunksize = 1});
        EXPECT_EQ(results.get(20s).back(), 999);
    }
}

TEST_F(Timeout, quick_call_does_not_wait_until_a_thread_that_waits_for_a_slow_one_has_its_result) {
    mp::Pool pool(6);
    const auto quick = [](int i) { return i; };
    const auto slow = [] { state->gate.pass(); };
    for (int i = 0; i < 50; ++i) pool.apply(quick, i);
    auto first = pool.apply_async(slow);
    std::atomic<long> waiter{0};
    std::thread waits([&] {
        waiter = ::gettid();
        first.get();
    });
    EXPECT_TRUE(test::eventually([&] { return waiter != 0 && test::look_at(waiter).state == 'S'; }));
    std::vector<mp::AsyncResult<void>> others;
    for (int i = 0; i < 4; ++i) others.push_back(pool.apply_async(slow));
    auto call = pool.apply_async(quick, 7);
    EXPECT_TRUE(call.wait(20s));
    state->gate.open();
    EXPECT_EQ(call.get(), 7);
    waits.join();
}

TEST_F(Timeout, elements_behind_slow_ones_run_once_each) {
    mp::Pool pool(2);
    const auto sometimes_slow = [](int i) {
        state->runs.fetch_add(1);
        if (i % 100 == 99) ::usleep(3000);
        return 3 * i;
    };
    for (const std::ptrdiff_t chunk : {1, 5}) {
        state.reset();
        const auto results = pool.map(sometimes_slow, test::views::iota(0, 10'000), {.chunksize = chunk});
        for (int i = 0; i < 10'000; ++i) ASSERT_EQ(results[static_cast<std::size_t>(i)], 3 * i);
        EXPECT_EQ(state->runs.load(), 10'000);
    }
}

TEST_F(Timeout, result_that_was_taken_early_counts_once_when_its_worker_dies) {
    mp::Pool pool(1);
    const auto quick_or_wait = [](int i) {
        if (i == 150) {
            state->runs.store(::getpid());
            state->gate.pass();
        }
        return i;
    };
    auto results = pool.imap(quick_or_wait, test::views::iota(0, 200), {.chunksize = 200, .buffersize = 200});
    for (int i = 0; i < 150; ++i) EXPECT_EQ(results.next(20s), i);
    ASSERT_TRUE(test::eventually([] { return state->runs != 0; }));
    ::kill(state->runs.load(), SIGKILL);
    EXPECT_THROW(results.next(), mp::WorkerDied);
    for (int i = 151; i < 200; ++i) EXPECT_EQ(results.next(), i);
}

}  // namespace timeout_test
