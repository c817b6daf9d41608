// SPDX-License-Identifier: MIT
// Process: what it has from the program that starts it, by a fork for instance, and how both end together.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "procpool/process.hpp"
#include "support/processes.hpp"
#include "support/sanitizers.hpp"
#include "support/shared.hpp"
#include "support/wait.hpp"

namespace process_program_test {

namespace mp = procpool;
using namespace std::chrono_literals;

test::shared<std::atomic<int>> sum;
test::shared<test::gate> gate;
test::shared<std::array<std::atomic<long>, 4>> pids;

class ProcessAndProgram : public testing::Test {
protected:
    ProcessAndProgram() {
        *sum = 0;
        gate.reset();
        pids.reset();
    }
};

void wait_for_gate() { gate->pass(); }

TEST_F(ProcessAndProgram, signal_settings_are_the_programs) {
    struct sigaction ignore{}, before{};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGTERM, &ignore, &before);
    {
        mp::Process process(wait_for_gate);
        process.start();
        process.terminate();
        EXPECT_FALSE(process.join(20ms));
        gate->open();
        process.join();
        EXPECT_EQ(process.exitcode(), 0);
    }
    ::sigaction(SIGTERM, &before, nullptr);
}

TEST_F(ProcessAndProgram, only_its_parent_can_use_it) {
    static std::optional<mp::Process> other;
    other.emplace(wait_for_gate);
    other->start();
    mp::Process process({.start_method = mp::start_method::fork}, [] {
        try {
            other->join();
        } catch (const mp::ProcessError&) {
            *sum = 1;
        }
        if (mp::active_children().empty()) *sum += 2;
        other.reset();  // joins nothing here
    });
    process.start();
    process.join();
    EXPECT_EQ(*sum, 3);
    gate->open();
    other.reset();
}

TEST_F(ProcessAndProgram, what_the_program_has_printed_before_comes_once) {
    test::signal_pipe output;
    const test::child_program program([&] {
        ::dup2(output.sending_end().file, STDOUT_FILENO);
        std::fputs("before ", stdout);
        mp::Process process({.start_method = mp::start_method::fork}, [] { std::exit(0); });
        process.start();
        process.join();
        return 0;
    });
    EXPECT_EQ(output.read_to_end(), "before ");
}

TEST_F(ProcessAndProgram, all_are_gone_when_the_program_is_killed) {
    test::child_program program([] {
        mp::Process outer([] {
            (*pids)[0] = ::getpid();
            mp::Process inner([] {
                (*pids)[1] = ::getpid();
                for (;;) ::pause();
            });
            inner.start();
            inner.join();
        });
        mp::Process busy([] {
            (*pids)[2] = ::getpid();
            for (;;) {
            }
        });
        outer.start();
        busy.start();
        (*pids)[3] = 1;
        outer.join();
        return 0;
    });
    ASSERT_TRUE(test::eventually(
        [] { return std::ranges::all_of(*pids, [](const auto& pid) { return pid != 0; }); }));
    program.send(SIGKILL);
    const auto begin = std::chrono::steady_clock::now();
    program.wait();
    for (int i = 0; i < 3; ++i)
        EXPECT_TRUE(test::eventually([&] {
            const char state = test::look_at((*pids)[static_cast<std::size_t>(i)]).state;
            return state == 'X' || state == 'Z';
        }));
    if (!test::sanitized) {
        EXPECT_LT(std::chrono::steady_clock::now() - begin, 1s);
    }
}

TEST_F(ProcessAndProgram, death_of_its_zygote_is_its_own) {
    mp::Process process(wait_for_gate);
    process.start();
    for (const long zygote : test::children_of(::getpid())) ::kill(static_cast<pid_t>(zygote), SIGKILL);
    EXPECT_TRUE(process.join(test::patience));
    EXPECT_EQ(process.exitcode(), -SIGKILL);
    gate->open();
    mp::Process next([] { *sum = 1; });
    next.start();
    next.join();
    EXPECT_EQ(*sum, 1);
}

TEST_F(ProcessAndProgram, a_global_one_is_joined_when_the_program_ends) {
    const test::child_program program([]() -> int {
        static mp::Process process([] {
            gate->pass();
            *sum = 1;
        });
        process.start();
        gate->open();
        std::exit(0);
    });
    EXPECT_TRUE(test::eventually([] { return *sum == 1; }));
}

}  // namespace process_program_test
