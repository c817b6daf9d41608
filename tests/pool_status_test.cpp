// SPDX-License-Identifier: MIT
// What can be asked about a pool: its state, its error, its workers and what they run, and what these call at
// their end.
#include "procpool/pool_status.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "procpool/at_worker_exit.hpp"
#include "procpool/detail/process/pool_options.hpp"
#include "procpool/executor.hpp"
#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "support/message_of.hpp"
#include "support/processes.hpp"
#include "support/rounds.hpp"
#include "support/shared.hpp"
#include "support/start.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace pool_status_test {

namespace mp = procpool;
using namespace std::chrono_literals;

struct board {
    std::atomic<int> count{0};
    std::atomic<int> ended{0};
    std::atomic<long> survivor{0};
    std::array<std::atomic<int>, 8> order{};
    test::gate gate;
};
test::shared<board> seen;

int twice(int i) { return 2 * i; }
int waits(int i) {
    ++seen->count;
    seen->gate.pass();
    return i;
}
void throws() { throw std::domain_error("not today"); }

// ---- states

template <class PoolType>
class PoolStatus : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
};
using pools = testing::Types<mp::Pool, mp::ThreadPool>;
TYPED_TEST_SUITE(PoolStatus, pools);

TYPED_TEST(PoolStatus, follows_the_pools_life) {
    TypeParam pool(2);
    EXPECT_EQ(pool.state(), mp::pool_state::running);
    EXPECT_THROW(pool.join(), mp::PoolStillRunning);
    auto result = pool.apply_async(waits, 3);
    pool.close();
    EXPECT_EQ(pool.state(), mp::pool_state::closed);
    seen->gate.open();
    pool.join();
    EXPECT_EQ(pool.state(), mp::pool_state::closed);
    EXPECT_EQ(result.get(), 3);
    for (int i = 0; i < 2; ++i) {
        pool.terminate();
        EXPECT_EQ(pool.state(), mp::pool_state::terminated);
    }
    EXPECT_EQ(pool.error(), nullptr);
}

TYPED_TEST(PoolStatus, tells_the_error_that_every_call_gets) {
    TypeParam pool(2, throws);
    EXPECT_TRUE(test::eventually([&] { return pool.state() == mp::pool_state::failed; }));
    EXPECT_THROW(std::rethrow_exception(pool.error()), std::domain_error);
    EXPECT_THROW(pool.apply(twice, 1), std::domain_error);
    pool.terminate();
    EXPECT_EQ(pool.state(), mp::pool_state::failed);
}

TYPED_TEST(PoolStatus, of_one_that_was_moved_from_is_refused) {
    TypeParam pool(1);
    const TypeParam other = std::move(pool);
    EXPECT_THROW(pool.state(), mp::PoolNotRunning);
    EXPECT_EQ(other.state(), mp::pool_state::running);
}

// ---- workers

class Workers : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
};

std::vector<long> pids_of(const mp::Pool& pool) {
    std::vector<long> pids;
    for (const mp::WorkerStatus& one : pool.workers()) pids.push_back(one.pid);
    std::ranges::sort(pids);
    return pids;
}

TEST_F(Workers, are_the_processes_of_the_pool) {
    mp::Pool pool(3);
    EXPECT_EQ(pids_of(pool), test::workers());
    const auto all = pool.workers();
    ASSERT_EQ(all.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(all[i].index, i);
        EXPECT_FALSE(all[i].running);
    }
    ::kill(static_cast<pid_t>(all[1].pid), SIGKILL);
    EXPECT_TRUE(test::eventually([&] {
        const long pid = pool.workers()[1].pid;
        return pid != 0 && pid != all[1].pid;
    }));
    EXPECT_TRUE(test::eventually([&] { return pids_of(pool) == test::workers(); }));
}

TEST_F(Workers, tell_which_element_they_run_and_for_how_long) {
    mp::Pool pool(2);
    auto result = pool.map_async(waits, std::vector<int>{7, 8}, {.chunksize = 1});
    ASSERT_TRUE(test::eventually([] { return seen->count == 2; }));
    std::vector<std::string> calls;
    for (const mp::WorkerStatus& one : pool.workers()) {
        ASSERT_TRUE(one.running);
        EXPECT_GE(one.running->run_time, 0ns);
        ASSERT_TRUE(one.running->index);
        calls.push_back(std::to_string(*one.running->index) + ": " + one.running->call);
    }
    std::ranges::sort(calls);
    EXPECT_EQ(calls, (std::vector<std::string>{"0: f(7)", "1: f(8)"}));
    seen->gate.open();
    result.wait();
    EXPECT_TRUE(test::eventually([&] {
        const auto all = pool.workers();
        return std::ranges::none_of(all, [](const auto& one) { return one.running.has_value(); });
    }));
}

