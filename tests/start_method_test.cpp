// SPDX-License-Identifier: MIT
// How workers start: which method is taken, what fresh runs of the program inherit, and what they don't.
#include "procpool/start_method.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <locale>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "procpool/detail/zygote/exec.hpp"
#include "procpool/pool.hpp"
#include "support/message_of.hpp"
#include "support/processes.hpp"
#include "support/rounds.hpp"
#include "support/sanitizers.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace start_method_test {

namespace mp = procpool;
namespace zygote = procpool::detail::zygote;
using mp::start_method;
using test::message_of;

int cube(int x) { return x * x * x; }

int times_main_was_begun = 0;  // counted by what a task can see, and set by no initialiser

// ---- which method

/// As in a program that never calls freeze_support().
class WithoutFreezeSupport : public testing::Test {
protected:
    WithoutFreezeSupport() : launcher_(zygote::launcher.exchange(nullptr)) {}
    ~WithoutFreezeSupport() override { zygote::launcher = launcher_; }

private:
    zygote::program_launcher launcher_;
};

TEST_F(WithoutFreezeSupport, methods_that_start_the_program_anew_say_what_is_missing) {
    for (const auto method : {start_method::forkserver, start_method::spawn}) {
        const std::string text =
            message_of<mp::BootstrapError>([&] { mp::Pool({.processes = 1, .start_method = method}); });
        EXPECT_NE(text.find("procpool::freeze_support(argc, argv)"), std::string::npos) << text;
    }
}

TEST_F(WithoutFreezeSupport, automatic_is_fork_and_refuses_to_copy_locks_of_other_threads) {
    test::gate done;
    std::thread other([&] { done.pass(); });
    const std::string text = message_of<mp::BootstrapError>([] { mp::Pool pool(1); });
    EXPECT_NE(text.find("1 other thread"), std::string::npos) << text;
    EXPECT_NE(text.find("freeze_support"), std::string::npos) << text;
    EXPECT_NE(text.find("start_method::fork"), std::string::npos) << text;
    {
        mp::Pool pool({.processes = 1, .start_method = start_method::fork});
        EXPECT_EQ(pool.apply(cube, 3), 27) << "an explicit method is taken at its word";
    }
    done.open();
    other.join();
    mp::Pool pool(1);
    EXPECT_EQ(pool.apply(cube, 3), 27);
}

void kill_zygotes() {
    for (const long zygote : test::children_of(::getpid())) ::kill(static_cast<pid_t>(zygote), SIGKILL);
}
bool zygotes_are_gone() { return test::children_of(::getpid()).empty(); }

TEST_F(WithoutFreezeSupport, automatic_forks_another_zygote_when_the_only_thread_comes_for_it) {
    mp::Pool pool(2);
    for (int round = 0; round < 3; ++round) {
        kill_zygotes();
        ASSERT_TRUE(test::eventually(zygotes_are_gone));
        EXPECT_EQ(pool.map(cube, test::views::iota(0, 10))[3], 27);
        kill_zygotes();
        ASSERT_TRUE(test::eventually(zygotes_are_gone));
        EXPECT_EQ(pool.apply_async(cube, 4).get(), 64);
    }
    // It waits in a call when the zygote dies.
    const auto kill_parent = [](int i) {
        if (i == 3) {
            ::kill(::getppid(), SIGKILL);
            ::pause();
        }
        return i;
    };
    const auto outcomes = pool.try_map(kill_parent, test::views::iota(0, 10), {.chunksize = 1});
    EXPECT_THROW(outcomes[3].value(), mp::WorkerDied);
    EXPECT_EQ(pool.map(cube, test::views::iota(0, 10))[3], 27);
}

void expect_end_of(mp::Pool& pool) {
    for (int i = 0; i < 2; ++i) {
        const std::string text = message_of<mp::BootstrapError>([&] { pool.apply(cube, 3); });
        EXPECT_NE(text.find("procpool::freeze_support(argc, argv)"), std::string::npos) << text;
        EXPECT_NE(text.find("was killed"), std::string::npos) << text;
    }
}

TEST_F(WithoutFreezeSupport, automatic_ends_the_pool_rather_than_fork_another_zygote_beside_threads) {
    test::gate done;
    mp::Pool pool(2);
    std::thread other([&] { done.pass(); });
    kill_zygotes();
    ASSERT_TRUE(test::eventually(zygotes_are_gone));
    expect_end_of(pool);
    done.open();
    other.join();
}

