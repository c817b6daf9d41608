// SPDX-License-Identifier: MIT
// Signals: Ctrl-C, the program's own handlers and masks, stopped workers.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#include "procpool/pool.hpp"
#include "support/leftovers.hpp"
#include "support/processes.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace signals_test {

namespace mp = procpool;

using test::child_program;
using test::signal_pipe;

/// In a child program, where EXPECT would be heard by nobody.
void require(bool condition, const std::string& what) {
    if (!condition) throw std::runtime_error("not so: " + what);
}
template <class Program>
void expect_success(Program program) {
    child_program child([&] {
        program();
        return 0;
    });
    const test::child_end end = child.wait();
    EXPECT_EQ(end.exit_code, 0) << "signal " << end.signal << "; " << end.errors;
    EXPECT_EQ(end.errors, "");
}

void handle(int signal, void (*handler)(int), int flags = 0) {
    struct sigaction action{};
    action.sa_handler = handler;
    action.sa_flags = flags;
    require(::sigaction(signal, &action, nullptr) == 0, "sigaction");
}
void do_nothing(int) {}

/// What all signals do in this process, and which are blocked, as text.
std::string signal_settings() {
    constexpr int set_by_the_c_library = 0x04000000;  // SA_RESTORER
    std::string text;
    sigset_t blocked;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    for (int signal = 1; signal < NSIG; ++signal) {
        struct sigaction action{};
        if (::sigaction(signal, nullptr, &action) != 0) continue;
        text += std::to_string(signal) + ":" +
                std::to_string(reinterpret_cast<std::uintptr_t>(action.sa_handler)) + "/" +
                std::to_string(action.sa_flags & ~set_by_the_c_library) +
                (::sigismember(&blocked, signal) == 1 ? "b " : " ");
    }
    return text;
}

void block(int signal) {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, signal);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

/// Everything that a pool goes through: work, the death of a worker in a task, idle, and of its zygote.
void live_a_pools_life() {
    mp::Pool pool(2);
    for (int round = 0; round < 3; ++round) {
        const auto outcomes = pool.try_map(
            [](int i) {
                if (i == 13) ::raise(SIGKILL);
                return -i;
            },
            test::views::iota(0, 40), {.chunksize = 3});
        for (std::size_t i = 0; i < 40; ++i) require(outcomes[i].has_value() == (i != 13), "only 13 fails");
        for (const long worker : test::workers()) ::kill(static_cast<pid_t>(worker), SIGKILL);
        require(pool.map(std::negate<>(), test::views::iota(0, 40))[39] == -39, "map after idle deaths");
        const auto before = test::workers();
        for (const long zygote : test::children_of(::getpid())) ::kill(static_cast<pid_t>(zygote), SIGKILL);
        int deaths = 0;  // workers may have begun something when its death reaches them
        for (const auto& outcome : pool.try_map(std::negate<>(), test::views::iota(0, 40)))
            deaths += !outcome.has_value();
        require(deaths <= 2, "map after the zygote's death");
        const auto are_replaced = [&] {
            const auto now = test::workers();
            return now.size() == 2 && std::ranges::find_first_of(now, before) == now.end();
        };
        require(test::eventually(are_replaced), "new workers after the zygote's death");
    }
}

// ---- Ctrl-C

test::shared<signal_pipe::end> begun_writer;
test::shared<signal_pipe::end> go_reader;

int wait_for_go(int i) {
    signal_pipe::send_to(*begun_writer);
    signal_pipe::receive_from(*go_reader);
    return -i;
}

TEST(CtrlC, ends_a_program_in_the_midst_of_a_map_quietly_and_completely) {
    const signal_pipe begun, never;
    *begun_writer = begun.sending_end();
    *go_reader = never.receiving_end();
    child_program child([] { return mp::Pool(3).map(wait_for_go, test::views::iota(0, 50))[0]; },
                        child_program::group::own);
    ASSERT_TRUE(begun.receive(3));
    const auto pressed_at = std::chrono::steady_clock::now();
    child.send(SIGINT);
    const test::child_end end = child.wait();
    EXPECT_LT(std::chrono::steady_clock::now() - pressed_at, std::chrono::seconds(5));
    EXPECT_EQ(end.signal, SIGINT);
    EXPECT_EQ(end.errors, "");
}

