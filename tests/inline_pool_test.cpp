// SPDX-License-Identifier: MIT
// processes = 0: tasks run in the calling thread, with everything else as usual.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cereal/types/string.hpp>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <future>
#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/at_worker_exit.hpp"
#include "procpool/executor.hpp"
#include "procpool/finalizer.hpp"
#include "procpool/parallel.hpp"
#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "procpool/shared_array.hpp"
#include "procpool/thread_pool.hpp"
#include "procpool/worker.hpp"
#include "support/leftovers.hpp"
#include "support/message_of.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace inline_pool_test {

namespace mp = procpool;
using namespace std::chrono_literals;

std::thread::id runner;
std::atomic<int> count{0};

int twice(int i) {
    ++count;
    runner = std::this_thread::get_id();
    return 2 * i;
}
int odd_is_bad(int i) {
    if (i % 2 != 0) throw std::domain_error(std::to_string(i));
    return i;
}

/// Shows whether it was sent.
struct Sent {
    int number = 0;
    bool was_sent = false;
    template <class Archive>
    void save(Archive& archive) const {
        archive(number);
    }
    template <class Archive>
    void load(Archive& archive) {
        archive(number);
        was_sent = true;
    }
};
struct Unsendable {
    template <class Archive>
    void save(Archive&) const {
        throw std::domain_error("stuck");
    }
    template <class Archive>
    void load(Archive&) {}
};

class Inline : public testing::Test {
protected:
    void SetUp() override {
        count = 0;
        runner = {};
    }
    mp::Pool pool{0};
};

TEST_F(Inline, runs_tasks_in_the_calling_thread_and_starts_no_process) {
    EXPECT_EQ(test::other_processes().size(), 0u);
    EXPECT_EQ(pool.apply(twice, 2), 4);
    EXPECT_EQ(runner, std::this_thread::get_id());
    EXPECT_EQ(pool.size(), 1u);
    EXPECT_EQ(pool.workers().size(), 1u);
    EXPECT_EQ(pool.workers()[0].pid, ::getpid());
    std::thread([&] {
        EXPECT_EQ(pool.apply(twice, 2), 4);
        EXPECT_EQ(runner, std::this_thread::get_id());
    }).join();
}

TEST_F(Inline, has_all_calls) {
    const auto input = test::views::iota(0, 3000);
    std::vector<int> expected(3000);
    for (int i = 0; i < 3000; ++i) expected[static_cast<std::size_t>(i)] = 2 * i;
    for (const std::ptrdiff_t chunk : {1, 7, 5000})
        EXPECT_EQ(pool.map(twice, input, {.chunksize = chunk}), expected);
    EXPECT_EQ(pool.map(twice, input), expected);
    EXPECT_EQ(pool.map_async(twice, input).get(), expected);
    EXPECT_EQ(
        pool.starmap([](int a, int b) { return a + b; }, std::vector<std::pair<int, int>>{{1, 2}, {3, 4}}),
        (std::vector{3, 7}));
    std::vector<int> all;
    for (const int one : pool.imap(twice, input)) all.push_back(one);
    EXPECT_EQ(all, expected);
    all.clear();
    for (const int one : pool.imap_unordered(twice, input)) all.push_back(one);
    EXPECT_EQ(all, expected) << "there is no other order";
    pool.map([](int) {}, input);
    const std::vector<std::string> texts{"a", std::string(1'000'000, 'b'), ""};
    EXPECT_EQ(pool.map([](const std::string& text) { return text + "!"; }, texts)[1], texts[1] + "!")
        << "also what no outbox holds";
    EXPECT_EQ(pool.map([](std::string_view text) { return text.size(); }, texts),
              (std::vector<std::size_t>{1, 1'000'000, 0}));
}

TEST_F(Inline, a_call_that_returns_at_once_has_run_by_then) {
    auto result = pool.apply_async(twice, 3);
    EXPECT_TRUE(result.ready()) << "so nobody who asks again and again waits for ever";
    EXPECT_EQ(count, 1);
    EXPECT_EQ(result.get(), 6);
    std::vector<mp::AsyncResult<int>> many;
    for (int i = 0; i < 1000; ++i) many.push_back(pool.apply_async(twice, i));
    EXPECT_EQ(count, 1001);
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(many[static_cast<std::size_t>(i)].get(), 2 * i);
}

TEST_F(Inline, arguments_functions_and_results_are_sent_as_usual) {
    const auto seen =
        pool.apply([](const Sent& one) { return std::pair(one.was_sent, one.number); }, Sent{7});
    EXPECT_EQ(seen, std::pair(true, 7));
    EXPECT_TRUE(pool.apply([](int n) { return Sent{n}; }, 1).was_sent);
    EXPECT_THROW(pool.apply([](const Unsendable&) {}, Unsendable()), mp::SerializationError);
    EXPECT_THROW(pool.apply([] { return Unsendable(); }), mp::SerializationError);
    int captured = 1;
    pool.map(
        [captured](int) mutable {
            ++captured;
            return captured;
        },
        test::views::iota(0, 3));
    EXPECT_EQ(captured, 1) << "tasks change a copy";
}