TEST_F(Workers, of_a_pool_that_has_ended_are_gone) {
    mp::Pool pool(2);
    pool.terminate();
    EXPECT_EQ(pids_of(pool), (std::vector<long>{0, 0}));
}

TEST_F(Workers, can_be_asked_for_while_everything_happens) {
    mp::Pool pool(2);
    std::atomic<bool> stop{false};
    std::jthread asks([&] {
        while (!stop)
            for (const mp::WorkerStatus& one : pool.workers()) {
                if (one.running && one.running->index) {
                    EXPECT_EQ(one.running->call, "f(" + std::to_string(*one.running->index) + ")");
                }
            }
    });
    for (int i = 0; i < 20; ++i) pool.map(twice, test::views::iota(0, 5000));
    (void)pool.try_map(
        [](int i) {
            if (i % 50 == 49) ::raise(SIGKILL);
            return i;
        },
        test::views::iota(0, 500));
    stop = true;
}

// ---- the end of a worker

void notes_its_end() {
    mp::at_worker_exit([] { seen->order[static_cast<std::size_t>(seen->count++)] = 1; });
    mp::at_worker_exit([] { throw std::runtime_error("told, and no more"); });
    mp::at_worker_exit([] { seen->order[static_cast<std::size_t>(seen->count++)] = 2; });
}

TYPED_TEST(PoolStatus, functions_are_called_at_the_end_of_a_worker_the_last_one_first) {
    {
        TypeParam pool(1, notes_its_end);
        EXPECT_EQ(pool.apply(twice, 4), 8);
        EXPECT_EQ(seen->count, 0);
        pool.close();
        pool.join();
    }
    EXPECT_EQ(seen->count, 2);
    EXPECT_EQ(seen->order[0], 2);
    EXPECT_EQ(seen->order[1], 1);
}

TEST_F(Workers, call_functions_at_the_end_of_each_that_is_replaced) {
    mp::Pool pool(mp::PoolOptions{.processes = 1, .maxtasksperchild = 1},
                  [] { mp::at_worker_exit([] { ++seen->count; }); });
    for (int i = 0; i < 5; ++i) EXPECT_EQ(pool.apply(twice, i), 2 * i);
    EXPECT_TRUE(test::eventually([] { return seen->count >= 5; }));
}

TEST_F(Workers, of_a_task_dont_call_the_functions_of_its_worker) {
    mp::Pool pool(1, notes_its_end);
    const int called = pool.apply([] {
        mp::Pool inner({.processes = 2, .start_method = test::quickest_start});
        inner.map(twice, test::views::iota(0, 10));
        inner.close();
        inner.join();
        return seen->count.load();
    });
    EXPECT_EQ(called, 0);
}

TEST_F(Workers, that_are_killed_call_nothing) {
    mp::Pool pool(1, notes_its_end);
    EXPECT_EQ(pool.apply(twice, 4), 8);
    EXPECT_THROW(pool.apply([] { ::raise(SIGKILL); }), mp::WorkerDied);
    EXPECT_THROW(pool.apply([] { ::_exit(1); }), mp::WorkerDied);
    EXPECT_EQ(seen->count, 0);
}

TEST_F(Workers, alone_have_functions_at_their_end) {
    EXPECT_THROW(mp::at_worker_exit([] {}), mp::Error);
}

/// Which a test lets go when it likes.
void waits_at_its_end() {
    mp::at_worker_exit([] {
        ++seen->count;
        seen->gate.pass();
        ++seen->ended;
    });
}

TYPED_TEST(PoolStatus, join_waits_for_functions_at_the_end_of_workers) {
    TypeParam pool(2, waits_at_its_end);
    pool.close();
    std::atomic<bool> joined{false};
    std::jthread joins([&] {
        pool.join();
        joined = true;
    });
    EXPECT_TRUE(test::eventually([] { return seen->count == 2; }));
    EXPECT_FALSE(joined);
    seen->gate.open();
    joins.join();
    EXPECT_EQ(seen->ended, 2);
}