TEST(CtrlC, ends_a_program_quietly_at_any_moment) {
    for (int round = 0; round < 20; ++round) {
        const signal_pipe begun;
        child_program child(
            [&]() -> int {
                begun.send();
                for (;;) {
                    mp::Pool pool({.processes = 3, .maxtasksperchild = 5});
                    pool.map(std::negate<>(), test::views::iota(0, 100), {.chunksize = 1});
                }
            },
            child_program::group::own);
        ASSERT_TRUE(begun.receive());
        ::usleep(static_cast<useconds_t>(round * 300));  // a different moment each time
        child.send(SIGINT);
        const test::child_end end = child.wait();
        EXPECT_EQ(end.signal, SIGINT);
        EXPECT_EQ(end.errors, "");
    }
}

std::atomic<int> presses{0};

TEST(CtrlC, is_the_programs_own_to_handle_and_workers_go_on) {
    const signal_pipe begun, go, heard;
    *begun_writer = begun.sending_end();
    *go_reader = go.receiving_end();
    child_program child(
        [&] {
            static int heard_writer;
            heard_writer = heard.sending_end().file;
            handle(SIGINT, [](int) {
                ++presses;
                if (::write(heard_writer, ".", 1) != 1) ::_exit(99);
            });
            mp::Pool pool(3);
            const auto pid = [](int) { return ::getpid(); };
            const auto workers = test::workers();
            auto results = pool.map_async(wait_for_go, test::views::iota(0, 6), {.chunksize = 1});
            require(results.get() == std::vector{0, -1, -2, -3, -4, -5}, "all elements have their results");
            require(test::workers() == workers, "the workers are those from before");
            require(presses == 3, "handler called by the program alone");
            pool.map(pid, test::views::iota(0, 10));
            return 5;
        },
        child_program::group::own);
    ASSERT_TRUE(begun.receive(3));
    for (int i = 0; i < 3; ++i) {
        child.send(SIGINT);
        ASSERT_TRUE(heard.receive());
    }
    go.send(6);
    const test::child_end end = child.wait();
    EXPECT_EQ(end.exit_code, 5) << end.errors;
    EXPECT_EQ(end.errors, "");
}

// ---- the program's settings

TEST(SignalSettings, of_the_program_are_the_same_before_during_and_after) {
    for (const auto& set : std::array<void (*)(), 5>{
             [] {},
             [] { handle(SIGCHLD, do_nothing, SA_RESTART); },
             [] { handle(SIGCHLD, SIG_IGN); },
             [] { handle(SIGPIPE, do_nothing); },
             [] {
                 for (const int signal : {SIGCHLD, SIGINT, SIGTERM, SIGUSR1, SIGPIPE}) block(signal);
             },
         })
        expect_success([set] {
            set();
            const std::string before = signal_settings();
            {
                mp::Pool pool(2);
                require(signal_settings() == before, "the same with a pool");
                pool.map(std::negate<>(), test::views::iota(0, 40));
                require(signal_settings() == before, "the same after a map");
            }
            live_a_pools_life();
            require(signal_settings() == before, "the same after deaths");
        });
}

/// Those of crashes are handled in workers, for the sake of the diagnosis.
/// Nor of SIGTERM, at which a worker writes down where its task is.
std::string signal_settings_but_of_crashes() {
    for (const int crash : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTERM}) handle(crash, SIG_DFL);
    return signal_settings();
}

