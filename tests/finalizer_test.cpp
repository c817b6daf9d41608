// SPDX-License-Identifier: MIT
// What workers run before they leave, and what is written when they do.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <any>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "procpool/executor.hpp"
#include "procpool/finalizer.hpp"
#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "procpool/statistics.hpp"
#include "procpool/thread_pool.hpp"
#include "procpool/worker.hpp"
#include "support/message_of.hpp"
#include "support/processes.hpp"
#include "support/shared.hpp"
#include "support/temporary_folder.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"
#ifndef _WIN32  // where it is not yet
#include "procpool/process.hpp"
#endif

namespace finalizer_test {

namespace mp = procpool;
using namespace std::chrono_literals;

struct board {
    std::atomic<int> count{0};
    std::atomic<int> ended{0};
    std::atomic<long> pid{0};
    test::gate gate;
};
test::shared<board> seen;

thread_local int runs = 0;
int counts(int i) {
    ++runs;
    return i;
}
int number_of_runs() {
    ++seen->count;
    return runs;
}

template <class Pool>
void close_and_join(Pool& pool) {
    pool.close();
    pool.join();
}

template <class PoolType>
class Finalizer : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
};
using pools = testing::Types<mp::Pool, mp::ThreadPool>;
TYPED_TEST_SUITE(Finalizer, pools);

TYPED_TEST(Finalizer, runs_once_in_each_worker_and_its_results_are_kept) {
    TypeParam pool({.processes = 3, .finalizer = number_of_runs});
    pool.map(counts, test::views::iota(0, 100), {.chunksize = 1});
    EXPECT_TRUE(pool.finalizer_results().empty());
    close_and_join(pool);
    EXPECT_EQ(seen->count, 3);
    const auto results = pool.finalizer_results();
    ASSERT_EQ(results.size(), 3u);
    int all = 0;
    std::vector<bool> workers(3);
    for (const mp::FinalizerResult& one : results) {
        ASSERT_FALSE(one.error);
        const int value = std::any_cast<int>(one.value);
        all += value;
        EXPECT_EQ(one.text, std::to_string(value));
        workers.at(one.worker) = true;
        EXPECT_EQ(one.pid != 0, (std::is_same_v<TypeParam, mp::Pool>));
    }
    EXPECT_EQ(all, 100);
    EXPECT_EQ(workers, std::vector<bool>(3, true));
}

TYPED_TEST(Finalizer, may_return_nothing_or_text_and_bind_arguments) {
    {
        TypeParam pool({.processes = 1, .finalizer = [] { ++seen->count; }});
        close_and_join(pool);
        ASSERT_EQ(pool.finalizer_results().size(), 1u);
        EXPECT_FALSE(pool.finalizer_results()[0].value.has_value());
        EXPECT_EQ(pool.finalizer_results()[0].text, "");
    }
    EXPECT_EQ(seen->count, 1);
    TypeParam pool({.processes = 1,
                    .finalizer = mp::partial([](const std::string& name) { return "end of " + name; },
                                             std::string("it"))});
    close_and_join(pool);
    ASSERT_EQ(pool.finalizer_results().size(), 1u);
    EXPECT_EQ(std::any_cast<std::string>(pool.finalizer_results()[0].value), "end of it");
    EXPECT_EQ(pool.finalizer_results()[0].text, "\"end of it\"");
}

TYPED_TEST(Finalizer, that_throws_is_told_to_the_error_handler_and_harms_no_other) {
    std::mutex mutex;
    std::vector<std::string> told;
    TypeParam pool({.processes = 2,
                    .error_handler =
                        [&](const std::exception_ptr& error) {
                            const std::lock_guard one_at_a_time(mutex);
                            try {
                                std::rethrow_exception(error);
                            } catch (const std::exception& problem) {
                                told.push_back(problem.what());
                            }
                            throw std::runtime_error("nor does the handler's own");
                        },
                    .finalizer =
                        [] {
                            if (*mp::worker_index() == 1) throw std::domain_error("not this one");
                            return 4;
                        }});
    close_and_join(pool);
    EXPECT_EQ(told, std::vector<std::string>{"not this one"});
    const auto results = pool.finalizer_results();
    ASSERT_EQ(results.size(), 2u);
    for (const mp::FinalizerResult& one : results) {
        if (one.worker == 1)
            EXPECT_THROW(std::rethrow_exception(one.error), std::domain_error);
        else
            EXPECT_EQ(std::any_cast<int>(one.value), 4);
    }
}

TYPED_TEST(Finalizer, runs_when_an_executor_is_shut_down) {
    {
        mp::BasicExecutor<TypeParam> executor(mp::PoolOptions{.processes = 2, .finalizer = number_of_runs});
    }
    EXPECT_EQ(seen->count, 2);
}

