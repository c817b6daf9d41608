// SPDX-License-Identifier: MIT
// The worker processes of a pool as a task sees them: who they are, how they begin, when they are replaced.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <cereal/types/memory.hpp>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "procpool/pool.hpp"
#include "support/processes.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace pool_workers_test {

namespace mp = procpool;

struct board {
    std::atomic<int> initialized{0};
    std::atomic<int> met{0};
};
test::shared<board> seen;

class PoolWorkers : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
};

int pid_of_worker(int) { return ::getpid(); }

/// Runs `task` once in each worker of `pool`.
template <class F>
auto once_in_each(mp::Pool& pool, F task) {
    seen->met = 0;
    const int workers = static_cast<int>(pool.size());
    return pool.map(
        [task, workers](int) {
            // Who has come here waits for all others, so that nobody gets two elements.
            ++seen->met;
            if (!test::eventually([workers] { return seen->met >= workers; }))
                throw std::runtime_error("alone");
            return task();
        },
        test::views::iota(0, workers), {.chunksize = 1});
}

// ---- initializer

int configured = 0;
std::string greeting;

void configure(int value) {
    ++seen->initialized;
    configured = value;
}

TEST_F(PoolWorkers, each_calls_the_initializer_before_its_first_task) {
    mp::Pool pool(3, configure, 42);
    EXPECT_EQ(once_in_each(pool, [] { return configured; }), (std::vector{42, 42, 42}));
    EXPECT_EQ(seen->initialized, 3);
    EXPECT_EQ(configured, 0) << "not in this process";
}

TEST_F(PoolWorkers, initializers_take_any_number_of_arguments_of_any_kind) {
    const auto set = [](const std::string& text, const std::vector<int>& numbers,
                        std::unique_ptr<int> extra) {
        greeting = text + std::to_string(numbers.size() + static_cast<std::size_t>(*extra));
    };
    mp::Pool pool(mp::PoolOptions{.processes = 2}, set, "hello ", std::vector{1, 2, 3},
                  std::make_unique<int>(4));
    EXPECT_EQ(once_in_each(pool, [] { return greeting; }), (std::vector<std::string>{"hello 7", "hello 7"}));

    mp::Pool without(1, [] { greeting = "no arguments"; });
    EXPECT_EQ(without.apply([] { return greeting; }), "no arguments");
    mp::Pool lambda({.processes = 1}, [number = 5] { configured = number; });
    EXPECT_EQ(lambda.apply([] { return configured; }), 5);
    mp::Pool bound(1, mp::partial(configure, 6));
    EXPECT_EQ(bound.apply([] { return configured; }), 6);
}

TEST_F(PoolWorkers, replacements_call_the_initializer_too) {
    mp::Pool pool({.processes = 1, .maxtasksperchild = 2}, configure, 7);
    EXPECT_EQ(pool.map([](int) { return configured; }, test::views::iota(0, 6), {.chunksize = 1}),
              std::vector(6, 7));
    EXPECT_GE(seen->initialized, 3);
    EXPECT_THROW(pool.apply([] { ::_exit(0); }), mp::WorkerDied);
    EXPECT_EQ(pool.apply([] { return configured; }), 7) << "also after a death";
}

TEST_F(PoolWorkers, an_initializer_that_throws_fails_every_call_with_its_error) {
    mp::Pool pool(2, [] { throw std::domain_error("no licence"); });
    for (int i = 0; i < 3; ++i) {
        try {
            pool.map(pid_of_worker, test::views::iota(0, 10));
            FAIL();
        } catch (const std::domain_error& error) {
            EXPECT_STREQ(error.what(), "no licence");
        }
    }
    EXPECT_THROW(pool.apply(pid_of_worker, 1), std::domain_error);
    EXPECT_THROW((void)pool.try_map(pid_of_worker, test::views::iota(0, 2)), std::domain_error);
    pool.close();
    pool.join();
}

// ---- life span

/// The lengths of runs of equal values.
std::vector<std::size_t> run_lengths(const std::vector<int>& values) {
    std::vector<std::size_t> lengths;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (i == 0 || values[i] != values[i - 1]) lengths.push_back(0);
        ++lengths.back();
    }
    return lengths;
}

TEST_F(PoolWorkers, live_as_long_as_the_pool_by_default) {
    mp::Pool pool(1);
    const auto pids = pool.map(pid_of_worker, test::views::iota(0, 5000), {.chunksize = 1});
    EXPECT_EQ(run_lengths(pids), std::vector<std::size_t>{5000});
    EXPECT_EQ(pool.apply(pid_of_worker, 0), pids[0]);
}

TEST_F(PoolWorkers, are_replaced_after_maxtasksperchild_elements) {
    mp::Pool pool({.processes = 1, .maxtasksperchild = 3});
    const auto pids = pool.map(pid_of_worker, test::views::iota(0, 10), {.chunksize = 1});
    EXPECT_EQ(run_lengths(pids), (std::vector<std::size_t>{3, 3, 3, 1}));
}

TEST_F(PoolWorkers, finish_their_chunk_before_they_are_replaced) {
    mp::Pool pool({.processes = 1, .maxtasksperchild = 3});
    const auto pids = pool.map(pid_of_worker, test::views::iota(0, 10), {.chunksize = 4});
    EXPECT_EQ(run_lengths(pids), (std::vector<std::size_t>{4, 4, 2}));
}

TEST_F(PoolWorkers, replaced_after_each_element_lose_nothing) {
    mp::Pool pool({.processes = 2, .maxtasksperchild = 1});
    const auto pids = pool.map(pid_of_worker, test::views::iota(0, 100), {.chunksize = 1});
    EXPECT_EQ(std::set<int>(pids.begin(), pids.end()).size(), 100u);
    for (int i = 0; i < 5; ++i) EXPECT_NE(pool.apply(pid_of_worker, 0), pool.apply(pid_of_worker, 0));
}

