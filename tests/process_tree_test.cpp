// SPDX-License-Identifier: MIT
// What tasks have started ends with the worker that it comes from.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "procpool/pool.hpp"
#include "support/leftovers.hpp"
#include "support/processes.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace process_tree_test {

namespace mp = procpool;

/// Process ids of what tasks have started.
struct notes {
    std::atomic<int> count{0};
    std::atomic<long> pid[64] = {};
};
test::shared<notes> started;

bool is_there(long pid) {
    const char state = test::look_at(pid).state;
    return state != 'X' && state != 'Z';
}
bool all_gone() {
    for (int i = 0; i < started->count; ++i)
        if (is_there(started->pid[i])) return false;
    return true;
}
int how_many_are_there() {
    int there = 0;
    for (int i = 0; i < started->count; ++i) there += is_there(started->pid[i]);
    return there;
}

[[noreturn]] void stay() {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
    const int at = started->count;
    started->pid[at] = ::getpid();
    started->count = at + 1;
    for (;;) ::pause();
}
void wait_for_another(int before) {
    if (!test::eventually([=] { return started->count > before; })) std::abort();
}

/// A child that ignores SIGTERM.
void start_child() {
    const int before = started->count;
    if (::fork() == 0) stay();
    wait_for_another(before);
}
/// A daemon as in books: a grandchild with a session of its own, whose parent has ended.
void start_daemon() {
    const int before = started->count;
    const pid_t child = ::fork();
    if (child == 0) {
        ::setsid();
        if (::fork() != 0) ::_exit(0);
        ::setsid();
        stay();
    }
    ::waitpid(child, nullptr, 0);
    wait_for_another(before);
}
/// The same by another program, which has nothing of this one's memory.
void start_daemon_of_a_shell() {
    const int before = started->count;
    const std::string file = "/tmp/procpool_test_" + std::to_string(::getpid());
    // Who is told by a file must find it complete.
    const std::string command = "(trap '' TERM HUP; setsid sh -c 'trap \"\" TERM HUP; echo $$ > " + file +
                                ".new; mv " + file + ".new " + file +
                                "; while :; do sleep 1000; done' > /dev/null 2>&1 &) &";
    if (std::system(command.c_str()) != 0) std::abort();
    if (!test::eventually([&] { return ::access(file.c_str(), F_OK) == 0; })) std::abort();
    long pid = 0;
    if (std::FILE* const found = std::fopen(file.c_str(), "r")) {
        if (std::fscanf(found, "%ld", &pid) != 1) pid = 0;
        std::fclose(found);
    }
    ::unlink(file.c_str());
    started->pid[before] = pid;
    started->count = before + 1;
}

void start_all() {
    start_child();
    start_daemon();
    start_daemon_of_a_shell();
}
void die(int) {
    start_all();
    ::raise(SIGKILL);
}
void run_for_ever(int) {
    start_all();
    for (;;) ::pause();
}
long start_and_return(int) {
    start_all();
    return ::getpid();
}

TEST(ProcessTree, ends_when_its_worker_dies_before_the_error_comes) {
    started.reset();
    mp::Pool pool(2);
    EXPECT_THROW(pool.apply(die, 0), mp::WorkerDied);
    EXPECT_EQ(started->count, 3);
    EXPECT_TRUE(test::eventually(all_gone));
}

TEST(ProcessTree, ends_when_its_worker_exceeds_a_limit) {
    started.reset();
    mp::Pool pool({.processes = 1, .terminate_grace = std::chrono::milliseconds(1)});
    pool.apply(start_and_return, 0);
    EXPECT_EQ(how_many_are_there(), 3);
    EXPECT_THROW(pool.apply({.timeout = std::chrono::milliseconds(5)}, [] { ::pause(); }), mp::TaskTimeout);
    EXPECT_TRUE(test::eventually(all_gone));
}

TEST(ProcessTree, ends_when_its_element_is_cancelled) {
    started.reset();
    mp::Pool pool(1);
    auto running = pool.apply_async(run_for_ever, 0);
    ASSERT_TRUE(test::eventually([] { return started->count == 3; }));
    EXPECT_TRUE(running.cancel());
    EXPECT_TRUE(test::eventually(all_gone));
}

TEST(ProcessTree, has_ended_when_terminate_returns) {
    started.reset();
    mp::Pool pool(2);
    auto running = pool.apply_async(run_for_ever, 0);
    ASSERT_TRUE(test::eventually([] { return started->count == 3; }));
    pool.terminate();
    EXPECT_TRUE(all_gone());
    EXPECT_TRUE(test::other_processes().empty());
}

TEST(ProcessTree, has_ended_when_a_pool_that_was_closed_is_joined) {
    started.reset();
    mp::Pool pool(2);
    pool.apply(start_and_return, 0);
    EXPECT_EQ(how_many_are_there(), 3);
    pool.close();
    pool.join();
    EXPECT_TRUE(all_gone());
    EXPECT_TRUE(test::other_processes().empty());
}

TEST(ProcessTree, ends_with_a_worker_that_has_run_as_much_as_it_may) {
    started.reset();
    mp::Pool pool({.processes = 1, .maxtasksperchild = 1});
    const long first = pool.apply(start_and_return, 0);
    EXPECT_TRUE(test::eventually(all_gone));
    EXPECT_NE(pool.apply([] { return static_cast<long>(::getpid()); }), first);
}