TEST(SignalSettings, of_a_worker_are_the_programs_apart_from_ctrl_c_terminate_and_crashes) {
    for (const bool killed_before : {false, true})
        expect_success([=] {
            handle(SIGCHLD, do_nothing, SA_RESTART);
            handle(SIGUSR1, SIG_IGN);
            handle(SIGTERM, do_nothing);
            block(SIGUSR2);
            mp::Pool pool(1);
            if (killed_before) {  // then another thread than this one has made the worker's zygote
                const auto old = test::workers();
                for (const long zygote : test::children_of(::getpid()))
                    ::kill(static_cast<pid_t>(zygote), SIGKILL);
                require(
                    test::eventually([&] { return test::workers().size() == 1 && test::workers() != old; }),
                    "a new worker");
            }
            handle(SIGINT, SIG_IGN);
            handle(SIGTERM, SIG_DFL);
            // A handler is an address, which means nothing in a fresh run of the program.
            if (mp::get_start_method() != mp::start_method::fork) handle(SIGCHLD, SIG_DFL);
            const std::string here = signal_settings_but_of_crashes();
            const std::string there = pool.apply(signal_settings_but_of_crashes);
            require(there == here, "here " + here + "\nthere " + there);
        });
}

TEST(SignalSettings, let_a_task_start_programs_and_wait_for_them) {
    mp::Pool pool(2);
    const auto status = [](int) { return WEXITSTATUS(std::system("exit 3")); };
    EXPECT_EQ(pool.map(status, test::views::iota(0, 4)), (std::vector{3, 3, 3, 3}));
}

TEST(SignalSettings, that_block_a_signal_after_the_pool_was_made_keep_it_pending) {
    expect_success([] {
        mp::Pool pool(2);
        sigset_t wanted;
        ::sigemptyset(&wanted);
        ::sigaddset(&wanted, SIGUSR1);
        ::pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
        ::kill(::getpid(), SIGUSR1);  // no thread of the pool may take it
        const timespec patience{5, 0};
        require(::sigtimedwait(&wanted, nullptr, &patience) == SIGUSR1, "the signal waits for the program");
        pool.apply([] {});
    });
}

void reap_all(int) {
    const int before = errno;
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    errno = before;
}

TEST(SignalHandlers, that_reap_all_children_do_no_harm) {
    expect_success([] {
        handle(SIGCHLD, reap_all);
        live_a_pools_life();
    });
}

TEST(SignalHandlers, that_interrupt_all_system_calls_do_no_harm) {
    expect_success([] {
        handle(SIGALRM, do_nothing);
        const itimerval often{{0, 500}, {0, 500}};
        ::setitimer(ITIMER_REAL, &often, nullptr);
        for (int i = 0; i < 20; ++i) {
            mp::Pool pool(2);
            const auto results = pool.map([](int n) { return std::string(static_cast<std::size_t>(n), 'x'); },
                                          test::views::iota(0, 2000), {.chunksize = 1 + i});
            for (std::size_t n = 0; n < 2000; ++n) require(results[n].size() == n, "results are complete");
        }
        live_a_pools_life();
    });
}

TEST(StoppedWorker, loses_nothing_when_it_is_continued) {
    const signal_pipe begun, go;
    *begun_writer = begun.sending_end();
    *go_reader = go.receiving_end();
    mp::Pool pool(2);
    auto results = pool.map_async(wait_for_go, test::views::iota(0, 40), {.chunksize = 5});
    ASSERT_TRUE(begun.receive(2));
    const auto workers = test::workers();
    for (const long worker : workers) ::kill(static_cast<pid_t>(worker), SIGSTOP);
    for (const long worker : workers)
        EXPECT_TRUE(test::eventually([&] { return test::look_at(worker).state == 'T'; }));
    go.send(40);
    EXPECT_FALSE(results.wait(std::chrono::milliseconds(20)));
    for (const long worker : workers) ::kill(static_cast<pid_t>(worker), SIGCONT);
    const std::vector<int> all = results.get();
    for (int i = 0; i < 40; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)], -i);
    EXPECT_EQ(test::workers(), workers);
}

TEST(StoppedWorker, can_be_killed_and_terminated) {
    mp::Pool pool(2);
    const auto stop_all = [] {
        const auto workers = test::workers();
        for (const long worker : workers) ::kill(static_cast<pid_t>(worker), SIGSTOP);
        return workers;
    };
    for (const long worker : stop_all()) ::kill(static_cast<pid_t>(worker), SIGKILL);
    EXPECT_EQ(pool.map(std::negate<>(), test::views::iota(0, 100))[99], -99);
    stop_all();
}

}  // namespace signals_test