TEST_F(Workers, that_die_when_the_pool_is_joined_take_no_function_away_from_others) {
    for (int round = 0; round < test::rounds(20); ++round) {
        seen.reset();
        mp::Pool pool(2, [] {
            mp::at_worker_exit([] {
                ::usleep(10'000);  // a moment in which who is to be killed is killed
                if (::getpid() == seen->survivor) ++seen->ended;
            });
        });
        const std::vector<long> workers = test::workers();
        ASSERT_EQ(workers.size(), 2u);
        auto call = pool.apply_async(
            [](long one, long other) {
                seen->survivor = ::getpid();
                ::kill(static_cast<pid_t>(::getpid() == one ? other : one), SIGKILL);
            },
            workers[0], workers[1]);
        pool.close();
        // In every other round the pool's own thread is about to replace who died when join() comes.
        const auto until = std::chrono::steady_clock::now() + test::patience;
        while (round % 2 == 1 && !call.ready() && std::chrono::steady_clock::now() < until) {
        }
        pool.join();
        EXPECT_TRUE(call.successful());
        ASSERT_EQ(seen->ended, 1) << "round " << round;
    }
}

// ---- a pool that has nothing to do

/// The threads that the program has started since this was made.
class new_threads {
public:
    /// Whether they all sleep, and none of them is woken for a while.
    bool stay_asleep() const {
        const auto before = times_woken();
        ::usleep(200'000);
        return before && before == times_woken();
    }

private:
    static std::set<std::string> all() {
        std::set<std::string> found;
        for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task"))
            found.insert(entry.path().string());
        return found;
    }
    /// How often each has been given a CPU; nothing if one has it or wants it.
    std::optional<std::map<std::string, long>> times_woken() const {
        std::map<std::string, long> found;
        for (const std::string& one : all()) {
            if (old_.contains(one)) continue;
            std::ifstream status(one + "/status");
            for (std::string line; std::getline(status, line);) {
                if (line.starts_with("State:") && line.find('S', 6) == std::string::npos) return std::nullopt;
                const auto number = line.find("ctxt_switches:");
                if (number != std::string::npos) found[one] += std::stol(line.substr(line.find(':') + 1));
            }
        }
        return found;
    }

    const std::set<std::string> old_ = all();
};

TEST_F(Workers, of_a_failed_pool_that_die_with_their_zygote_keep_no_thread_busy) {
    const new_threads threads;
    mp::Pool pool(2, [] { throw std::domain_error("not today"); });
    EXPECT_ANY_THROW(pool.apply(twice, 4));
    for (const long zygote : test::children_of(::getpid())) ::kill(static_cast<pid_t>(zygote), SIGKILL);
    EXPECT_TRUE(test::eventually([] { return test::children_of(::getpid()).empty(); }));
    EXPECT_TRUE(test::eventually([&] { return threads.stay_asleep(); }));
    EXPECT_THROW(pool.apply(twice, 4), std::domain_error);
}

TEST_F(Workers, whose_death_was_told_to_who_waited_keep_no_thread_busy) {
    namespace process = procpool::detail::process;
    const new_threads threads;
    process::process_pool pool{process::checked(mp::PoolOptions{.processes = 1})};
    auto held = pool.acquire();
    const long first = test::workers().at(0);
    ::kill(static_cast<pid_t>(first), SIGKILL);
    int steps_after = 0;
    const auto is_replaced = [&]() PROCPOOL_REQUIRES(procpool::detail::pool_mutex) {
        // Time for news to come, for which the pool's own thread wants the lock. Then this one reads them.
        ::usleep(20'000);
        const long now = pool.workers().at(0).pid;
        return now != 0 && now != first && ++steps_after > 2;
    };
    EXPECT_TRUE(pool.wait(held, is_replaced, std::chrono::steady_clock::now() + test::patience));
    held.unlock();
    EXPECT_TRUE(test::eventually([&] { return threads.stay_asleep(); }));
}

// ---- results

TYPED_TEST(PoolStatus, results_tell_their_error_without_throwing_it) {
    TypeParam pool(1);
    auto good = pool.apply_async(waits, 3);
    EXPECT_THROW(good.successful(), mp::ResultNotReady);
    EXPECT_THROW(good.exception(1ms), mp::TimeoutError);
    seen->gate.open();
    EXPECT_EQ(good.exception(), nullptr);
    EXPECT_EQ(good.get(), 3);
    auto bad = pool.apply_async(throws);
    EXPECT_THROW(std::rethrow_exception(bad.exception()), std::domain_error);
    EXPECT_THROW(std::rethrow_exception(bad.exception(1s)), std::domain_error);
    EXPECT_FALSE(bad.successful());
}

TYPED_TEST(PoolStatus, futures_wait_without_throwing) {
    mp::BasicExecutor<TypeParam> executor(1);
    auto good = executor.submit(waits, 3);
    EXPECT_FALSE(good.wait(1ms));
    auto cancelled = executor.submit(twice, 3);
    EXPECT_TRUE(cancelled.cancel());
    cancelled.wait();
    EXPECT_TRUE(cancelled.wait(1ms));
    seen->gate.open();
    good.wait();
    EXPECT_TRUE(good.done());
    auto bad = executor.submit(throws);
    bad.wait();
    EXPECT_TRUE(bad.wait(0ms));
}

}  // namespace pool_status_test