TEST_F(PoolWorkers, count_single_calls_like_elements) {
    mp::Pool pool({.processes = 1, .maxtasksperchild = 2});
    std::vector<int> pids;
    for (int i = 0; i < 6; ++i) pids.push_back(pool.apply(pid_of_worker, i));
    EXPECT_EQ(run_lengths(pids), (std::vector<std::size_t>{2, 2, 2}));
}

// ---- identity

TEST_F(PoolWorkers, have_an_index_each) {
    EXPECT_FALSE(mp::worker_index().has_value()) << "this is no worker";
    mp::Pool pool(3);
    auto indices = once_in_each(pool, [] { return static_cast<int>(mp::worker_index().value()); });
    std::ranges::sort(indices);
    EXPECT_EQ(indices, (std::vector{0, 1, 2}));
}

TEST_F(PoolWorkers, keep_the_index_of_those_that_they_replace) {
    mp::Pool pool({.processes = 1, .maxtasksperchild = 1});
    const auto index = [](int) { return static_cast<int>(mp::worker_index().value()); };
    EXPECT_EQ(pool.map(index, test::views::iota(0, 4), {.chunksize = 1}), std::vector(4, 0));
}

TEST_F(PoolWorkers, have_a_seed_each_also_replacements_and_those_of_other_pools) {
    EXPECT_EQ(mp::worker_seed(), 0u) << "this is no worker";
    const auto seed = [](int) { return mp::worker_seed(); };
    std::multiset<std::uint64_t> seeds;
    for (int round = 0; round < 2; ++round) {
        mp::Pool pool({.processes = 2, .maxtasksperchild = 1});
        for (const auto one : pool.map(seed, test::views::iota(0, 20), {.chunksize = 1})) seeds.insert(one);
    }
    EXPECT_EQ(seeds.size(), 40u);
    for (const auto one : seeds) EXPECT_EQ(seeds.count(one), 1u);
}

TEST_F(PoolWorkers, have_the_same_seed_in_each_task) {
    mp::Pool pool(1);
    const auto seeds = pool.map([](int) { return mp::worker_seed(); }, test::views::iota(0, 10));
    EXPECT_EQ(std::set<std::uint64_t>(seeds.begin(), seeds.end()).size(), 1u);
}

// ---- standard input and output

TEST_F(PoolWorkers, find_standard_input_at_its_end) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    ASSERT_EQ(::write(ends[1], "secret", 6), 6);
    const int original = ::dup(STDIN_FILENO);
    ::dup2(ends[0], STDIN_FILENO);
    {
        mp::Pool pool(1);
        const auto read = [](int) {
            char byte = 0;
            return static_cast<int>(::read(STDIN_FILENO, &byte, 1));
        };
        EXPECT_EQ(pool.map(read, test::views::iota(0, 2)), (std::vector{0, 0}));
        EXPECT_EQ(pool.apply([] { return std::getchar(); }), EOF);
    }
    char text[7] = {};
    EXPECT_EQ(::read(STDIN_FILENO, text, 6), 6) << "it was this process's to read";
    EXPECT_STREQ(text, "secret");
    ::dup2(original, STDIN_FILENO);
    for (const int one : {original, ends[0], ends[1]}) ::close(one);
}

/// How often `part` occurs in `text`.
std::size_t occurrences(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++count;
    return count;
}

TEST_F(PoolWorkers, work_for_a_program_that_has_closed_its_standard_streams) {
    test::child_program daemon([] {
        for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::close(stream);
        mp::Pool pool(2);
        const bool works = pool.map(pid_of_worker, test::views::iota(0, 100)).size() == 100;
        const bool are_free =
            ::open("/dev/null", O_RDONLY) == STDIN_FILENO && ::open("/dev/null", O_WRONLY) == STDOUT_FILENO;
        return works && are_free ? 0 : 1;
    });
    EXPECT_EQ(daemon.wait().exit_code, 0);
}

TEST_F(PoolWorkers, print_everything_once) {
    testing::internal::CaptureStdout();
    std::printf("<before>");  // stays in the buffer that the workers get a copy of
    {
        mp::Pool pool({.processes = 2, .maxtasksperchild = 10});
        std::printf("<between>");
        pool.map(
            [](int i) {
                std::printf("<printf %d>", i);
                std::cout << "<cout " << i << ">";
            },
            test::views::iota(0, 100));
        EXPECT_THROW(pool.apply([] {
            std::printf("<last words>");
            std::exit(3);
        }),
                     mp::WorkerDied);
        pool.close();
        pool.join();
    }
    std::printf("<after>");
    const std::string output = testing::internal::GetCapturedStdout();
    for (const char* const part : {"<before>", "<between>", "<after>", "<last words>"})
        EXPECT_EQ(occurrences(output, part), 1u) << part;
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(occurrences(output, "<printf " + std::to_string(i) + ">"), 1u);
        EXPECT_EQ(occurrences(output, "<cout " + std::to_string(i) + ">"), 1u);
    }
}

TEST_F(PoolWorkers, have_printed_before_an_idle_one_is_ended) {
    testing::internal::CaptureStdout();
    {
        mp::Pool pool(1);
        pool.apply([] { std::printf("<printed>"); });
        // The result may be here before the worker comes to flush; the next one comes after that.
        pool.apply([] {});
        pool.terminate();
    }
    EXPECT_EQ(occurrences(testing::internal::GetCapturedStdout(), "<printed>"), 1u);
}

}  // namespace pool_workers_test
