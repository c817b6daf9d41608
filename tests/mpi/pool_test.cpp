// SPDX-License-Identifier: MIT
// All calls of an mpi::Pool, on as many nodes as there are ranks. Rank 0 runs the tests.
#include <gtest/gtest.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <future>
#include <list>
#include <memory>
#include <numeric>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "procpool/mpi.hpp"
#include "procpool/shared_array.hpp"
#include "procpool/worker.hpp"

namespace mp = procpool;
using namespace std::chrono_literals;

namespace {

int square(int x) { return x * x; }
int add(int a, int b) { return a + b; }
std::string decorate(const std::string& text) { return "<" + text + ">"; }
/// Different in each worker.
std::pair<std::uint32_t, long> place(int /*element*/) {
    std::this_thread::sleep_for(1ms);
    return {mp::worker_index().value(), static_cast<long>(::getpid())};
}
int fails_at_multiples_of_7(int x) {
    if (x % 7 == 0) throw std::out_of_range("bad " + std::to_string(x));
    return x;
}
int dies_at_13(int x) {
    if (x == 13) ::raise(SIGKILL);
    return x;
}
int sleeps_at_3(int x) {
    if (x == 3) std::this_thread::sleep_for(1h);
    return x;
}

std::vector<int> numbers(int count) {
    std::vector<int> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    return all;
}
std::vector<int> squares(int count) {
    std::vector<int> all = numbers(count);
    for (int& x : all) x *= x;
    return all;
}

class MpiPool : public testing::Test {
protected:
    bool is_node(const std::string& host) const {
        const auto nodes = pool.nodes();
        return std::any_of(nodes.begin(), nodes.end(), [&](const auto& one) { return one.host == host; });
    }

