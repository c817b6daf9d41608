// SPDX-License-Identifier: MIT
// Nothing is left behind: who dies with whom, and who holds which descriptors.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cereal/types/memory.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <ranges>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "procpool/pool.hpp"
#include "procpool/process.hpp"
#include "support/leftovers.hpp"
#include "support/processes.hpp"
#include "support/rounds.hpp"
#include "support/sanitizers.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace orphans_test {

namespace mp = procpool;

using test::child_program;
using test::signal_pipe;

test::shared<signal_pipe::end> busy_writer;  // the writing end of the test's pipe, for tasks

/// Tells that it runs, and then never ends.
int stay_busy(int) {
    signal_pipe::send_to(*busy_writer);
    for (;;) ::pause();
}
int spin(int) {
    signal_pipe::send_to(*busy_writer);
    for (std::atomic<int> turns{0};;) ++turns;
}
int stay_busy_and_stubborn(int i) {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
    return stay_busy(i);
}
int stay_busy_in_pool_of_its_own(int) {
    mp::Pool inner({.processes = 2, .start_method = mp::start_method::fork});
    inner.map(stay_busy, test::views::iota(0, 2), {.chunksize = 1});
    return 0;
}

/// Kills a program after `busy` tasks have begun, and expects all that it started to be gone at once.
template <class Program>
void expect_nothing_survives(Program program, int busy) {
    const signal_pipe begun;
    *busy_writer = begun.sending_end();
    child_program child(program);
    ASSERT_TRUE(begun.receive(busy));
    const auto killed_at = std::chrono::steady_clock::now();
    child.send(SIGKILL);
    const test::child_end end = child.wait();  // for all who hold its standard error
    EXPECT_TRUE(test::eventually([] { return test::other_processes().empty(); }));
    EXPECT_LT(std::chrono::steady_clock::now() - killed_at, std::chrono::seconds(5));
    EXPECT_EQ(end.signal, SIGKILL);
    EXPECT_EQ(end.errors, "");
}

TEST(Orphans, busy_workers_die_with_their_program) {
    for (const auto task : {stay_busy, spin, stay_busy_and_stubborn})
        expect_nothing_survives(
            [task] { return mp::Pool(4).map(task, test::views::iota(0, 4), {.chunksize = 1})[0]; }, 4);
}

TEST(Orphans, idle_workers_die_with_their_program) {
    const auto program = [] {
        mp::Pool pool(4);
        return stay_busy(pool.map(std::negate<>(), test::views::iota(0, 100))[0]);
    };
    expect_nothing_survives(program, 1);
}

TEST(Orphans, busy_workers_die_with_their_program_also_if_a_child_of_it_has_all_its_descriptors) {
    const signal_pipe begun;
    *busy_writer = begun.sending_end();
    const test::shared<std::atomic<long>> child_with_all;
    child_program program([&]() -> int {
        mp::Pool pool(2);
        auto running = pool.map_async(stay_busy, test::views::iota(0, 2), {.chunksize = 1});
        begun.receive(2);
        // No handlers of forks run, as with _Fork().
        const long child = ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
        if (child != 0) *child_with_all = child;
        for (;;) ::pause();
    });
    ASSERT_TRUE(test::eventually([&] { return *child_with_all != 0; }));
    program.send(SIGKILL);
    const std::vector<long> child{*child_with_all};
    EXPECT_TRUE(test::eventually([&] { return test::other_processes() == child; }));
    ::kill(static_cast<pid_t>(child[0]), SIGKILL);
    EXPECT_EQ(program.wait().signal, SIGKILL);
}

TEST(Orphans, workers_of_workers_die_with_their_program) {
    const auto program = [] {
        return mp::Pool(2).map(stay_busy_in_pool_of_its_own, test::views::iota(0, 2), {.chunksize = 1})[0];
    };
    expect_nothing_survives(program, 4);
}

