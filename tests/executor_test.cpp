// SPDX-License-Identifier: MIT
// Executors: their options, map over one range and several, and their end.
#include "procpool/executor.hpp"

#include <gtest/gtest.h>
#include <unistd.h>
#include <cereal/types/memory.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/leftovers.hpp"
#include "support/message_of.hpp"
#include "support/shared.hpp"
#include "support/tested_pool.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace executor_test {

namespace mp = procpool;
using namespace std::chrono_literals;

struct board {
    std::atomic<int> begun{0};
    std::atomic<int> prepared{0};
    test::gate gate;
};
test::shared<board> seen;

int twice(int i) {
    ++seen->begun;
    return 2 * i;
}
int fails_at_3(int i) {
    if (i == 3) throw std::domain_error("three");
    return twice(i);
}
int waits(int i) {
    ++seen->begun;
    seen->gate.pass();
    return i;
}
int waits_at_0(int i) { return i == 0 ? waits(i) : twice(i); }

template <class Executor>
class Executors : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
};

#if PROCPOOL_TEST_PROCESSES
using executors = testing::Types<mp::ProcessPoolExecutor>;
#else
using executors = testing::Types<mp::ThreadPoolExecutor>;
#endif
TYPED_TEST_SUITE(Executors, executors, );

template <class Results>
auto all_of(Results results) {
    std::vector<typename decltype(results.next())::value_type> all;
    while (auto next = results.next()) all.push_back(std::move(*next));
    return all;
}

// ---- options

TYPED_TEST(Executors, refuse_less_than_one_worker) {
    EXPECT_THROW(TypeParam(-2), std::invalid_argument);
    EXPECT_THROW(TypeParam({.max_workers = -1}), std::invalid_argument);
}

TYPED_TEST(Executors, prepare_each_worker_with_their_initializer) {
    TypeParam executor({.max_workers = 2}, [](int by) { seen->prepared += by; }, 10);
    EXPECT_EQ(executor.submit(twice, 1).result(), 2);
    EXPECT_TRUE(test::eventually([] { return seen->prepared == 20; }));
    TypeParam broken(1, [] { throw std::domain_error("not prepared"); });
    EXPECT_EQ(test::message_of<std::domain_error>([&] { broken.submit(twice, 1).result(); }), "not prepared");
}

#if PROCPOOL_TEST_PROCESSES
TEST(ExecutorsOfProcesses, replace_workers_after_a_number_of_calls) {
    mp::ProcessPoolExecutor executor({.max_workers = 1, .max_tasks_per_child = 1});
    EXPECT_NE(executor.submit(::getpid).result(), executor.submit(::getpid).result());
    EXPECT_THROW(mp::ProcessPoolExecutor({.max_workers = 1, .max_tasks_per_child = 0}),
                 std::invalid_argument);
    mp::ProcessPoolExecutor with_all_options(mp::PoolOptions{.processes = 1, .stderr_tail = 100});
    EXPECT_EQ(with_all_options.submit(mp::TaskOptions{.retries = 1}, twice, 1).result(), 2);
    EXPECT_THROW(executor.submit({.timeout = 1ms}, [] { ::pause(); }).result(), mp::TaskTimeout);
}
#endif

#if !PROCPOOL_TEST_PROCESSES
TEST(ExecutorsOfThreads, run_what_their_only_thread_waits_for) {
    mp::ThreadPoolExecutor executor(1);
    EXPECT_EQ(executor.submit([&] { return executor.submit(twice, 3).result() + 1; }).result(), 7);
}
#endif

struct pair_options {
    int pairs = 1;
};
/// A pool whose options are its own.
class PairedPool : public mp::Pool {
public:
    explicit PairedPool(int pairs) : PairedPool(pair_options{pairs}) {}
    explicit PairedPool(pair_options options) : mp::Pool(2 * options.pairs) {}
    template <class Initializer>
    PairedPool(pair_options options, Initializer&& initializer)
        : mp::Pool(2 * options.pairs, std::forward<Initializer>(initializer)) {}
};

TEST(ExecutorsOfOtherPools, take_the_options_of_that_pool) {
    using paired = mp::BasicExecutor<PairedPool, pair_options>;
    static_assert(!std::is_constructible_v<paired, mp::ExecutorOptions>);
    static_assert(!std::is_constructible_v<paired, mp::PoolOptions>);
    seen.reset();
    paired executor({.pairs = 2}, [] { ++seen->prepared; });
    EXPECT_EQ(executor.submit(twice, 4).result(), 8);
    executor.shutdown();
    EXPECT_EQ(seen->prepared, 4);
    EXPECT_EQ(paired(1).submit(twice, 2).result(), 4);
    EXPECT_EQ(paired().submit(twice, 1).result(), 2);
}

