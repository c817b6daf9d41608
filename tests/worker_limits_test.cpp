// SPDX-License-Identifier: MIT
// WorkerLimits: memory, growth, niceness, CPU.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <set>
#include <stdexcept>
#include <vector>

#include "procpool/pool.hpp"
#include "support/processes.hpp"
#include "support/sanitizers.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"

namespace worker_limits_test {

namespace mp = procpool;

constexpr std::size_t MiB = 1 << 20;

std::size_t allocate(std::size_t bytes) {
    std::vector<char> memory(bytes, 'x');
    return memory.size();
}

TEST(WorkerLimits, of_memory_make_allocations_fail_in_the_worker_alone) {
    if (test::sanitized) GTEST_SKIP() << "sanitizers reserve terabytes, and abort when memory is out";
    mp::Pool pool({.processes = 1, .limits = {.memory = 64 * MiB}});
    EXPECT_EQ(pool.apply(allocate, 32 * MiB), 32 * MiB);
    EXPECT_THROW(pool.apply(allocate, 128 * MiB), std::bad_alloc);
    EXPECT_EQ(pool.apply(allocate, 32 * MiB), 32 * MiB);
    EXPECT_EQ(allocate(128 * MiB), 128 * MiB) << "here there is no limit";
}

TEST(WorkerLimits, of_memory_do_not_count_what_the_program_had) {
    if (test::sanitized) GTEST_SKIP() << "sanitizers reserve terabytes, and abort when memory is out";
    const std::vector<char> large(256 * MiB, 'x');
    mp::Pool pool({.processes = 1, .limits = {.memory = 64 * MiB}});
    EXPECT_EQ(pool.apply(allocate, 32 * MiB), 32 * MiB);
    EXPECT_THROW(pool.apply(allocate, 128 * MiB), std::bad_alloc);
}

std::vector<std::vector<char>> kept;
test::shared<std::atomic<int>> runs_of_the_first;

/// The first element keeps all memory that there is, as often as `times` says; the others need some.
int greedy_at_first(int times, int element) {
    if (element == 0 && runs_of_the_first->fetch_add(1) < times)
        for (std::size_t piece = 8 * MiB; piece > 64;) try {
                kept.emplace_back(piece, 'x');
            } catch (const std::bad_alloc&) {
                if ((piece /= 2) <= 64) throw;
            }
    return static_cast<int>(allocate(16 * MiB) / MiB) + element;
}

TEST(WorkerLimits, of_memory_replace_the_worker_whose_task_has_met_them) {
    if (test::sanitized) GTEST_SKIP() << "sanitizers reserve terabytes, and abort when memory is out";
    for (const int chunk : {1, 10}) {
        runs_of_the_first.reset();
        mp::Pool pool({.processes = 1, .limits = {.memory = 64 * MiB}});
        const auto found =
            pool.try_map(mp::partial(greedy_at_first, 1000), test::views::iota(0, 50), {.chunksize = chunk});
        EXPECT_THROW(found[0].value(), std::bad_alloc);
        for (std::size_t i = 1; i < found.size(); ++i) EXPECT_EQ(found[i].value(), 16 + static_cast<int>(i));
        EXPECT_EQ(runs_of_the_first->load(), 1);
    }
}

TEST(WorkerLimits, of_memory_give_a_retry_a_fresh_worker) {
    if (test::sanitized) GTEST_SKIP() << "sanitizers reserve terabytes, and abort when memory is out";
    runs_of_the_first.reset();
    mp::Pool pool({.processes = 2, .limits = {.memory = 64 * MiB}});
    const auto found = pool.map(mp::partial(greedy_at_first, 2), test::views::iota(0, 50),
                                {.chunksize = 1, .retries = 2, .retry_exceptions = true});
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], 16 + static_cast<int>(i));
    EXPECT_EQ(runs_of_the_first->load(), 3);
}

struct Greedy {
    template <class Archive>
    void save(Archive&) const {
        kept.emplace_back(1024 * MiB);
    }
    template <class Archive>
    void load(Archive&) {}
};

TEST(WorkerLimits, of_memory_are_met_while_a_result_is_encoded_too) {
    if (test::sanitized) GTEST_SKIP() << "sanitizers reserve terabytes, and abort when memory is out";
    mp::Pool pool({.processes = 1, .limits = {.memory = 64 * MiB}});
    const long before = pool.apply([] { return static_cast<long>(::getpid()); });
    EXPECT_ANY_THROW(pool.apply([] { return Greedy(); }));
    EXPECT_NE(pool.apply([] { return static_cast<long>(::getpid()); }), before);
}