TEST_F(WithoutFreezeSupport, automatic_ends_the_pool_rather_than_fork_while_the_program_does_something_else) {
    mp::Pool pool(1);
    test::gate ended;
    auto running = pool.apply_async([] { ::pause(); });
    auto pending = pool.apply_async(cube, 3);
    pending.error_callback([&](const std::exception_ptr&) { ended.open(); });
    kill_zygotes();
    ended.pass();                     // not in the pool
    EXPECT_ANY_THROW(running.get());  // WorkerDied, if it had begun
    EXPECT_THROW(pending.get(), mp::BootstrapError);
    expect_end_of(pool);
}

TEST_F(WithoutFreezeSupport, fork_that_was_asked_for_is_repeated_beside_threads) {
    test::gate done;
    mp::Pool pool({.processes = 2, .start_method = start_method::fork});
    std::thread other([&] { done.pass(); });
    kill_zygotes();
    ASSERT_TRUE(test::eventually([] { return test::workers().size() == 2; }));
    EXPECT_EQ(pool.apply([] { return 7; }), 7);
    done.open();
    other.join();
}

TEST(StartMethod, automatic_is_forkserver_where_freeze_support_was_called) {
    times_main_was_begun = 1;  // a copy of this process would have it
    mp::Pool pool(1);
    EXPECT_EQ(pool.apply([] { return times_main_was_begun; }), 0);
    times_main_was_begun = 0;
}

TEST(StartMethod, is_set_once_in_a_program) {
    test::child_program program([] {
        if (mp::get_start_method() != start_method::automatic) return 1;
        mp::set_start_method(start_method::spawn);
        if (mp::get_start_method() != start_method::spawn) return 2;
        const std::string text = message_of<mp::Error>([] { mp::set_start_method(start_method::fork); });
        if (text != "procpool: the start method has already been set") return 3;
        mp::set_start_method(start_method::fork, true);
        return mp::get_start_method() == start_method::fork ? 0 : 4;
    });
    EXPECT_EQ(program.wait().exit_code, 0);
}

TEST(StartMethod, a_process_that_no_pool_has_started_but_says_so_stops_with_a_sentence) {
    test::child_program program([] {
        ::execl("/proc/self/exe", "program", "--procpool-process=1000", nullptr);
        return 1;
    });
    const auto end = program.wait();
    EXPECT_NE(end.exit_code, 0);
    EXPECT_NE(end.errors.find("procpool: process "), std::string::npos) << end.errors;
}

// ---- what fresh runs are like

class FreshRun : public testing::TestWithParam<start_method> {
protected:
    mp::PoolOptions options(int processes) const {
        return {.processes = processes, .start_method = GetParam()};
    }
};
INSTANTIATE_TEST_SUITE_P(By, FreshRun, testing::Values(start_method::forkserver, start_method::spawn),
                         [](const auto& one) {
                             return one.param == start_method::spawn ? "spawn" : "forkserver";
                         });

TEST_P(FreshRun, has_the_working_directory_environment_and_limits_of_the_program) {
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path("/");
    ::setenv("PROCPOOL_TEST_VALUE", "travels", 1);
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    const rlim_t was = limit.rlim_cur;
    limit.rlim_cur = 200;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    {
        mp::Pool pool(options(1));
        EXPECT_EQ(pool.apply([] { return std::filesystem::current_path().string(); }), "/");
        EXPECT_EQ(pool.apply([] { return std::string(std::getenv("PROCPOOL_TEST_VALUE")); }), "travels");
        EXPECT_EQ(pool.apply([] {
            rlimit own{};
            ::getrlimit(RLIMIT_NOFILE, &own);
            return static_cast<long>(own.rlim_cur);
        }),
                  200);
    }
    limit.rlim_cur = was;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    ::unsetenv("PROCPOOL_TEST_VALUE");
    std::filesystem::current_path(before);
}

TEST_P(FreshRun, has_the_programs_locale) {
    std::string name;
    for (const char* const candidate : {"C.UTF-8", "C.utf8", "POSIX"})
        if (name.empty() && std::setlocale(LC_ALL, candidate)) name = std::setlocale(LC_ALL, nullptr);
    mp::Pool pool(options(1));
    std::setlocale(LC_ALL, "C");
    EXPECT_EQ(pool.apply([] { return std::string(std::setlocale(LC_ALL, nullptr)); }), name);
}