TEST(Orphans, workers_of_several_pools_die_with_their_program) {
    const auto program = [] {
        mp::Pool first(2), second(2);
        auto one = first.map_async(stay_busy, test::views::iota(0, 2), {.chunksize = 1});
        auto other = second.map_async(stay_busy, test::views::iota(0, 2), {.chunksize = 1});
        return one.get()[0] + other.get()[0];
    };
    expect_nothing_survives(program, 4);
}

TEST(Orphans, workers_end_when_their_program_leaves_without_destroying_the_pool) {
    for (const bool abruptly : {false, true}) {
        const signal_pipe begun;
        *busy_writer = begun.sending_end();
        child_program child([&] {
            auto* const pool = new mp::Pool(2);
            static const auto results = pool->map_async(stay_busy, test::views::iota(0, 2), {.chunksize = 1});
            begun.receive(2);
            if (abruptly) std::abort();
            return 7;
        });
        const test::child_end end = child.wait();
        EXPECT_EQ(end.exit_code, abruptly ? -1 : 7);
        EXPECT_EQ(end.signal, abruptly ? SIGABRT : 0);
        EXPECT_EQ(end.errors, "");
        EXPECT_TRUE(test::eventually([] { return test::other_processes().empty(); }));
    }
}

TEST(Orphans, pool_in_a_task_dies_with_its_worker) {
    const signal_pipe begun;
    *busy_writer = begun.sending_end();
    mp::Pool pool(1);
    auto result = pool.apply_async(stay_busy_in_pool_of_its_own, 0);
    ASSERT_TRUE(begun.receive(2));
    EXPECT_EQ(test::other_processes().size(), 2u + 3u);
    ::kill(static_cast<pid_t>(test::workers().at(0)), SIGKILL);
    EXPECT_THROW(result.get(), mp::WorkerDied);
    EXPECT_TRUE(test::eventually([] { return test::other_processes().size() == 2; }));
}

// ---- who holds which descriptors

TEST(Descriptors, of_a_worker_are_those_that_it_inherits_and_its_own_two_pipe_ends) {
    const signal_pipe opened_by_program;
    auto expected = test::descriptors_of(::getpid());
    expected[STDIN_FILENO] = "/dev/null";
    // A fresh run of the program gets nothing of it but the standard streams.
    if (mp::get_start_method() != mp::start_method::fork)
        expected.erase(expected.upper_bound(STDERR_FILENO), expected.end());
    mp::Pool first(2), second(2);
    for (mp::Pool* const pool : {&first, &second}) pool->map(std::negate<>(), test::views::iota(0, 100));
    const auto workers = test::workers();
    ASSERT_EQ(workers.size(), 4u);
    std::set<std::string> pipes;
    for (const long worker : workers) {
        std::vector<std::string> own;
        for (const auto& [number, target] : test::descriptors_of(worker)) {
            const auto known = expected.find(number);
            if (known != expected.end() && known->second == target) continue;
            EXPECT_TRUE(target.starts_with("pipe:")) << target;
            EXPECT_TRUE(pipes.insert(target).second) << "two workers hold " << target;
            own.push_back(target);
        }
        EXPECT_EQ(own.size(), 2u);
    }
}

TEST(Descriptors, of_a_zygote_are_no_ends_of_pipes_and_one_socket) {
    const auto programs = test::descriptors_of(::getpid());
    mp::Pool first(2), second(2);
    first.apply([] {});
    second.apply([] {});
    const auto zygotes = test::children_of(::getpid());
    ASSERT_EQ(zygotes.size(), 2u);
    for (const long zygote : zygotes) {
        int sockets = 0;
        for (const auto& [number, target] : test::descriptors_of(zygote)) {
            sockets += target.starts_with("socket:");
            if (!programs.contains(number)) {
                EXPECT_FALSE(target.starts_with("pipe:")) << target;
            }
        }
        EXPECT_EQ(sockets, 1);
    }
}