    mp::mpi::Pool pool{2};
};

TEST_F(MpiPool, has_the_workers_of_all_nodes) {
    const auto nodes = pool.nodes();
    ASSERT_FALSE(nodes.empty());
    EXPECT_EQ(pool.size(), 2 * nodes.size());
    EXPECT_EQ(nodes.front().rank, 0);
    std::set<std::string> names;
    for (const auto& one : nodes) {
        EXPECT_EQ(one.workers, 2U);
        EXPECT_TRUE(one.alive);
        names.insert(one.host);
    }
    EXPECT_EQ(names.size(), nodes.size());
}

TEST_F(MpiPool, maps_in_order_for_few_and_many_elements) {
    for (const int count : {0, 1, 2, 5, 1000, 200'000})
        EXPECT_EQ(pool.map(square, numbers(count)), squares(count));
}

TEST_F(MpiPool, maps_with_every_chunksize) {
    for (const std::ptrdiff_t chunk : {1, 3, 64, 5000})
        EXPECT_EQ(pool.map(square, numbers(3000), {.chunksize = chunk}), squares(3000));
}

TEST_F(MpiPool, uses_all_workers_of_all_nodes) {
    std::set<std::pair<std::uint32_t, long>> places;
    for (const auto& one : pool.map(place, numbers(400), {.chunksize = 1})) places.insert(one);
    EXPECT_EQ(places.size(), pool.size());
}

TEST_F(MpiPool, sends_strings_closures_and_tuples) {
    const std::vector<std::string> words{"a", std::string(100'000, 'b'), ""};
    EXPECT_EQ(pool.map(decorate, words), (std::vector<std::string>{"<a>", "<" + words[1] + ">", "<>"}));
    const int offset = 7;
    EXPECT_EQ(pool.apply([offset](int x) { return x + offset; }, 1), 8);
    EXPECT_EQ(pool.starmap(add, std::vector<std::pair<int, int>>{{1, 2}, {3, 4}}), (std::vector<int>{3, 7}));
    EXPECT_EQ(pool.map(mp::partial(add, 10), numbers(3)), (std::vector<int>{10, 11, 12}));
}

TEST_F(MpiPool, sends_large_arguments_and_results) {
    const std::vector<double> large(4 << 20, 1.5);  // 32 MiB
    EXPECT_EQ(pool.apply([](const std::vector<double>& all) { return all; }, large), large);
    const auto sums = pool.map(
        mp::partial([](const std::vector<double>& all, int x) { return all[0] * x; }, large), numbers(10));
    for (int i = 0; i < 10; ++i) EXPECT_EQ(sums[static_cast<std::size_t>(i)], 1.5 * i);
}

TEST_F(MpiPool, streams_results_in_order_and_as_they_come) {
    std::vector<int> in_order;
    for (const int value : pool.imap(square, numbers(500))) in_order.push_back(value);
    EXPECT_EQ(in_order, squares(500));
    std::vector<int> unordered;
    for (const int value : pool.imap_unordered(square, numbers(500), {.chunksize = 5}))
        unordered.push_back(value);
    std::sort(unordered.begin(), unordered.end());
    EXPECT_EQ(unordered, squares(500));
}

TEST_F(MpiPool, gives_a_stream_up_half_way) {
    {
        auto results = pool.imap(square, numbers(10'000));
        auto at = results.begin();
        EXPECT_EQ(*at, 0);
    }
    EXPECT_EQ(pool.apply(square, 9), 81);
}

TEST_F(MpiPool, starts_calls_and_runs_callbacks) {
    std::vector<mp::AsyncResult<int>> results;
    for (int i = 0; i < 2000; ++i) results.push_back(pool.apply_async(square, i));
    for (int i = 0; i < 2000; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)].get(), i * i);
    std::promise<int> called;
    auto result = pool.map_async(square, numbers(100));
    result.callback([&](const std::vector<int>& all) { called.set_value(all[3]); });
    EXPECT_EQ(called.get_future().get(), 9);
    EXPECT_EQ(result.get(), squares(100));
}

TEST_F(MpiPool, throws_what_a_task_threw_and_names_its_host) {
    try {
        pool.apply(fails_at_multiples_of_7, 14);
        FAIL() << "nothing was thrown";
    } catch (const std::out_of_range& error) {
        EXPECT_STREQ(error.what(), "bad 14");
        try {
            std::rethrow_if_nested(error);
            FAIL() << "nothing is nested";
        } catch (const mp::RemoteError& origin) {
            EXPECT_TRUE(is_node(origin.host())) << origin.host();
        }
    }
}

TEST_F(MpiPool, tells_the_outcome_of_each_element) {
    const auto outcomes = pool.try_map(fails_at_multiples_of_7, numbers(100));
    for (int i = 0; i < 100; ++i) EXPECT_EQ(outcomes[static_cast<std::size_t>(i)].has_value(), i % 7 != 0);
}

TEST_F(MpiPool, a_death_costs_one_element_and_names_host_and_call) {
    const auto outcomes = pool.try_map(dies_at_13, numbers(200), {.chunksize = 1});
    for (int i = 0; i < 200; ++i) EXPECT_EQ(outcomes[static_cast<std::size_t>(i)].has_value(), i != 13) << i;
    try {
        outcomes[13].value();
        FAIL() << "nothing was thrown";
    } catch (const mp::WorkerDied& death) {
        EXPECT_EQ(death.signal(), SIGKILL);
        EXPECT_EQ(death.index(), 13U);
        EXPECT_TRUE(is_node(death.host())) << death.host();
        EXPECT_NE(std::string(death.what()).find("f(13)"), std::string::npos) << death.what();
    }
    EXPECT_EQ(pool.map(square, numbers(100)), squares(100));
}

TEST_F(MpiPool, a_time_limit_ends_one_element) {
    const auto outcomes = pool.try_map(sleeps_at_3, numbers(20), {.chunksize = 1, .timeout = 200ms});
    for (int i = 0; i < 20; ++i) EXPECT_EQ(outcomes[static_cast<std::size_t>(i)].has_value(), i != 3) << i;
    EXPECT_THROW(outcomes[3].value(), mp::TaskTimeout);
}

TEST_F(MpiPool, retries_elements_whose_worker_died) {
    const std::string file = testing::TempDir() + "/mpi_retries_" + std::to_string(::getpid());
    std::remove(file.c_str());
    const auto dies_once = [](const std::string& once, int x) {
        if (x == 5 && ::access(once.c_str(), F_OK) != 0) {
            std::fclose(std::fopen(once.c_str(), "w"));
            ::raise(SIGKILL);
        }
        return x;
    };
    const auto outcomes =
        pool.try_map(mp::partial(dies_once, file), numbers(50), {.chunksize = 1, .retries = 1});
    for (int i = 0; i < 50; ++i) {
        const auto& one = outcomes[static_cast<std::size_t>(i)];
        EXPECT_EQ(*one, i);
        EXPECT_EQ(one.attempts(), i == 5 ? 2U : 1U) << i;
    }
    std::remove(file.c_str());
}

TEST_F(MpiPool, fail_fast_drops_what_has_not_begun) {
    const auto outcomes = pool.try_map(
        [](int x) {
            if (x == 0) throw std::runtime_error("first");
            std::this_thread::sleep_for(1ms);
            return x;
        },
        numbers(20'000), {.chunksize = 1, .fail_fast = true});
    const auto good =
        std::count_if(outcomes.begin(), outcomes.end(), [](const auto& one) { return one.has_value(); });
    EXPECT_LT(good, 19'000);
}

TEST_F(MpiPool, a_call_that_runs_is_cancelled) {
    auto sleeper = pool.apply_async(
        [](int) {
            std::this_thread::sleep_for(1h);
            return 1;
        },
        1);
    EXPECT_TRUE(sleeper.cancel());
    EXPECT_THROW(sleeper.get(), mp::TaskCancelled);
    EXPECT_EQ(pool.map(square, numbers(50)), squares(50));
}

TEST_F(MpiPool, single_calls_in_series_are_cancelled_one_by_one) {
    std::vector<mp::AsyncResult<int>> calls;
    for (int i = 0; i < 200; ++i)
        calls.push_back(pool.apply_async(
            [](int x) {
                if (x % 50 == 20) std::this_thread::sleep_for(1h);
                return x;
            },
            i));
    for (std::size_t i = 20; i < 200; i += 50) EXPECT_TRUE(calls[i].cancel());
    for (std::size_t i = 0; i < 200; ++i) {
        if (i % 50 == 20)
            EXPECT_THROW(calls[i].get(), mp::TaskCancelled);
        else
            EXPECT_EQ(calls[i].get(), static_cast<int>(i));
    }
}

TEST_F(MpiPool, a_stop_token_cancels_a_map) {
    std::stop_source stop;
    std::jthread stopper([&] {
        std::this_thread::sleep_for(50ms);
        stop.request_stop();
    });
    EXPECT_THROW(pool.map(
                     [](int x) {
                         std::this_thread::sleep_for(20ms);
                         return x;
                     },
                     numbers(10'000), {.stop = stop.get_token()}),
                 mp::TaskCancelled);
    EXPECT_EQ(pool.apply(square, 4), 16);
}

TEST_F(MpiPool, is_used_by_several_threads) {
    std::vector<std::jthread> threads;
    std::atomic<int> good = 0;
    for (int i = 0; i < 6; ++i)
        threads.emplace_back([&, i] {
            for (int round = 0; round < 5; ++round)
                good += pool.map(square, numbers(200 * i + 10)) == squares(200 * i + 10);
        });
    threads.clear();
    EXPECT_EQ(good, 30);
}

TEST_F(MpiPool, elements_that_wait_behind_long_ones_go_to_idle_nodes) {
    // The first to begin take long, and what waits behind them is given to others.
    const auto results = pool.map(
        [](int x) {
            std::this_thread::sleep_for(x < 4 ? 300ms : 1ms);
            return x;
        },
        numbers(200), {.chunksize = 1});
    EXPECT_EQ(results, numbers(200));
}

TEST_F(MpiPool, refuses_what_lies_in_the_memory_of_one_machine) {
    mp::SharedArray<int, 1> array({10});
    EXPECT_THROW(pool.apply([](const mp::SharedArray<int, 1>& all) { return all(0); }, array),
                 mp::SerializationError);
}

TEST_F(MpiPool, close_and_join_finish_what_is_there) {
    auto result = pool.map_async(square, numbers(5000));
    pool.close();
    EXPECT_THROW(pool.apply(square, 1), mp::PoolNotRunning);
    pool.join();
    EXPECT_EQ(result.get(), squares(5000));
}

TEST_F(MpiPool, terminate_ends_what_runs) {
    auto result = pool.apply_async(
        [](int) {
            std::this_thread::sleep_for(1h);
            return 1;
        },
        1);
    pool.terminate();
    EXPECT_THROW(result.get(), mp::PoolTerminated);
    pool.join();
}

std::atomic<int> initialised = 0;

TEST(MpiPools, run_an_initializer_with_arguments_in_each_worker) {
    mp::mpi::Pool pool(
        {.processes_per_node = 2},
        [](int a, const std::string& b) { initialised = a + static_cast<int>(b.size()); }, 40, "xy");
    for (const int value : pool.map([](int) { return initialised.load(); }, numbers(100), {.chunksize = 1}))
        EXPECT_EQ(value, 42);
}

TEST(MpiPools, fail_with_the_error_of_their_initializer) {
    mp::mpi::Pool pool({.processes_per_node = 1}, [](int) { throw std::domain_error("no licence"); }, 1);
    EXPECT_THROW(pool.map(square, numbers(10)), std::domain_error);
}

TEST(MpiPools, refuse_options_that_make_no_sense) {
    EXPECT_THROW(mp::mpi::Pool(0), std::invalid_argument);
    EXPECT_THROW(mp::mpi::Pool({.node_timeout = 1ms}), std::invalid_argument);
    EXPECT_THROW(mp::mpi::Pool({.maxtasksperchild = 0}), std::invalid_argument);
}

TEST(MpiPools, work_side_by_side_and_one_after_the_other) {
    for (int round = 0; round < 3; ++round) {
        mp::mpi::Pool one(1);
        mp::mpi::Pool other(2);
        auto first = one.map_async(square, numbers(3000));
        auto second = other.map_async(square, numbers(2000));
        EXPECT_EQ(first.get(), squares(3000));
        EXPECT_EQ(second.get(), squares(2000));
    }
}

TEST(MpiPools, replace_workers_after_maxtasksperchild) {
    mp::mpi::Pool pool({.processes_per_node = 1, .maxtasksperchild = 5});
    std::set<long> pids;
    for (const auto& one : pool.map(place, numbers(60), {.chunksize = 1})) pids.insert(one.second);
    EXPECT_GT(pids.size(), pool.size());
}

TEST(MpiPools, give_up_a_pool_with_calls_in_flight) {
    auto pool = std::make_unique<mp::mpi::Pool>(1);
    auto result = pool->map_async(
        [](int x) {
            std::this_thread::sleep_for(5ms);
            return x;
        },
        numbers(10'000));
    pool.reset();
    EXPECT_THROW(result.get(), mp::PoolTerminated);
}

}  // namespace

int main(int argc, char** argv) {
    return mp::mpi::run(argc, argv, [](int count, char** arguments) {
        testing::InitGoogleTest(&count, arguments);
        return RUN_ALL_TESTS();
    });
}