TYPED_TEST(Executors, take_calls_from_several_threads) {
    TypeParam executor(2);
    std::vector<std::future<int>> callers;
    for (int t = 0; t < 4; ++t)
        callers.push_back(std::async(std::launch::async, [&executor, t] {
            int sum = 0;
            for (int i = 0; i < 200; ++i) sum += executor.submit(twice, t).result();
            return sum;
        }));
    for (int t = 0; t < 4; ++t) EXPECT_EQ(callers[static_cast<std::size_t>(t)].get(), 400 * t);
}

// ---- map

TYPED_TEST(Executors, map_returns_results_in_input_order) {
    TypeParam executor(2);
    std::vector<int> doubled;
    for (const int x : executor.map(twice, test::views::iota(0, 500))) doubled.push_back(x);
    ASSERT_EQ(doubled.size(), 500u);
    for (int i = 0; i < 500; ++i) EXPECT_EQ(doubled[static_cast<std::size_t>(i)], 2 * i);
    EXPECT_EQ(all_of(executor.map({.chunksize = 7}, twice, std::vector{1, 2, 3})), (std::vector{2, 4, 6}));
    EXPECT_TRUE(all_of(executor.map(twice, std::vector<int>{})).empty());
    auto nothing = executor.map([](int) {}, std::vector{1, 2});
    EXPECT_TRUE(nothing.next());
    EXPECT_TRUE(nothing.next());
    EXPECT_FALSE(nothing.next());
}

TYPED_TEST(Executors, map_goes_through_several_ranges_up_to_the_end_of_the_shortest) {
    TypeParam executor(2);
    const std::vector<std::string> words{"a", "b", "c"};
    std::istringstream numbers("10 20 30 40");
    auto join = [](int i, const std::string& word, long n) {
        return std::to_string(i) + word + std::to_string(n);
    };
    EXPECT_EQ(all_of(executor.map(join, test::views::iota(1), words, test::views::istream<long>(numbers))),
              (std::vector<std::string>{"1a10", "2b20", "3c30"}));
    EXPECT_TRUE(all_of(executor.map({.chunksize = 2}, join, test::views::iota(1), words, std::vector<long>{}))
                    .empty());
}

TYPED_TEST(Executors, map_pulls_its_input_in_a_window) {
    TypeParam executor(2);
    int pulled = 0;
    auto endless = test::views::iota(0) | test::views::transform([&pulled](int i) {
                       ++pulled;
                       return i;
                   });
    auto results = executor.map({.buffersize = 10}, [](int a, int b) { return a + b; }, endless, endless);
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(results.next(), 2 * i);
        EXPECT_LE(pulled, 2 * (i + 10));
    }
    EXPECT_THROW((void)executor.map({.buffersize = 0}, twice, std::vector{1}), std::invalid_argument);
    EXPECT_THROW((void)executor.map({.chunksize = 0}, twice, std::vector{1}), std::invalid_argument);
}

TYPED_TEST(Executors, map_begins_at_once) {
    TypeParam executor(1);
    const auto results = executor.map(twice, std::vector{1, 2});
    EXPECT_TRUE(test::eventually([] { return seen->begun == 2; }));
}

TYPED_TEST(Executors, map_throws_errors_at_their_places) {
    TypeParam executor(2);
    auto results = executor.map(fails_at_3, test::views::iota(2, 6));
    EXPECT_EQ(results.next(), 4);
    EXPECT_THROW(results.next(), std::domain_error);
    EXPECT_EQ(results.next(), 8);
    EXPECT_EQ(results.next(), 10);
    EXPECT_EQ(results.next(), std::nullopt);
}

TYPED_TEST(Executors, map_has_a_time_for_all_results) {
    TypeParam executor(1);
    auto results = executor.map({.timeout = 10ms}, waits, std::vector{1, 2});
    EXPECT_THROW(results.next(), mp::TimeoutError);
    EXPECT_THROW(results.next(1h), mp::TimeoutError);
    EXPECT_THROW(results.begin(), mp::TimeoutError);
    seen->gate.open();
}

TYPED_TEST(Executors, map_that_is_given_up_begins_nothing_more_and_lets_run_what_runs) {
    TypeParam executor(1);
    const auto worker = executor.submit(::getpid).result();
    {
        const auto results = executor.map({.buffersize = 100}, waits, test::views::iota(0, 100));
    }
    seen->gate.open();
    EXPECT_EQ(executor.submit(::getpid).result(), worker);
    executor.shutdown();
    EXPECT_LE(seen->begun.load(), 1);
}

// ---- the end

TYPED_TEST(Executors, run_all_calls_before_they_end) {
    std::vector<mp::Future<int>> futures;
    {
        TypeParam executor(2);
        for (int i = 0; i < 100; ++i) futures.push_back(executor.submit(twice, i));
    }
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(futures[static_cast<std::size_t>(i)].done());
        EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(), 2 * i);
    }
}

TYPED_TEST(Executors, take_no_calls_after_shutdown) {
    TypeParam executor(1);
    executor.shutdown();
    executor.shutdown();
    EXPECT_NE(
        test::message_of<mp::PoolNotRunning>([&] { (void)executor.submit(twice, 1); }).find("shut down"),
        std::string::npos);
    EXPECT_THROW((void)executor.map(twice, std::vector{1}), mp::PoolNotRunning);
}