TEST(ProcessTree, ends_with_its_program) {
    started.reset();
    test::child_program program([] {
        mp::Pool pool(2);
        pool.apply(run_for_ever, 0);
        return 0;
    });
    ASSERT_TRUE(test::eventually([] { return started->count == 3; }));
    program.send(SIGKILL);
    EXPECT_TRUE(test::eventually(all_gone));
    EXPECT_EQ(program.wait().signal, SIGKILL);
    EXPECT_TRUE(test::eventually([] { return test::other_processes().empty(); }));
}

TEST(ProcessTree, ends_with_a_zygote_that_is_killed) {
    started.reset();
    mp::Pool pool(1);
    auto running = pool.apply_async(run_for_ever, 0);
    ASSERT_TRUE(test::eventually([] { return started->count == 3; }));
    ::kill(static_cast<pid_t>(test::children_of(::getpid()).at(0)), SIGKILL);
    EXPECT_THROW(running.get(), mp::WorkerDied);
    EXPECT_TRUE(test::eventually(all_gone));
}

TEST(ProcessTree, of_another_worker_is_left_alone) {
    started.reset();
    mp::Pool pool(2);
    auto other = pool.apply_async(run_for_ever, 0);
    ASSERT_TRUE(test::eventually([] { return started->count == 3; }));
    EXPECT_THROW(pool.apply(die, 0), mp::WorkerDied);
    ASSERT_EQ(started->count, 6);
    EXPECT_TRUE(test::eventually([] { return how_many_are_there() == 3; }));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(is_there(started->pid[i])) << i;
    pool.terminate();
    EXPECT_TRUE(all_gone());
}

void start_pool_in_which_a_worker_starts_all() {
    mp::Pool inner({.processes = 1, .start_method = mp::start_method::fork});
    inner.apply(run_for_ever, 0);
}
TEST(ProcessTree, of_a_pool_in_a_task_ends_with_its_worker) {
    started.reset();
    mp::Pool pool(1);
    auto running = pool.apply_async(start_pool_in_which_a_worker_starts_all);
    ASSERT_TRUE(test::eventually([] { return started->count == 3; }));
    ::kill(static_cast<pid_t>(test::workers().at(0)), SIGKILL);
    EXPECT_THROW(running.get(), mp::WorkerDied);
    EXPECT_TRUE(test::eventually(all_gone));
}

TEST(ProcessTree, ends_with_its_pool_where_it_has_lost_its_mark) {
    started.reset();
    mp::Pool pool(1);
    pool.apply([] {
        const int before = started->count;
        const pid_t child = ::fork();
        if (child == 0) {
            rlimit none{RLIM_INFINITY, RLIM_INFINITY};
            ::setrlimit(RLIMIT_RSS, &none);
            if (::fork() != 0) ::_exit(0);
            stay();
        }
        ::waitpid(child, nullptr, 0);
        wait_for_another(before);
    });
    EXPECT_EQ(how_many_are_there(), 1);
    pool.terminate();
    EXPECT_TRUE(all_gone());
}

TEST(ProcessTree, of_a_worker_is_not_promised_silently_where_the_system_refuses_marks) {
    test::child_program program([] {
        for (const auto which : {RLIMIT_RSS, RLIMIT_LOCKS})
            if (const rlimit none{0, 0}; ::setrlimit(which, &none) != 0) return 2;
        if (mp::Pool(2).apply([](int x) { return x + 1; }, 1) != 2) return 3;
        return mp::Pool({.processes = 2, .keep_children = true}).apply([](int x) { return x; }, 1) == 1 ? 0
                                                                                                        : 4;
    });
    const test::child_end end = program.wait();
    EXPECT_EQ(end.exit_code, 0) << end.errors;
    const auto told = end.errors.find("some may outlive it (keep_children");
    EXPECT_NE(told, std::string::npos) << end.errors;
    EXPECT_EQ(end.errors.find("some may outlive it", told + 1), std::string::npos) << end.errors;
}

TEST(ProcessTree, is_kept_on_request) {
    started.reset();
    {
        mp::Pool pool({.processes = 1, .keep_children = true});
        EXPECT_THROW(pool.apply(die, 0), mp::WorkerDied);
    }
    EXPECT_EQ(how_many_are_there(), 3);
    for (int i = 0; i < 3; ++i) ::kill(static_cast<pid_t>(started->pid[i]), SIGKILL);
    EXPECT_TRUE(test::eventually(all_gone));
    EXPECT_TRUE(test::eventually([] { return test::other_processes().empty(); }));
}

TEST(ProcessTree, daemons_that_have_ended_leave_no_zombies) {
    mp::Pool pool(1);
    const auto start_daemon = [](bool sets_limits) {
        const pid_t child = ::fork();
        if (child == 0) {
            if (sets_limits)  // as `su` may do
                for (const auto limit : {RLIMIT_RSS, RLIMIT_LOCKS}) {
                    const rlimit large{1 << 30, RLIM_INFINITY};
                    ::setrlimit(limit, &large);
                }
            if (::fork() != 0) ::_exit(0);
            ::_exit(0);
        }
        ::waitpid(child, nullptr, 0);
    };
    for (int i = 0; i < 20; ++i) pool.apply(start_daemon, i % 2 == 1);
    const long zygote = test::children_of(::getpid()).at(0);
    EXPECT_TRUE(test::eventually([=] {
        for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
            const std::string name = entry.path().filename();
            if (name.find_first_not_of("0123456789") != std::string::npos) continue;
            const test::process_state one = test::look_at(std::stol(name));
            if (one.parent == zygote && one.state == 'Z') return false;
        }
        return true;
    }));
}

}  // namespace process_tree_test