std::vector<char*> leaks;
long leak(std::size_t bytes) {
    auto* const memory = static_cast<char*>(std::malloc(bytes));
    for (std::size_t i = 0; i < bytes; i += 512) memory[i] = 'x';
    leaks.push_back(memory);
    return ::getpid();
}

TEST(WorkerLimits, of_growth_replace_a_worker_that_leaks_and_lose_nothing) {
    mp::Pool pool({.processes = 1, .limits = {.memory_growth = 20 * MiB}});
    const std::vector<std::size_t> sizes(60, MiB);
    // Long enough that a worker isn't sent all of them at once.
    const auto leak_slowly = [](std::size_t bytes) {
        ::usleep(1000);
        return leak(bytes);
    };
    const auto pids = pool.map(leak_slowly, sizes, {.chunksize = 1});
    const std::set<long> workers(pids.begin(), pids.end());
    EXPECT_GE(workers.size(), 2u);
    if (!test::sanitized) {
        EXPECT_LE(workers.size(), 10u);
    }
    EXPECT_EQ(pids.size(), 60u);
}

TEST(WorkerLimits, of_growth_leave_workers_that_do_not_grow) {
    mp::Pool pool({.processes = 1, .limits = {.memory_growth = 512 * MiB}});
    const std::vector<std::size_t> sizes(20, MiB);
    const auto pids = pool.map(leak, sizes, {.chunksize = 1});
    EXPECT_EQ(std::set<long>(pids.begin(), pids.end()).size(), 1u);
}

TEST(WorkerLimits, of_growth_do_not_count_what_the_initializer_loaded) {
    mp::Pool pool({.processes = 1, .limits = {.memory_growth = 40 * MiB}}, leak, 100 * MiB);
    const auto pids = pool.map(leak, std::vector<std::size_t>(5, MiB), {.chunksize = 1});
    EXPECT_EQ(std::set<long>(pids.begin(), pids.end()).size(), 1u);
}

TEST(WorkerLimits, make_workers_nicer) {
    const int own = ::getpriority(PRIO_PROCESS, 0);
    mp::Pool pool({.processes = 1, .limits = {.nice = 3}});
    EXPECT_EQ(pool.apply([] { return ::getpriority(PRIO_PROCESS, 0); }), std::min(own + 3, 19));
    EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), own);
}

std::vector<int> allowed_cpus() {
    cpu_set_t set;
    ::sched_getaffinity(0, sizeof set, &set);
    std::vector<int> cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(static_cast<std::size_t>(cpu), &set)) cpus.push_back(cpu);
    return cpus;
}

TEST(WorkerLimits, pin_each_worker_to_a_cpu_in_turn) {
    const std::vector<int> all = allowed_cpus();
    const int workers = static_cast<int>(all.size()) + 1;
    mp::Pool pool({.processes = workers, .limits = {.pin_to_cpu = true}});
    std::vector<std::vector<int>> seen(static_cast<std::size_t>(workers));
    const auto where = [](int) {
        ::usleep(2000);
        return std::pair(mp::worker_index(), allowed_cpus());
    };
    for (const auto& [index, cpus] : pool.map(where, test::views::iota(0, 10 * workers), {.chunksize = 1}))
        seen[index.value()] = cpus;
    for (std::size_t i = 0; i < seen.size(); ++i)
        if (!seen[i].empty()) {
            EXPECT_EQ(seen[i], std::vector{all[i % all.size()]}) << "worker " << i;
        }
    EXPECT_EQ(allowed_cpus(), all);
}

TEST(WorkerLimits, that_make_no_sense_are_refused) {
    EXPECT_THROW(mp::Pool({.processes = 1, .limits = {.memory = 0}}), std::invalid_argument);
    EXPECT_THROW(mp::Pool({.processes = 1, .limits = {.memory_growth = 0}}), std::invalid_argument);
    EXPECT_THROW(mp::Pool({.processes = 1, .limits = {.nice = -1}}), std::invalid_argument);
    EXPECT_THROW(mp::Pool({.processes = 1, .limits = {.nice = 20}}), std::invalid_argument);
    EXPECT_THROW(mp::Pool({.processes = 1, .restart_limit = -1}), std::invalid_argument);
}

}  // namespace worker_limits_test