TEST_F(Inline, errors_arrive_as_usual_and_cost_only_their_element) {
    try {
        pool.map(odd_is_bad, std::vector{0, 3, 4});
        ADD_FAILURE();
    } catch (const std::domain_error& error) {
        EXPECT_STREQ(error.what(), "3");
        try {
            std::rethrow_if_nested(error);
            ADD_FAILURE() << "nothing is nested";
        } catch (const mp::RemoteError& remote) {
            EXPECT_EQ(remote.pid(), ::getpid());
            EXPECT_EQ(remote.index(), 1u);
        }
    }
    const auto outcomes = pool.try_map(odd_is_bad, test::views::iota(0, 100));
    for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(outcomes[i].has_value(), i % 2 == 0);
    EXPECT_THROW(pool.map(odd_is_bad, std::vector<int>(100, 1), {.fail_fast = true}), std::domain_error);
}

TEST_F(Inline, retries_what_throws) {
    static int tries = 0;
    tries = 0;
    EXPECT_EQ(pool.apply({.retries = 2, .retry_exceptions = true},
                         [] {
                             if (++tries < 3) throw std::runtime_error("again");
                             return tries;
                         }),
              3);
}

TEST_F(Inline, callbacks_may_call_the_pool) {
    int result = 0;
    pool.apply_async(twice, 1).callback([&](int value) { result = pool.apply(twice, value); });
    EXPECT_EQ(result, 4);
    std::vector<std::uint64_t> told;
    pool.map(twice, test::views::iota(0, 5),
             {.on_result = [&](const mp::ElementResult& one) { told.push_back(one.index()); }});
    EXPECT_EQ(told, (std::vector<std::uint64_t>{0, 1, 2, 3, 4}));
}

TEST_F(Inline, a_task_that_waits_for_its_pool_is_told_so) {
    static mp::Pool* itself = nullptr;
    itself = &pool;
    EXPECT_EQ(test::message_of<mp::Error>([&] { pool.apply([] { return itself->apply(twice, 1); }); }),
              "procpool: a task can't wait for the pool without workers that runs it");
    EXPECT_EQ(pool.apply(twice, 1), 2);
    auto later = pool.apply([] { return itself->apply_async(twice, 4).ready(); });
    EXPECT_FALSE(later) << "it runs after the task";
    EXPECT_EQ(count, 2);
}

TEST_F(Inline, results_may_be_shared_arrays) {
    mp::SharedArray<int, 1> array({4});
    auto made = pool.apply(
        [](const mp::SharedArray<int, 1>& in) {
            mp::SharedArray<int, 1> out({4});
            for (std::size_t i = 0; i < 4; ++i) out[i] = in[i] + 1;
            return out;
        },
        array);
    EXPECT_EQ(made[3], 1);
}

TEST_F(Inline, takes_calls_of_several_threads_one_element_at_a_time) {
    static std::atomic<int> running{0};
    static std::atomic<bool> two{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            const auto all = pool.map(
                [](int i) {
                    if (running.fetch_add(1) != 0) two = true;
                    --running;
                    return i;
                },
                test::views::iota(0, 500));
            EXPECT_EQ(std::accumulate(all.begin(), all.end(), 0), 499 * 250);
            for (int i = 0; i < 100; ++i) EXPECT_EQ(pool.apply(twice, i), 2 * i);
        });
    for (auto& one : threads) one.join();
    EXPECT_FALSE(two);
}

TEST_F(Inline, a_call_is_cancelled_by_another_thread_between_two_elements) {
    std::atomic<bool> begun{false};
    static std::atomic<bool>* begins = nullptr;
    static std::atomic<bool> goes_on{false};
    begins = &begun;
    goes_on = false;
    std::stop_source stop;
    std::thread canceller([&] {
        EXPECT_TRUE(test::eventually([&] { return begun.load(); }));
        stop.request_stop();
        goes_on = true;
    });
    EXPECT_THROW(pool.map(
                     [](int i) {
                         *begins = true;
                         test::eventually([] { return goes_on.load(); });
                         ++count;
                         return i;
                     },
                     test::views::iota(0, 1000), {.stop = stop.get_token()}),
                 mp::TaskCancelled);
    canceller.join();
    EXPECT_EQ(count, 1);
    EXPECT_EQ(pool.apply(twice, 1), 2);
}

TEST_F(Inline, is_closed_joined_and_terminated_as_usual) {
    auto results = pool.imap(twice, test::views::iota(0, 100));
    pool.close();
    EXPECT_THROW((void)pool.apply_async(twice, 1), mp::PoolNotRunning);
    pool.join();
    EXPECT_EQ(count, 100);
    int n = 0;
    while (results.next()) ++n;
    EXPECT_EQ(n, 100);

    mp::Pool other(0);
    other.terminate();
    EXPECT_EQ(other.state(), mp::pool_state::terminated);
    EXPECT_THROW((void)other.apply(twice, 1), mp::PoolNotRunning);
    other.join();
}