TEST(Descriptors, of_the_pool_are_not_in_a_child_that_the_program_forks) {
    const auto before = test::descriptors_of(::getpid());
    mp::Pool pool(3);
    auto running = pool.map_async(std::negate<>(), test::views::iota(0, 1000));
    for (int i = 0; i < 10; ++i) {
        child_program child([&] {
            for (const auto& [number, target] : test::descriptors_of(::getpid())) {
                if (before.contains(number)) continue;
                std::fprintf(stderr, "%d is %s\n", number, target.c_str());
                return 1;
            }
            return 0;
        });
        const test::child_end end = child.wait();
        EXPECT_EQ(end.exit_code, 0) << end.errors;
    }
    EXPECT_EQ(running.get()[999], -999);
}

std::string output_of(const char* command) {
    std::string text;
    char piece[256];
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream(::popen(command, "r"), &::pclose);
    while (std::fgets(piece, sizeof piece, stream.get())) text += piece;
    return text;
}

TEST(Descriptors, of_the_pool_are_not_in_a_program_that_it_starts) {
    const std::string before = output_of("ls /proc/self/fd");
    mp::Pool pool(3);
    EXPECT_EQ(output_of("ls /proc/self/fd"), before);
    EXPECT_EQ(pool.apply([] { return 1; }), 1);
}

TEST(Descriptors, copy_of_the_pool_in_a_forked_child_refuses_to_work_and_harms_nobody) {
    if (test::thread_sanitizer)
        GTEST_SKIP() << "the sanitizer allows no threads in a child of a program that had some";
    mp::Pool pool(2);
    child_program child([&] {
        mp::Pool copy = std::move(pool);
        try {
            copy.apply([] { return 1; });
            return 1;
        } catch (const mp::PoolNotRunning&) {
        }
        return mp::Pool(2).map(std::negate<>(), test::views::iota(0, 3))[2] == -2 ? 0 : 2;
    });
    const test::child_end end = child.wait();
    EXPECT_EQ(end.exit_code, 0) << end.errors;
    EXPECT_EQ(pool.map(std::negate<>(), test::views::iota(0, 3))[2], -2);
}

// ---- death of the zygote

test::shared<std::atomic<int>> begun_tasks;

int count_and_return(int i) {
    begun_tasks->fetch_add(1);
    ::usleep(300);  // so that the death comes in the midst
    return 3 * i;
}

void kill_zygote() {
    std::vector<long> zygotes;
    EXPECT_TRUE(test::eventually([&] { return !(zygotes = test::children_of(::getpid())).empty(); }));
    for (const long zygote : zygotes) ::kill(static_cast<pid_t>(zygote), SIGKILL);
}

TEST(Zygote, death_while_idle_is_repaired_before_the_next_call) {
    mp::Pool pool(3);
    for (int round = 0; round < 5; ++round) {
        const auto before = test::workers();
        kill_zygote();
        EXPECT_TRUE(test::eventually([&] {
            const auto now = test::workers();
            return now.size() == 3 && std::ranges::find_first_of(now, before) == now.end();
        }));
        EXPECT_EQ(pool.map(std::negate<>(), test::views::iota(0, 100))[99], -99);
    }
}

test::shared<std::atomic<int>> to_die_at_birth;
void die_at_birth() {
    if (to_die_at_birth->fetch_sub(1) > 0) ::raise(SIGKILL);
}
const bool born = [] {
    if (test::is_fresh_run()) die_at_birth();
    return true;
}();

TEST(Zygote, death_at_its_birth_is_repaired_while_the_pool_is_made) {
    ASSERT_TRUE(born);
    static bool armed = true;
    ASSERT_EQ(::pthread_atfork(nullptr, nullptr,
                               [] {
                                   if (armed) die_at_birth();
                               }),
              0);
    for (const int deaths : {1, 3, 5}) {
        *to_die_at_birth = deaths;
        mp::Pool pool(2);
        EXPECT_EQ(pool.map(std::negate<>(), test::views::iota(0, 100))[99], -99);
        EXPECT_LT(*to_die_at_birth, 0);
    }
    armed = false;
}