TYPED_TEST(Executors, shutdown_need_not_wait) {
    TypeParam executor(1);
    const auto running = executor.submit(waits, 1);
    const auto waiting = executor.submit(twice, 1);
    executor.shutdown(false);
    EXPECT_THROW((void)executor.submit(twice, 1), mp::PoolNotRunning);
    EXPECT_FALSE(running.done());
    seen->gate.open();
    EXPECT_EQ(running.result(), 1);
    EXPECT_EQ(waiting.result(), 2);
}

TYPED_TEST(Executors, shutdown_can_cancel_what_has_not_begun) {
    TypeParam executor(1);
    const auto running = executor.submit(waits, 1);
    ASSERT_TRUE(test::eventually([&] { return running.running(); }));
    std::vector<mp::Future<int>> waiting;
    for (int i = 0; i < 50; ++i) waiting.push_back(executor.submit(twice, i));
    auto results = executor.map({.buffersize = 10}, twice, test::views::iota(0, 100));
    executor.shutdown(false, true);
    for (const auto& one : waiting) EXPECT_TRUE(one.cancelled());
    EXPECT_FALSE(running.done());
    seen->gate.open();
    executor.shutdown();
    EXPECT_EQ(running.result(), 1);
    for (int i = 0; i < 10; ++i) EXPECT_THROW(results.next(), mp::TaskCancelled);
    EXPECT_THROW(results.next(), mp::PoolNotRunning);
    EXPECT_EQ(seen->begun.load(), 1);
}

TYPED_TEST(Executors, shutdown_lets_a_map_keep_what_runs_when_the_rest_is_cancelled) {
    TypeParam executor(1);
    auto results = executor.map({.buffersize = 10}, waits_at_0, test::views::iota(0, 5));
    ASSERT_TRUE(test::eventually([] { return seen->begun == 1; }));
    executor.shutdown(false, true);
    seen->gate.open();
    EXPECT_EQ(results.next(), 0);
    for (int i = 1; i < 5; ++i) EXPECT_THROW(results.next(), mp::TaskCancelled);
    EXPECT_EQ(results.next(), std::nullopt) << "all of the input was read before";
}

TYPED_TEST(Executors, results_of_map_outlive_them_as_far_as_the_input_was_read) {
    std::optional<TypeParam> executor(std::in_place, 1);
    auto results = executor->map({.buffersize = 3}, twice, test::views::iota(0, 100));
    auto complete = executor->map(twice, std::vector{1, 2});
    executor.reset();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(results.next(), 2 * i);
    EXPECT_NE(test::message_of<mp::PoolNotRunning>([&] { results.next(); }).find("shut down"),
              std::string::npos);
    EXPECT_EQ(results.next(), std::nullopt);
    EXPECT_EQ(all_of(std::move(complete)), (std::vector{2, 4}));
}

TYPED_TEST(Executors, end_even_if_a_callback_holds_the_last_of_them) {
    const auto before = test::open_descriptors();
    for (int round = 0; round < 20; ++round) {
        auto executor = std::make_unique<TypeParam>(1);
        std::promise<void> told;
        executor->submit(twice, 1).add_done_callback([&](mp::Future<int>) {
            executor.reset();
            told.set_value();
        });
        auto ended = told.get_future();
        ASSERT_EQ(ended.wait_for(test::patience), std::future_status::ready);
        EXPECT_TRUE(test::eventually([&] { return test::none_opened_since(before); }));
    }
}

TYPED_TEST(Executors, that_end_in_a_callback_end_their_pending_calls) {
    const auto before = test::open_descriptors();
    auto executor = std::make_unique<TypeParam>(1);
    auto first = std::make_optional(executor->submit(waits, 1));
    auto second = std::make_optional(executor->submit([] { std::this_thread::sleep_for(20ms); }));
    std::promise<void> told;
    first->add_done_callback([&](mp::Future<int>) {
        executor.reset();
        told.set_value();
    });
    seen->gate.open();
    auto ended = told.get_future();
    ASSERT_EQ(ended.wait_for(test::patience), std::future_status::ready);
    EXPECT_TRUE(second->done());
    first.reset();
    second.reset();
    EXPECT_TRUE(test::eventually([&] { return test::none_opened_since(before); }));
}

TYPED_TEST(Executors, can_be_moved) {
    // Not made later: the thread sanitizer's heap can't be forked while another pool's thread uses it.
    TypeParam third(1);
    TypeParam first(1);
    const auto future = first.submit(waits, 3);
    TypeParam second(std::move(first));
    EXPECT_THROW((void)first.submit(twice, 1), mp::PoolNotRunning);
    EXPECT_THROW(first.shutdown(), mp::PoolNotRunning);
    seen->gate.open();
    third = std::move(second);
    EXPECT_EQ(third.submit(twice, 1).result(), 2);
    EXPECT_EQ(future.result(), 3);
}

}  // namespace executor_test