TYPED_TEST(Finalizer, does_not_run_where_the_initializer_has_failed) {
    TypeParam pool(mp::PoolOptions{.processes = 1, .finalizer = number_of_runs},
                   [] { throw std::domain_error("not today"); });
    EXPECT_THROW(pool.apply(counts, 1), std::domain_error);
    close_and_join(pool);
    EXPECT_EQ(seen->count, 0);
    EXPECT_TRUE(pool.finalizer_results().empty());
}

TYPED_TEST(Finalizer, runs_before_join_returns_though_nobody_ever_called) {
    TypeParam pool({.processes = 4, .finalizer = number_of_runs});
    close_and_join(pool);
    EXPECT_EQ(seen->count, 4);
    pool.join();
    EXPECT_EQ(seen->count, 4);
    EXPECT_EQ(pool.finalizer_results().size(), 4u);
}

// ---- what only processes do

class FinalizerOfProcesses : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
};

TEST_F(FinalizerOfProcesses, runs_in_each_that_is_replaced) {
    mp::Pool pool({.processes = 2, .maxtasksperchild = 3, .finalizer = number_of_runs});
    pool.map(counts, test::views::iota(0, 20), {.chunksize = 1});
    close_and_join(pool);
    int all = 0;
    for (const mp::FinalizerResult& one : pool.finalizer_results()) all += std::any_cast<int>(one.value);
    EXPECT_EQ(all, 20);
    EXPECT_GE(seen->count, 7);
}

TEST_F(FinalizerOfProcesses, runs_in_one_whose_memory_has_grown_too_much) {
    mp::Pool pool({.processes = 1, .limits = {.memory_growth = 16u << 20}, .finalizer = number_of_runs});
    const long first = pool.apply(::getpid);
    pool.apply([] {
        auto* const kept = new std::vector<char>(64u << 20, 'x');
        return kept->back();
    });
    EXPECT_TRUE(test::eventually([&] { return pool.apply(::getpid) != first; }));
    EXPECT_TRUE(test::eventually([&] { return pool.finalizer_results().size() == 1; }));
    EXPECT_EQ(pool.finalizer_results()[0].pid, first);
}

TEST_F(FinalizerOfProcesses, does_not_run_in_those_that_are_killed) {
    {
        mp::Pool pool({.processes = 2, .finalizer = number_of_runs});
        EXPECT_THROW(pool.apply([] { ::raise(SIGKILL); }), mp::WorkerDied);
        EXPECT_TRUE(test::eventually([] { return test::workers().size() == 2; }));
        pool.terminate();
        pool.join();
        EXPECT_TRUE(pool.finalizer_results().empty());
    }
    {
        const mp::Pool pool({.processes = 2, .finalizer = number_of_runs});
    }
    EXPECT_EQ(seen->count, 0);
}

TEST_F(FinalizerOfProcesses, runs_in_the_replacement_of_one_that_was_killed) {
    mp::Pool pool({.processes = 1, .finalizer = number_of_runs});
    EXPECT_THROW(pool.apply([] { ::raise(SIGKILL); }), mp::WorkerDied);
    EXPECT_EQ(pool.apply(counts, 1), 1);
    close_and_join(pool);
    ASSERT_EQ(pool.finalizer_results().size(), 1u);
    EXPECT_EQ(std::any_cast<int>(pool.finalizer_results()[0].value), 1);
}

TEST_F(FinalizerOfProcesses, that_dies_is_told_as_a_death_and_others_go_on) {
    for (const int signal : {SIGKILL, 0}) {
        std::vector<std::string> told;
        mp::Pool pool({.processes = 2,
                       .error_handler =
                           [&](const std::exception_ptr& error) {
                               told.push_back(
                                   test::message_of<mp::WorkerDied>([&] { std::rethrow_exception(error); }));
                           },
                       .finalizer =
                           [signal] {
                               if (*mp::worker_index() != 0) return 3;
                               if (signal == 0) ::_exit(0);
                               return ::raise(signal);
                           }});
        pool.map(counts, test::views::iota(0, 10));
        close_and_join(pool);
        const auto results = pool.finalizer_results();
        ASSERT_EQ(results.size(), 2u);
        for (const mp::FinalizerResult& one : results) {
            if (one.worker == 1) {
                EXPECT_EQ(std::any_cast<int>(one.value), 3);
                continue;
            }
            EXPECT_THROW(std::rethrow_exception(one.error), mp::WorkerDied);
            EXPECT_FALSE(one.value.has_value());
        }
        ASSERT_EQ(told.size(), 1u);
        EXPECT_NE(told[0].find("in its finalizer"), std::string::npos) << told[0];
        EXPECT_TRUE(test::workers().empty());
    }
}