TEST_P(FreshRun, has_nothing_to_read_from_standard_input) {
    mp::Pool pool(options(1));
    EXPECT_EQ(pool.apply([] {
        char byte = 0;
        return static_cast<int>(::read(STDIN_FILENO, &byte, 1));
    }),
              0);
}

TEST_P(FreshRun, shows_under_the_programs_name_and_hands_nothing_down_in_its_environment) {
    mp::Pool pool(options(1));
    const std::string name = pool.apply([] {
        std::ifstream file("/proc/self/comm");
        std::string own;
        std::getline(file, own);
        return own;
    });
    std::ifstream file("/proc/self/comm");
    std::string mine;
    std::getline(file, mine);
    EXPECT_EQ(name, mine);
    EXPECT_EQ(pool.apply([] { return ::system("env | grep -i procpool-process") != 0; }), true);
}

TEST_P(FreshRun, holds_no_descriptor_of_the_program_or_of_other_pools) {
    const int leaky = ::open("/dev/zero", O_RDONLY);  // not close-on-exec
    mp::Pool first(options(2)), second(options(2));
    first.map(cube, test::views::iota(0, 10));
    second.map(cube, test::views::iota(0, 10));
    const auto workers = test::workers();
    ASSERT_EQ(workers.size(), 4u);
    std::set<std::string> pipes;
    for (const long worker : workers) {
        std::size_t own = 0;
        for (const auto& [number, target] : test::descriptors_of(worker)) {
            if (number <= STDERR_FILENO) continue;
            EXPECT_TRUE(target.starts_with("pipe:")) << target;
            EXPECT_TRUE(pipes.insert(target).second) << "two workers hold " << target;
            ++own;
        }
        EXPECT_EQ(own, 2u);
    }
    for (const long zygote : test::children_of(::getpid()))
        for (const auto& [number, target] : test::descriptors_of(zygote))
            EXPECT_TRUE(target != "/dev/zero") << "descriptor " << number << " of the zygote";
    ::close(leaky);
}

TEST_P(FreshRun, is_what_a_replacement_is_too) {
    mp::Pool pool(options(2));
    for (int i = 0; i < 5; ++i) {
        EXPECT_THROW(pool.apply([] { ::kill(::getpid(), SIGKILL); }), mp::WorkerDied);
        EXPECT_EQ(pool.apply(cube, i), i * i * i);
    }
}

TEST_P(FreshRun, can_have_pools_of_its_own) {
    mp::Pool pool(options(2));
    EXPECT_EQ(pool.map(
                  [method = GetParam()](int i) {
                      mp::Pool inner({.processes = 1, .start_method = method});
                      return inner.apply(cube, i);
                  },
                  test::views::iota(0, 4)),
              (std::vector{0, 1, 8, 27}));
}

TEST_P(FreshRun, gets_what_initializers_make) {
    static std::vector<int> table;
    mp::Pool pool(options(2), [](int size) { table.assign(static_cast<std::size_t>(size), 7); }, 1000);
    EXPECT_EQ(
        pool.map([](int i) { return table.at(static_cast<std::size_t>(i)); }, test::views::iota(0, 1000)),
        std::vector<int>(1000, 7));
    EXPECT_TRUE(table.empty());
}

TEST_P(FreshRun, is_started_from_several_threads_at_once) {
    std::vector<std::thread> threads;
    std::atomic<int> good{0};
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 3; ++i) {
                mp::Pool pool(options(2));
                if (pool.map(cube, test::views::iota(0, 4)) == std::vector{0, 1, 8, 27}) ++good;
            }
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(good, 12);
}

TEST_P(FreshRun, needs_no_care_for_threads_that_lock_a_mutex) {
    std::mutex common;
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < 16; ++t)
        threads.emplace_back([&] {
            while (!stop) {
                const std::lock_guard lock(common);
                std::string allocated(100, 'x');
            }
        });
    const int pools = test::rounds(test::sanitized ? 10 : 100);
    for (int i = 0; i < pools; ++i) {
        mp::Pool pool(options(2));
        ASSERT_EQ(pool.apply(cube, 3), 27);
    }
    stop = true;
    for (auto& thread : threads) thread.join();
}

}  // namespace start_method_test