TEST_F(Inline, may_be_terminated_by_its_task) {
    static mp::Pool* itself = nullptr;
    itself = &pool;
    EXPECT_THROW(pool.map(
                     [](int i) {
                         itself->terminate();
                         return i;
                     },
                     test::views::iota(0, 10)),
                 mp::PoolTerminated);
}

TEST(InlinePool, the_initializer_and_exit_functions_run_once) {
    static int begun = 0, ended = 0;
    begun = ended = 0;
    {
        mp::Pool pool(
            0,
            [](int n) {
                begun += n;
                mp::at_worker_exit([] { ++ended; });
            },
            5);
        EXPECT_EQ(pool.map(twice, std::vector{1, 2}), (std::vector{2, 4}));
        EXPECT_EQ(begun, 5);
        EXPECT_EQ(ended, 0);
        pool.close();
        pool.join();
        EXPECT_EQ(ended, 1);
    }
    EXPECT_EQ(ended, 1);
    mp::Pool broken(0, [] { throw std::domain_error("no"); });
    EXPECT_THROW(broken.apply(twice, 1), std::domain_error);
    EXPECT_EQ(broken.state(), mp::pool_state::failed);
}

TEST(InlinePool, each_join_waits_for_the_finalizer) {
    static std::promise<void> begun, go_on;
    mp::Pool pool({.processes = 0, .finalizer = [] {
                       begun.set_value();
                       go_on.get_future().wait();
                       return 7;
                   }});
    pool.close();
    const auto join = [&] {
        pool.join();
        return pool.finalizer_results().size();
    };
    auto first = std::async(std::launch::async, join);
    begun.get_future().wait();
    auto second = std::async(std::launch::async, join);
    EXPECT_EQ(second.wait_for(20ms), std::future_status::timeout);
    go_on.set_value();
    EXPECT_EQ(first.get(), 1u);
    EXPECT_EQ(second.get(), 1u);
}

TEST(InlinePool, a_finalizer_may_ask_for_the_end_that_it_is_part_of) {
    static mp::Pool* itself = nullptr;
    mp::Pool pool({.processes = 0, .finalizer = [] { itself->terminate(); }});
    itself = &pool;
    pool.close();
    pool.join();
    EXPECT_EQ(pool.finalizer_results().size(), 1u);
}

TEST(InlinePool, a_task_is_in_a_worker_as_far_as_it_can_ask) {
    mp::Pool pool(0);
    EXPECT_EQ(pool.apply([] { return mp::worker_index().value_or(99); }), 0u);
    EXPECT_NE(pool.apply([] { return mp::worker_seed(); }), 0u);
    EXPECT_FALSE(mp::worker_index()) << "the program itself is none";
}

TEST(InlinePool, takes_all_options_of_pools_and_refuses_those_that_make_no_sense) {
    mp::Pool pool({.processes = 0,
                   .maxtasksperchild = 1,
                   .initializer_timeout = 1s,
                   .limits = {.memory = std::size_t{1} << 30, .nice = 5},
                   .output = mp::worker_output::prefixed});
    EXPECT_EQ(pool.map(twice, std::vector{1, 2, 3}, {.timeout = 1ns}), (std::vector{2, 4, 6}))
        << "a time limit isn't enforced";
    EXPECT_THROW(mp::Pool({.processes = 0, .limits = {.nice = -1}}), std::invalid_argument);
    EXPECT_THROW(pool.map(twice, std::vector{1}, {.timeout = 0ns}), std::invalid_argument);
    EXPECT_EQ(
        test::message_of<std::invalid_argument>([] { mp::ThreadPool threads(0); }),
        "procpool: ThreadPool has one thread at the least; Pool with .processes = 0 runs tasks in the calling "
        "one");
}

TEST(InlinePool, is_chosen_for_a_whole_program_by_the_environment) {
    ::setenv("PROCPOOL_INLINE", "1", 1);
    {
        mp::Pool pool(4);
        EXPECT_EQ(pool.apply([] { return static_cast<long>(::getpid()); }), ::getpid());
        mp::ProcessPoolExecutor executor(2);
        const auto future = executor.submit(twice, 4);
        EXPECT_TRUE(future.done());
        EXPECT_EQ(future.result(), 8);
        executor.terminate_workers();
        EXPECT_EQ(mp::Parallel(2)(std::vector{1, 2} | mp::delayed(twice)), (std::vector{2, 4}));
    }
    ::setenv("PROCPOOL_INLINE", "0", 1);
    {
        mp::Pool pool(1);
        EXPECT_NE(pool.apply([] { return static_cast<long>(::getpid()); }), ::getpid());
    }
    ::unsetenv("PROCPOOL_INLINE");
}

TEST(InlinePool, a_forked_child_has_a_copy_that_says_so) {
    mp::Pool pool(0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        try {
            (void)pool.apply(twice, 1);
        } catch (const mp::PoolNotRunning&) {
            ::_exit(7);
        }
        ::_exit(1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 7);
}

}  // namespace inline_pool_test