TEST(Zygote, death_at_its_birth_is_repaired_while_a_process_is_started) {
    ASSERT_TRUE(born);
    static bool armed = true;
    ASSERT_EQ(::pthread_atfork(nullptr, nullptr,
                               [] {
                                   if (armed) die_at_birth();
                               }),
              0);
    for (const int deaths : {1, 3}) {
        *to_die_at_birth = deaths;
        mp::Process process([] {});
        process.start();
        process.join();
        EXPECT_EQ(process.exitcode(), 0);
        EXPECT_LT(*to_die_at_birth, 0);
    }
    armed = false;
}

TEST(Zygote, death_just_before_a_process_is_started_costs_another_try) {
    for (int round = 0; round < test::rounds(50); ++round) {
        mp::Process first([] { ::pause(); }), second([] {});
        first.start();
        kill_zygote();
        second.start();
        second.join();
        EXPECT_EQ(second.exitcode(), 0);
        first.join();
        EXPECT_EQ(first.exitcode(), -SIGKILL);
    }
}

TEST(Zygote, death_in_a_map_costs_no_more_than_the_elements_that_ran) {
    constexpr int kills = 10;
    mp::Pool pool(2);
    auto results =
        pool.imap(count_and_return, test::views::iota(0, 500), {.chunksize = 4, .buffersize = 500});
    // Each death hits workers that have begun something since the last one, as long as there is anything.
    for (int i = 1, before = 0; i <= kills && before < 500; ++i) {
        EXPECT_TRUE(test::eventually([&] { return *begun_tasks >= 40 * i && *begun_tasks > before; }));
        kill_zygote();
        before = *begun_tasks;
    }
    int deaths = 0;
    for (int i = 0; i < 500; ++i) {
        try {
            EXPECT_EQ(results.next(), 3 * i);
        } catch (const mp::WorkerDied& death) {
            EXPECT_EQ(death.index(), static_cast<std::uint64_t>(i));
            EXPECT_GT(death.pid(), 0);
            ++deaths;
        }
    }
    EXPECT_LE(deaths, 2 * kills);
    EXPECT_LE(*begun_tasks, 500);  // nothing ran twice
    EXPECT_EQ(pool.map(std::negate<>(), test::views::iota(0, 100))[99], -99);
    EXPECT_TRUE(test::eventually([] { return test::workers().size() == 2; }));
}

/// Children of this process that have ended and that nobody has waited for.
std::vector<long> zombies() {
    std::vector<long> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        const auto one = test::look_at(std::stol(name));
        if (one.parent == ::getpid() && one.state == 'Z') found.push_back(std::stol(name));
    }
    return found;
}

TEST(Zygote, death_leaves_no_zombies_in_a_program_that_gets_its_workers_as_children) {
    child_program program([] {
        if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return 1;
        const pid_t own = ::fork();
        if (own == 0) ::_exit(3);
        const std::vector<long> only_own{own};
        const auto no_others = [&] { return zombies() == only_own; };
        if (!test::eventually(no_others)) return 2;
        for (int round = 0; round < test::rounds(10); ++round) {
            mp::Pool pool(3);
            const auto before = test::workers();
            for (const long zygote : test::children_of(::getpid()))
                ::kill(static_cast<pid_t>(zygote), round % 2 == 0 ? SIGKILL : SIGSTOP);
            if (round % 2 != 0) ::kill(static_cast<pid_t>(before.at(0)), SIGKILL);
            std::size_t good = 0;
            while (good < 3) {
                for (const auto& outcome : pool.try_map(std::negate<>(), test::views::iota(0, 3)))
                    good += outcome.has_value();
            }
            if (!test::eventually(no_others)) return 3;
            mp::Process process([] { ::pause(); });
            process.start();
            kill_zygote();
            process.join();
            if (!test::eventually(no_others)) return 4;
        }
        if (!test::eventually(no_others)) return 5;
        int status = 0;
        return ::waitpid(own, &status, 0) == own && WEXITSTATUS(status) == 3 ? 0 : 6;
    });
    const test::child_end end = program.wait();
    EXPECT_EQ(end.exit_code, 0) << end.errors;
}

