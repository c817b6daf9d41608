// SPDX-License-Identifier: MIT
// Process: birth, arguments, ends of all kinds, and that nothing is left behind.
#include "procpool/process.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "procpool/pool.hpp"
#include "procpool/shared_array.hpp"
#include "procpool/thread_pool.hpp"
#include "support/message_of.hpp"
#include "support/processes.hpp"
#include "support/rounds.hpp"
#include "support/sanitizers.hpp"
#include "support/shared.hpp"
#include "support/wait.hpp"

namespace process_test {

namespace mp = procpool;
using namespace std::chrono_literals;
using test::message_of;

test::shared<std::atomic<int>> sum;
test::shared<test::gate> gate;
test::shared<std::array<std::atomic<long>, 4>> pids;

class Process : public testing::Test {
protected:
    Process() {
        *sum = 0;
        gate.reset();
        pids.reset();
    }
};

void wait_for_gate() { gate->pass(); }

/// What a process prints to one of its streams.
template <class F, class... Args>
std::string printed_by(int stream, F function, Args... args) {
    test::signal_pipe output;
    const int original = ::dup(stream);
    ::dup2(output.sending_end().file, stream);
    {
        mp::Process process(function, args...);
        process.start();
    }
    ::dup2(original, stream);
    ::close(original);
    return output.read_to_end();
}

// ---- a function and its arguments

TEST_F(Process, that_is_closed_is_no_active_child) {
    mp::Process process([] {});
    process.start();
    process.join();
    process.close();
    EXPECT_TRUE(mp::active_children().empty());
}

TEST_F(Process, runs_its_function_with_its_arguments) {
    mp::Process process(
        [](int a, const std::string& text, const std::vector<int>& more) {
            *sum = a + static_cast<int>(text.size()) + std::accumulate(more.begin(), more.end(), 0);
        },
        1, "two", std::vector{10, 20});
    process.start();
    process.join();
    EXPECT_EQ(*sum, 34);
    EXPECT_EQ(process.exitcode(), 0);
}

TEST_F(Process, arguments_are_those_of_when_it_was_made) {
    int number = 3;
    mp::Process process([](int n) { *sum = n; }, number);
    number = 4;
    process.start();
    process.join();
    EXPECT_EQ(*sum, 3);
}

TEST_F(Process, result_of_the_function_needs_no_serialisation_and_is_dropped) {
    mp::Process process([] { return &std::cout; });
    process.start();
    process.join();
    EXPECT_EQ(process.exitcode(), 0);
}

TEST_F(Process, views_show_what_was_sent) {
    const std::vector<int> numbers(100'000, 2);
    mp::Process process(
        [](std::span<const int> all, std::string_view text) {
            *sum = std::accumulate(all.begin(), all.end(), 0) + static_cast<int>(text.size());
        },
        numbers, std::string("four"));
    process.start();
    process.join();
    EXPECT_EQ(*sum, 200'004);
}

TEST_F(Process, shared_arrays_need_to_live_no_longer_than_start) {
    std::optional<mp::SharedArray<int, 1>> array(std::in_place, std::array<std::size_t, 1>{1000});
    std::ranges::fill(array->span(), 7);
    mp::Process process(
        [](mp::SharedArray<int, 1> numbers) {
            gate->pass();
            *sum = std::accumulate(numbers.begin(), numbers.end(), 0);
        },
        *array);
    array.reset();
    process.start();
    gate->open();
    process.join();
    EXPECT_EQ(*sum, 7000);
}

struct unreadable {
    template <class Archive>
    void save(Archive&) const {}
    template <class Archive>
    void load(Archive&) {
        throw std::runtime_error("no such thing");
    }
};

TEST_F(Process, start_throws_what_went_wrong_with_the_arguments) {
    mp::Process process([](const unreadable&) {}, unreadable{});
    for (int attempt = 0; attempt < 2; ++attempt) {
        const auto text = message_of<mp::SerializationError>([&] { process.start(); });
        EXPECT_NE(text.find("no such thing"), std::string::npos) << text;
        EXPECT_FALSE(process.is_alive());
        EXPECT_EQ(process.pid(), 0);
    }
}

struct deadly {
    template <class Archive>
    void save(Archive&) const {}
    template <class Archive>
    void load(Archive&) {
        ::raise(SIGKILL);
    }
};

TEST_F(Process, start_tells_of_a_death_before_the_function) {
    mp::Process process([](const deadly&) {}, deadly{});
    const auto text = message_of<mp::BootstrapError>([&] { process.start(); });
    EXPECT_NE(text.find("SIGKILL"), std::string::npos) << text;
}

// ---- how it ends

int exit_code_of(auto function) {
    mp::Process process(function);
    process.start();
    EXPECT_TRUE(process.join(test::patience));
    return process.exitcode().value_or(-1000);
}

TEST_F(Process, exit_codes_are_those_of_python) {
    EXPECT_EQ(exit_code_of([] {}), 0);
    EXPECT_EQ(exit_code_of([] { std::exit(7); }), 7);
    EXPECT_EQ(exit_code_of([] { ::_exit(8); }), 8);
    EXPECT_EQ(exit_code_of([] { ::raise(SIGKILL); }), -SIGKILL);
    EXPECT_EQ(exit_code_of([] { ::raise(SIGTERM); }), -SIGTERM);
    EXPECT_EQ(exit_code_of([] { ::pthread_exit(nullptr); }), 0);
}

TEST_F(Process, exit_code_of_a_fault_is_its_signal) {
    if (test::sanitized) GTEST_SKIP() << "the sanitizer exits in place of the signal";
    EXPECT_EQ(exit_code_of([] { std::abort(); }), -SIGABRT);
    EXPECT_EQ(exit_code_of([] { *static_cast<volatile int*>(nullptr) = 1; }), -SIGSEGV);
}

TEST_F(Process, uncaught_exception_is_told_with_the_name_of_the_process) {
    std::optional<int> code;
    test::signal_pipe errors;
    const int original = ::dup(STDERR_FILENO);
    ::dup2(errors.sending_end().file, STDERR_FILENO);
    {
        mp::Process process({.name = "reader"}, [] { throw std::out_of_range("page 7"); });
        process.start();
        process.join();
        code = process.exitcode();
        mp::Process other({.name = "other"}, [] { throw 3; });
        other.start();
    }
    ::dup2(original, STDERR_FILENO);
    ::close(original);
    EXPECT_EQ(code, 1);
    EXPECT_EQ(
        errors.read_to_end(),
        "Process reader: std::out_of_range: page 7\nProcess other: int: not derived from std::exception\n");
}

TEST_F(Process, what_it_prints_is_out_when_it_has_ended) {
    EXPECT_EQ(printed_by(STDOUT_FILENO,
                         [] {
                             std::cout << "stream ";
                             std::fputs("stdio", stdout);
                         }),
              "stream stdio");
    EXPECT_EQ(printed_by(STDOUT_FILENO,
                         [] {
                             std::ios_base::sync_with_stdio(false);
                             std::cout << "a buffer of its own";
                         }),
              "a buffer of its own");
    EXPECT_EQ(printed_by(STDOUT_FILENO,
                         [] {
                             std::fputs("kept by exit()", stdout);
                             std::exit(2);
                         }),
              "kept by exit()");
}

TEST_F(Process, standard_input_is_empty) {
    EXPECT_EQ(exit_code_of([] { std::exit(std::getchar() == EOF ? 0 : 1); }), 0);
}

// ---- its life as its parent sees it

TEST_F(Process, is_alive_between_start_and_its_end) {
    mp::Process process(wait_for_gate);
    EXPECT_FALSE(process.is_alive());
    EXPECT_EQ(process.exitcode(), std::nullopt);
    EXPECT_EQ(process.pid(), 0);
    process.start();
    EXPECT_TRUE(process.is_alive());
    EXPECT_EQ(process.exitcode(), std::nullopt);
    EXPECT_GT(process.pid(), 0);
    EXPECT_FALSE(process.join(0s));
    EXPECT_FALSE(process.join(-1s)) << "as in Python, that is 0";
    EXPECT_FALSE(process.join(10ms));
    gate->open();
    process.join();
    process.join();
    EXPECT_FALSE(process.is_alive());
    EXPECT_EQ(process.exitcode(), 0);
}

TEST_F(Process, copies_mean_the_same_process) {
    mp::Process process(wait_for_gate);
    mp::Process copy = process;
    EXPECT_EQ(process, copy);
    process.start();
    EXPECT_TRUE(copy.is_alive());
    gate->open();
    copy.join();
    EXPECT_EQ(process.exitcode(), 0);
}

TEST_F(Process, joined_by_several_threads_at_once) {
    mp::Process process(wait_for_gate);
    process.start();
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([process]() mutable { process.join(); });
    gate->open();
    for (std::thread& one : threads) one.join();
    EXPECT_EQ(process.exitcode(), 0);
}

TEST_F(Process, terminate_and_kill_and_interrupt_end_it) {
    for (const auto& [method, signal] :
         {std::pair{&mp::Process::terminate<>, SIGTERM}, std::pair{&mp::Process::kill<>, SIGKILL},
          std::pair{&mp::Process::interrupt<>, SIGINT}}) {
        mp::Process process(wait_for_gate);
        process.start();
        (process.*method)();
        EXPECT_TRUE(process.join(test::patience));
        EXPECT_EQ(process.exitcode(), -signal);
        (process.*method)();  // nobody is there
    }
}

TEST_F(Process, destructor_joins) {
    {
        mp::Process process([] {
            gate->pass();
            *sum = 1;
        });
        process.start();
        gate->open();
    }
    EXPECT_EQ(*sum, 1);
}

TEST_F(Process, daemon_is_terminated_instead) {
    mp::Process process({.daemon = true}, wait_for_gate);
    process.start();
    const long pid = process.pid();
    EXPECT_TRUE(process.daemon());
    {
        const mp::Process last = std::move(process);
    }
    EXPECT_EQ(test::look_at(pid).state, 'X');
}

TEST_F(Process, misuse_is_an_error) {
    mp::Process process(wait_for_gate);
    EXPECT_THROW(process.join(), mp::ProcessError);
    EXPECT_THROW(process.join(1s), mp::ProcessError);
    EXPECT_THROW(process.terminate(), mp::ProcessError);
    EXPECT_THROW(process.sentinel(), mp::ProcessError);
    process.start();
    EXPECT_THROW(process.start(), mp::ProcessError);
    EXPECT_THROW(process.close(), mp::ProcessError);
    gate->open();
    process.join();
    EXPECT_THROW(process.start(), mp::ProcessError);
    process.close();
    process.close();
    EXPECT_THROW(process.is_alive(), mp::ProcessError);
    EXPECT_THROW(process.exitcode(), mp::ProcessError);
    EXPECT_THROW(process.join(), mp::ProcessError);
    EXPECT_THROW(process.pid(), mp::ProcessError);
    const mp::Process moved = std::move(process);
    EXPECT_THROW(process.is_alive(), mp::ProcessError);  // NOLINT(bugprone-use-after-move)
}

// ---- waiting for several

TEST_F(Process, sentinel_is_ready_when_the_process_has_ended) {
    mp::Process waits(wait_for_gate);
    mp::Process ends([] {});
    waits.start();
    ends.start();
    const auto ready = mp::wait({waits.sentinel(), ends.sentinel()}, test::patience);
    ASSERT_EQ(ready.size(), 1u);
    EXPECT_EQ(ready[0], ends.sentinel());
    EXPECT_TRUE(ends.join(test::patience));
    EXPECT_EQ(mp::wait({waits.sentinel(), ends.sentinel()}).size(), 1u) << "it stays ready";
    EXPECT_TRUE(mp::wait({waits.sentinel()}, 10ms).empty());
    const mp::Waitable sentinel = ends.sentinel();
    ends.close();
    EXPECT_EQ(mp::wait({sentinel}, test::patience).size(), 1u);
    gate->open();
}

// ---- names and relations

TEST_F(Process, names_count_up_and_nest) {
    mp::Process first([] {});
    mp::Process second([] {});
    ASSERT_EQ(first.name().find("Process-"), 0u);
    EXPECT_EQ(std::stoi(second.name().substr(8)), std::stoi(first.name().substr(8)) + 1);
    EXPECT_EQ(mp::Process({.name = "mine"}, [] {}).name(), "mine");
    EXPECT_EQ(mp::current_process().name, "MainProcess");
    EXPECT_EQ(mp::current_process().pid, ::getpid());
    EXPECT_FALSE(mp::parent_process());
    EXPECT_EQ(printed_by(STDOUT_FILENO,
                         [] {
                             const mp::ProcessInfo self = mp::current_process();
                             const mp::ProcessInfo parent = mp::parent_process().value();
                             if (self.pid == ::getpid() && parent.name == "MainProcess" && !self.daemon)
                                 std::cout << (mp::Process([] {}).name() == self.name + ":1");
                         }),
              "1");
}

TEST_F(Process, parent_is_the_process_that_started_it) {
    mp::Process process([](long starter) { *sum = mp::parent_process()->pid == starter; },
                        static_cast<long>(::getpid()));
    process.start();
    process.join();
    EXPECT_EQ(*sum, 1);
}

/// In a pool's worker: the name of the parent and whether it is a daemon, if that is the given process.
std::string parent_name_if_it_is(long maker) {
    const mp::ProcessInfo parent = mp::parent_process().value();
    return parent.pid == maker ? parent.name + (parent.daemon ? " daemon" : "") : "";
}

TEST_F(Process, parent_of_a_pools_worker_is_who_made_the_pool) {
    mp::Pool pool(1);
    EXPECT_EQ(pool.apply(parent_name_if_it_is, static_cast<long>(::getpid())), "MainProcess");
    EXPECT_EQ(pool.apply([] {
        mp::Pool inner(1);
        return inner.apply(parent_name_if_it_is, static_cast<long>(::getpid()));
    }),
              "PoolWorker-1 daemon");
    EXPECT_FALSE(mp::ThreadPool(1).apply([] { return mp::parent_process(); }));
}

// Without another pool: gcc's TSan can't start a thread in the child of a program that had threads then.
TEST_F(Process, parent_of_a_processs_pools_worker_is_the_process) {
    EXPECT_EQ(printed_by(STDOUT_FILENO,
                         [] {
                             mp::Pool pool(1);
                             const auto name =
                                 pool.apply(parent_name_if_it_is, static_cast<long>(::getpid()));
                             std::cout << (name == mp::current_process().name);
                         }),
              "1");
}

TEST_F(Process, active_children_are_those_that_run) {
    mp::Process first(wait_for_gate);
    mp::Process second([] {});
    mp::Process third(wait_for_gate);
    first.start();
    second.start();
    third.start();
    second.join();
    EXPECT_EQ(mp::active_children(), (std::vector{first, third}));
    gate->open();
    for (mp::Process& child : mp::active_children()) child.join();
    EXPECT_TRUE(mp::active_children().empty());
}

// ---- many, and within each other

TEST_F(Process, ten_run_at_once) {
    const auto begin = std::chrono::steady_clock::now();
    {
        std::vector<mp::Process> processes;
        for (int i = 0; i < 10; ++i)
            processes.emplace_back(
                [](int n) {
                    ++*sum;
                    while (*sum < 10) std::this_thread::yield();  // none of them ends before all have begun
                    *sum += n;
                },
                100);
        for (mp::Process& one : processes) one.start();
    }
    EXPECT_EQ(*sum, 1010);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, test::patience);
}

TEST_F(Process, a_thousand_one_after_another_and_many_at_once) {
    const int count = test::rounds(test::sanitized ? 100 : 1000);
    for (int i = 0; i < count; ++i) {
        mp::Process process([] { ++*sum; });
        process.start();
        process.join();
    }
    EXPECT_EQ(*sum, count);
    const test::signal_pipe go;  // so many must not look at the gate all the time
    std::vector<mp::Process> processes;
    for (int i = 0; i < count / 5; ++i) {
        processes.emplace_back(
            [](test::signal_pipe::end end) { *sum += test::signal_pipe::receive_from(end); },
            go.receiving_end());
        processes.back().start();
    }
    go.send(count / 5);
    for (mp::Process& one : processes) one.join();
    EXPECT_EQ(*sum, count + count / 5);
}

TEST_F(Process, started_by_several_threads) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([] {
            for (int k = 0; k < 5; ++k) {
                mp::Process process([] { ++*sum; });
                process.start();
            }
        });
    for (std::thread& one : threads) one.join();
    EXPECT_EQ(*sum, 20);
}

TEST_F(Process, a_process_has_processes_and_pools) {
    mp::Process process([] {
        mp::Process inner([] { *sum += 1; });
        inner.start();
        inner.join();
        mp::Pool pool(2);
        for (const int n : pool.map([](int x) { return 10 * x; }, std::vector{1, 2})) *sum += n;
    });
    process.start();
    process.join();
    EXPECT_EQ(process.exitcode(), 0);
    EXPECT_EQ(*sum, 31);
}

TEST_F(Process, a_process_joins_its_own_at_its_end) {
    mp::Process process([] {
        auto* const forgotten = new mp::Process([] {
            gate->pass();
            *sum = 1;
        });
        forgotten->start();
        gate->open();
        if (mp::current_process().name.empty()) delete forgotten;
    });
    process.start();
    process.join();
    EXPECT_EQ(*sum, 1);
}

TEST_F(Process, a_pools_task_has_processes) {
    mp::Pool pool(2);
    const auto names = pool.map(
        [](int n) {
            mp::Process inner([](int x) { *sum += x + !mp::worker_index().has_value(); }, n);
            inner.start();
            inner.join();
            return mp::current_process().name;
        },
        std::vector{10, 20, 30}, {.chunksize = 1});
    EXPECT_EQ(*sum, 63);
    for (const std::string& name : names) EXPECT_EQ(name.find("PoolWorker-"), 0u);
}

}  // namespace process_test
