// SPDX-License-Identifier: MIT
// Deaths of workers on Windows: what is told of them, and what stays behind.
#include <gtest/gtest.h>
#include <signal.h>
#include <windows.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "procpool/queue.hpp"
#include "procpool/shared_array.hpp"
#include "procpool/sync.hpp"
#include "support/engine.hpp"
#include "support/processes.hpp"
#include "support/shared.hpp"
#include "support/wait.hpp"

namespace windows_deaths_test {

namespace mp = procpool;
using namespace std::chrono_literals;

int square(int x) { return x * x; }
int write_to_null(int x) {
    volatile int* const nowhere = nullptr;
    *nowhere = x;
    return x;
}
int divide_by_zero(int x) {
    volatile int zero = 0;
    return x / zero;
}
int call_for_ever(int x) {
    volatile char room[4096];
    room[0] = static_cast<char>(x);
    return room[0] + call_for_ever(x + 1) + room[0];
}
int abort_at(int) { std::abort(); }
int exit_with(int code) { std::exit(code); }
int sleep_for(int ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    return ms;
}
int end_thread(int) { ::ExitThread(0); }
void kill(long pid) {
    const HANDLE process = ::OpenProcess(PROCESS_TERMINATE, FALSE, static_cast<DWORD>(pid));
    if (!process) return;
    ::TerminateProcess(process, 77);
    ::CloseHandle(process);
}

template <class F>
mp::WorkerDied death_of(F call) {
    try {
        call();
    } catch (const mp::WorkerDied& death) {
        return death;
    }
    throw std::runtime_error("nobody died");
}

TEST(DeathsOnWindows, an_exception_of_the_system_is_the_exit_code_and_has_a_signal_and_calls) {
    mp::Pool pool(2);
    const auto death = death_of([&] { pool.apply(&write_to_null, 1); });
    EXPECT_EQ(death.signal(), 11);
    EXPECT_NE(std::string(death.what()).find("exception 0xC0000005 (access violation)"), std::string::npos)
        << death.what();
    EXPECT_NE(death.stack_trace().find("write_to_null"), std::string::npos) << death.stack_trace();
    EXPECT_EQ(death_of([&] { pool.apply(&divide_by_zero, 1); }).signal(), 8);
    EXPECT_EQ(death_of([&] { pool.apply(&call_for_ever, 1); }).signal(), 11);
    EXPECT_EQ(death_of([&] { pool.apply(&abort_at, 1); }).signal(), 6);
    EXPECT_EQ(pool.apply(&square, 3), 9);
}

TEST(DeathsOnWindows, who_exits_or_ends_his_thread_tells_the_code) {
    mp::Pool pool(2);
    EXPECT_EQ(death_of([&] { pool.apply(&exit_with, 7); }).exit_code(), 7);
    EXPECT_EQ(death_of([&] { pool.apply(&end_thread, 0); }).exit_code(), 0);
    EXPECT_EQ(pool.apply(&square, 3), 9);
}

TEST(DeathsOnWindows, an_element_that_exceeds_its_limit_is_ended) {
    mp::Pool pool(2);
    EXPECT_THROW(pool.map(&sleep_for, std::vector{30'000}, {.timeout = 100ms}), mp::TaskTimeout);
    EXPECT_EQ(pool.apply(&square, 3), 9);
}

TEST(DeathsOnWindows, workers_that_others_kill_cost_no_result_with_retries) {
    mp::Pool pool(3);
    std::vector<int> inputs(200);
    std::iota(inputs.begin(), inputs.end(), 0);
    const char* const wanted = std::getenv("PROCPOOL_TEST_KILLS");
    const int rounds = wanted ? std::atoi(wanted) : 20;
    for (int round = 0; round < rounds; ++round) {
        auto result = pool.map_async(&square, inputs, {.retries = 10});
        kill(pool.workers()[static_cast<std::size_t>(round % 3)].pid);
        const auto squares = result.get();
        for (int i = 0; i < 200; ++i) ASSERT_EQ(squares[static_cast<std::size_t>(i)], i * i);
    }
}

TEST(DeathsOnWindows, an_end_in_the_midst_of_work_leaves_no_process) {
    std::vector<long> pids;
    {
        mp::Pool pool(3);
        for (const auto& worker : pool.workers()) pids.push_back(worker.pid);
        auto result = pool.map_async(&sleep_for, std::vector{30'000, 30'000, 30'000});
    }
    for (const long pid : pids) {
        const HANDLE process = ::OpenProcess(SYNCHRONIZE, FALSE, static_cast<DWORD>(pid));
        if (!process) continue;
        EXPECT_EQ(::WaitForSingleObject(process, 5000), WAIT_OBJECT_0) << pid;
        ::CloseHandle(process);
    }
}

struct board {
    std::array<std::atomic<long>, 3> workers{};
};
test::shared<board> seen;

TEST(DeathsOnWindows, busy_workers_of_a_killed_program_are_gone) {
    seen.reset();
    test::child_program program([] {
        mp::Pool pool(3);
        auto result = pool.map_async(&sleep_for, std::vector{30'000, 30'000, 30'000}, {.chunksize = 1});
        for (std::size_t i = 0; i < 3; ++i)
            test::eventually([&] { return (seen->workers[i] = pool.workers()[i].pid) != 0; });
        result.get();
        return 0;
    });
    ASSERT_TRUE(test::eventually(
        [] { return std::ranges::all_of(seen->workers, [](const auto& pid) { return pid != 0; }); }));
    program.send(SIGKILL);
    EXPECT_EQ(program.wait().signal, SIGKILL);
    for (const auto& pid : seen->workers)
        EXPECT_TRUE(test::eventually([&] { return test::look_at(pid).state == 'X'; })) << pid;
}

std::vector<double> doubled(std::vector<double> values) {
    for (double& one : values) one *= 2;
    return values;
}

TEST(DeathsOnWindows, large_values_go_there_and_back) {
    mp::Pool pool(2);
    const std::vector<double> large(1'000'000, 1.5);
    const auto results = pool.map(&doubled, std::vector(4, large));
    for (const auto& one : results) ASSERT_EQ(one, std::vector<double>(1'000'000, 3.0));
}

int complain_and_die(int x) {
    std::fprintf(stderr, "line %d\nlast words\n", x);
    return write_to_null(x);
}

TEST(OutputOnWindows, the_last_that_a_dead_worker_printed_is_told) {
    mp::Pool pool({.processes = 1, .stderr_tail = 200});
    const auto death = death_of([&] { pool.apply(&complain_and_die, 7); });
    EXPECT_EQ(death.error_output(), "line 7\nlast words\n");
    EXPECT_EQ(pool.apply(&square, 3), 9);
}

int print_parts(int x) {
    std::fputs("one ", stderr);
    std::fflush(stderr);
    std::fprintf(stderr, "line %d\n", x);
    return x;
}

TEST(OutputOnWindows, lines_of_workers_come_whole_with_their_numbers) {
    test::child_program child([] {
        mp::Pool pool({.processes = 2, .output = mp::worker_output::prefixed});
        pool.map(&print_parts, std::vector{1, 2, 3, 4, 5, 6}, {.chunksize = 1});
        return 0;
    });
    const auto end = child.wait();
    EXPECT_EQ(end.exit_code, 0);
    std::istringstream lines(end.errors);
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        EXPECT_TRUE(line.starts_with("[worker 0] one line ") || line.starts_with("[worker 1] one line "))
            << line;
    }
    EXPECT_EQ(count, 6);
}

TEST(DeathsOnWindows, the_other_start_methods_are_refused) {
    EXPECT_THROW(mp::Pool({.processes = 1, .start_method = mp::start_method::fork}), mp::BootstrapError);
    EXPECT_THROW(mp::Pool({.processes = 1, .start_method = mp::start_method::forkserver}),
                 mp::BootstrapError);
}

int add_to(const mp::SharedArray<int, 1>& array, mp::Lock lock, mp::Queue<int> queue, int x) {
    const std::lock_guard held(lock);
    array[0] += x;
    array[static_cast<std::size_t>(x)] = x;
    queue.put(x);
    return x;
}

TEST(SharedOnWindows, arrays_locks_and_queues_are_the_same_in_workers) {
    mp::Pool pool(2);
    mp::SharedArray<int, 1> array({1000});
    mp::Lock lock;
    mp::Queue<int> queue;
    std::vector<int> inputs(999);
    std::iota(inputs.begin(), inputs.end(), 1);
    pool.map(mp::partial(&add_to, array, lock, queue), inputs);
    EXPECT_EQ(array[0], 999 * 1000 / 2);
    EXPECT_EQ(array[999], 999);
    long sum = 0;
    for (int i = 0; i < 999; ++i) sum += queue.get();
    EXPECT_EQ(sum, 999 * 1000 / 2);
}

}  // namespace windows_deaths_test