TEST_F(FinalizerOfProcesses, of_one_that_is_replaced_may_die_as_often_as_it_likes) {
    mp::Pool pool({.processes = 2,
                   .maxtasksperchild = 1,
                   .error_handler = [](const std::exception_ptr&) { ++seen->ended; },
                   .finalizer = [] { ::raise(SIGKILL); }});
    const auto results = pool.map(counts, test::views::iota(0, 30), {.chunksize = 1});
    EXPECT_EQ(results.size(), 30u);
    close_and_join(pool);
    EXPECT_GE(pool.finalizer_results().size(), 30u);
    EXPECT_EQ(static_cast<std::size_t>(seen->ended), pool.finalizer_results().size());
}

TEST_F(FinalizerOfProcesses, that_hangs_is_ended_after_its_time) {
    const auto begin = std::chrono::steady_clock::now();
    mp::Pool pool({.processes = 2,
                   .error_handler = [](const std::exception_ptr&) { ++seen->ended; },
                   .terminate_grace = 100ms,
                   .finalizer =
                       [] {
                           ::signal(SIGTERM, SIG_IGN);
                           for (;;) ::pause();
                       },
                   .finalizer_timeout = 100ms});
    close_and_join(pool);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, test::patience);
    ASSERT_EQ(pool.finalizer_results().size(), 2u);
    for (const mp::FinalizerResult& one : pool.finalizer_results()) {
        const std::string text =
            test::message_of<mp::TaskTimeout>([&] { std::rethrow_exception(one.error); });
        EXPECT_NE(text.find("the finalizer exceeded its limit of 100 ms"), std::string::npos) << text;
    }
    EXPECT_EQ(seen->ended, 2);
}

void waits_in_it() {
    seen->pid = ::getpid();
    ++seen->count;
    seen->gate.pass();
    ++seen->ended;
}

TEST_F(FinalizerOfProcesses, that_is_killed_from_outside_lets_join_return) {
    mp::Pool pool(
        {.processes = 2, .error_handler = [](const std::exception_ptr&) {}, .finalizer = waits_in_it});
    pool.close();
    std::jthread joins([&] { pool.join(); });
    ASSERT_TRUE(test::eventually([] { return seen->count == 2; }));
    ::kill(static_cast<pid_t>(seen->pid.load()), SIGKILL);
    EXPECT_TRUE(test::eventually([&] { return pool.finalizer_results().size() == 1; }));
    seen->gate.open();
    joins.join();
    EXPECT_EQ(seen->ended, 1);
    EXPECT_EQ(pool.finalizer_results().size(), 2u);
}

TEST_F(FinalizerOfProcesses, runs_no_longer_when_the_pool_is_terminated_meanwhile) {
    mp::Pool pool({.processes = 2, .finalizer = waits_in_it});
    pool.close();
    std::jthread joins([&] { pool.join(); });
    ASSERT_TRUE(test::eventually([] { return seen->count == 2; }));
    pool.terminate();
    joins.join();
    EXPECT_EQ(seen->ended, 0);
    EXPECT_TRUE(test::workers().empty());
}

TEST_F(FinalizerOfProcesses, is_not_waited_for_in_a_worker_that_is_stopped) {
    mp::Pool pool({.processes = 2,
                   .error_handler = [](const std::exception_ptr&) { ++seen->ended; },
                   .terminate_grace = 50ms,
                   .finalizer = number_of_runs,
                   .finalizer_timeout = 200ms});
    pool.everywhere([] {});  // so that nobody is just being born
    const long stopped = pool.workers().at(0).pid;
    ::kill(static_cast<pid_t>(stopped), SIGSTOP);
    close_and_join(pool);
    EXPECT_EQ(seen->ended, 1);
    EXPECT_EQ(seen->count, 1);
    ASSERT_EQ(pool.finalizer_results().size(), 2u);
    for (const mp::FinalizerResult& one : pool.finalizer_results()) {
        if (one.pid != stopped) continue;
        EXPECT_THROW(std::rethrow_exception(one.error), mp::TaskTimeout);
    }
}

TEST_F(FinalizerOfProcesses, ends_with_its_zygote) {
    mp::Pool pool(
        {.processes = 2, .error_handler = [](const std::exception_ptr&) {}, .finalizer = waits_in_it});
    pool.close();
    std::jthread joins([&] { pool.join(); });
    ASSERT_TRUE(test::eventually([] { return seen->count == 2; }));
    for (const long zygote : test::children_of(::getpid())) ::kill(static_cast<pid_t>(zygote), SIGKILL);
    joins.join();
    EXPECT_EQ(seen->ended, 0);
}