// ---- death of a zygote that has started a process, and has told nobody of it

test::shared<std::atomic<int>> zygotes_to_kill;
test::shared<pid_t> program_with_zygotes;

bool dies_after_fork = false;

void choose_zygote_to_kill() {
    dies_after_fork = ::getppid() == *program_with_zygotes && zygotes_to_kill->fetch_sub(1) > 0;
}
/// In a zygote that is the moment before it tells of a worker.
void kill_chosen_zygote() {
    if (dies_after_fork) ::raise(SIGKILL);
}
/// Or else it might get so far that the pool counts its start.
void outlive_chosen_zygote() {
    if (!std::exchange(dies_after_fork, false)) return;
    while (::getppid() != *program_with_zygotes) ::usleep(100);
}
bool kill_zygotes_after_fork() {
    return ::pthread_atfork(choose_zygote_to_kill, kill_chosen_zygote, outlive_chosen_zygote) == 0;
}
const bool watched = test::is_fresh_run() && kill_zygotes_after_fork();

/// Runs `program`, which is given what is born without news, while zygotes die.
template <class Program>
void expect_no_zombies(Program program) {
    *zygotes_to_kill = 0;
    child_program child([&] {
        *program_with_zygotes = ::getpid();
        if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || !kill_zygotes_after_fork()) return 1;
        if (!program()) return 2;
        return test::eventually([] { return zombies().empty(); }) ? 0 : 3;
    });
    const test::child_end end = child.wait();
    EXPECT_EQ(end.exit_code, 0) << end.errors;
    // No handler runs where a process is started by vfork.
    if (mp::get_start_method() != mp::start_method::spawn) {
        EXPECT_LE(*zygotes_to_kill, 0);
    }
}
bool works(mp::Pool& pool) { return pool.map(std::negate<>(), test::views::iota(0, 100))[99] == -99; }

TEST(UnreportedBirth, of_a_worker_leaves_no_zombie) {
    expect_no_zombies([] {
        *zygotes_to_kill = 3;
        mp::Pool pool({.processes = 2, .restart_limit = 100});
        return works(pool);
    });
}

TEST(UnreportedBirth, of_a_worker_leaves_no_zombie_where_files_are_limited) {
    expect_no_zombies([] {
        mp::Pool pool({.processes = 2, .restart_limit = 100});
        const rlimit none{0, RLIM_INFINITY};
        if (::setrlimit(RLIMIT_FSIZE, &none) != 0) return false;
        const auto before = test::workers();
        *zygotes_to_kill = 3;
        kill_zygote();
        return test::eventually([&] {
                   const auto now = test::workers();
                   return now.size() == 2 && std::ranges::find_first_of(now, before) == now.end();
               }) &&
               works(pool);
    });
}

TEST(UnreportedBirth, of_a_worker_leaves_no_zombie_where_the_pool_gives_up) {
    expect_no_zombies([] {
        *zygotes_to_kill = 1000;
        try {
            mp::Pool pool({.processes = 3, .restart_limit = 1});
            works(pool);
        } catch (const mp::Error&) {  // of the constructor, if its zygote never reported anything
        }
        *zygotes_to_kill = 0;
        return true;
    });
}

TEST(UnreportedBirth, of_a_process_leaves_no_zombie) {
    expect_no_zombies([] {
        *zygotes_to_kill = 3;
        mp::Process process([] {});
        process.start();
        process.join();
        return process.exitcode() == 0;
    });
}

TEST(Zygote, ignores_signals_that_are_meant_for_the_program) {
    mp::Pool pool(2);
    const auto zygote = test::children_of(::getpid());
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::kill(static_cast<pid_t>(zygote.at(0)), signal);
    EXPECT_EQ(pool.map(std::negate<>(), test::views::iota(0, 100))[99], -99);
    EXPECT_EQ(test::children_of(::getpid()), zygote);
}

}  // namespace orphans_test