TEST_F(FinalizerOfProcesses, must_be_something_that_can_be_sent) {
    int here = 0;
    const std::string text = test::message_of<std::invalid_argument>(
        [&] { mp::Pool({.processes = 1, .finalizer = [&here] { ++here; }}); });
    EXPECT_NE(text.find("can't be sent to worker processes"), std::string::npos) << text;
    EXPECT_THROW(mp::Pool({.processes = 1, .finalizer_timeout = -1s}), std::invalid_argument);
    mp::ThreadPool threads({.processes = 1, .finalizer = [&here] { ++here; }});
    close_and_join(threads);
    EXPECT_EQ(here, 1);
}

TEST_F(FinalizerOfProcesses, may_be_part_of_options_that_are_used_again) {
    const mp::PoolOptions options{.processes = 1, .finalizer = number_of_runs};
    for (int i = 1; i <= 2; ++i) {
        mp::Pool pool(options);
        close_and_join(pool);
        EXPECT_EQ(seen->count, i);
    }
}

// ---- what is written at the end

std::string text_in(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::FILE* the_log = nullptr;
void logs(const std::string& path, int i) {
    if (!the_log) the_log = std::fopen((path + std::to_string(*mp::worker_index())).c_str(), "w");
    std::fprintf(the_log, "%d\n", i);
}

TEST_F(FinalizerOfProcesses, finds_streams_of_c_open_that_are_flushed_after_it) {
    const test::temporary_folder folder;
    mp::Pool pool({.processes = 1, .finalizer = [] { std::fputs("end\n", the_log); }});
    pool.starmap(logs,
                 std::vector<std::pair<std::string, int>>{{folder.path("log"), 1}, {folder.path("log"), 2}});
    close_and_join(pool);
    EXPECT_EQ(text_in(folder.path("log0")), "1\n2\nend\n");
}

#ifndef _WIN32

TEST_F(FinalizerOfProcesses, of_forked_ones_does_not_write_what_the_program_has_in_its_buffers) {
    const test::temporary_folder folder;
    std::FILE* const file = std::fopen(folder.path("once").c_str(), "w");
    std::fputs("once\n", file);
    {
        mp::Pool pool({.processes = 2, .start_method = mp::start_method::fork});
        pool.map(counts, test::views::iota(0, 10));
        close_and_join(pool);
        mp::Process process({.start_method = mp::start_method::fork}, counts, 3);
        process.start();
        process.join();
        EXPECT_EQ(process.exitcode(), 0);
    }
    std::fclose(file);
    EXPECT_EQ(text_in(folder.path("once")), "once\n");
}

#endif

int waits_at_the_gate() {
    if (seen->count.fetch_add(1) == 0) seen->gate.pass();
    return 0;
}

TEST_F(FinalizerOfProcesses, that_runs_when_the_pool_grows_again_is_the_last_that_its_worker_runs) {
    mp::Pool pool({.processes = 2, .finalizer = waits_at_the_gate});
    pool.map(counts, test::views::iota(0, 10), {.chunksize = 1});
    pool.resize(1);
    ASSERT_TRUE(test::eventually([] { return seen->count == 1; }));
    pool.resize(2);
    EXPECT_EQ(pool.map(counts, test::views::iota(0, 50), {.chunksize = 1}).size(), 50u);
    seen->gate.open();
    ASSERT_TRUE(test::eventually([&] { return pool.finalizer_results().size() == 1; }));
    EXPECT_EQ(pool.map(counts, test::views::iota(0, 50), {.chunksize = 1}).size(), 50u);
    close_and_join(pool);
    EXPECT_GE(seen->count, 2);
    for (const mp::FinalizerResult& one : pool.finalizer_results()) EXPECT_FALSE(one.error);
    EXPECT_EQ(pool.stats().all().elements, 110u) << "finalizers are no elements";
}

TEST_F(FinalizerOfProcesses, is_run_by_no_worker_that_dies_before_the_pool_shrinks) {
    for (int i = 0; i < 20; ++i) {
        mp::Pool pool({.processes = 2, .finalizer = number_of_runs});
        pool.map(counts, test::views::iota(0, 10), {.chunksize = 1});
        ::kill(static_cast<pid_t>(pool.workers().at(1).pid), SIGKILL);
        pool.resize(1);
        EXPECT_EQ(pool.map(counts, test::views::iota(0, 10)).size(), 10u);
        close_and_join(pool);
    }
}

}  // namespace finalizer_test
