// SPDX-License-Identifier: MIT
// Preload: what is loaded once for all workers of a pool.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "procpool/preload.hpp"
#include "procpool/thread_pool.hpp"
#include "support/leftovers.hpp"
#include "support/message_of.hpp"
#include "support/processes.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace preload_test {

namespace mp = procpool;

struct notes {
    std::atomic<int> loads{0};
    std::atomic<long> pid{0};
};
test::shared<notes> seen;

std::vector<int> model;  // what is loaded

void load() {
    model.assign(1000, 7);
    seen->pid = ::getpid();
    ++seen->loads;
}
int ask(int i) { return model.at(static_cast<std::size_t>(i)); }

bool spawns() { return mp::get_start_method() == mp::start_method::spawn; }

class Preload : public testing::Test {
protected:
    void SetUp() override {
        seen.reset();
        model.clear();
    }
};

TEST_F(Preload, runs_once_for_all_workers_and_those_that_take_their_places) {
    mp::Pool pool({.processes = 3, .preload = load});
    EXPECT_EQ(seen->loads, spawns() ? 3 : 1);
    EXPECT_NE(seen->pid, ::getpid());
    EXPECT_EQ(pool.map(ask, test::views::iota(0, 100))[99], 7);
    EXPECT_TRUE(model.empty());
    for (const long worker : test::workers()) ::kill(static_cast<pid_t>(worker), SIGKILL);
    EXPECT_EQ(pool.map(ask, test::views::iota(0, 100))[99], 7);
    if (!spawns()) {
        EXPECT_EQ(seen->loads, 1);
    }
}

TEST_F(Preload, runs_again_in_a_zygote_that_takes_anothers_place) {
    mp::Pool pool({.processes = 2, .preload = load});
    ::kill(static_cast<pid_t>(test::children_of(::getpid()).at(0)), SIGKILL);
    EXPECT_TRUE(test::eventually([] { return seen->loads == (spawns() ? 4 : 2); }));
    EXPECT_EQ(pool.map(ask, test::views::iota(0, 100))[99], 7);
}

TEST_F(Preload, runs_before_the_initializer_and_may_bind_arguments) {
    mp::Pool pool(
        {.processes = 2,
         .preload = mp::partial([](const std::string& text) { model.assign(text.size(), 5); },
                                std::string(100'000, 'x'))},
        [](int by) {
            for (int& one : model) one += by;
        },
        2);
    EXPECT_EQ(pool.apply([] { return model.size(); }), 100'000u);
    EXPECT_EQ(pool.apply(ask, 99'999), 7);
}

TEST_F(Preload, runs_in_the_constructors_thread_where_there_are_no_processes) {
    {
        mp::ThreadPool pool({.processes = 2, .preload = load});
        EXPECT_EQ(seen->pid, ::getpid());
        EXPECT_EQ(pool.apply(ask, 3), 7);
    }
    mp::Pool pool({.processes = 0, .preload = load});
    EXPECT_EQ(pool.apply(ask, 3), 7);
    EXPECT_EQ(seen->loads, 2);
    EXPECT_THROW(mp::ThreadPool({.processes = 1, .preload = [] { throw std::domain_error("no model"); }}),
                 std::domain_error);
}

template <class F>
std::string message_of_a_pool_with(F preload) {
    try {
        mp::Pool pool({.processes = 2, .preload = preload});
    } catch (const mp::BootstrapError& error) {
        return error.what();
    }
    return "nothing was thrown";
}

TEST_F(Preload, that_throws_is_the_constructors_error) {
    EXPECT_EQ(message_of_a_pool_with([] { throw std::domain_error("there is no model.bin"); }),
              "procpool: the pool's preload threw std::domain_error: there is no model.bin");
    EXPECT_NE(message_of_a_pool_with([] { throw 5; }).find("threw int"), std::string::npos);
    EXPECT_TRUE(test::other_processes().empty());
}

TEST_F(Preload, that_dies_is_the_constructors_error) {
    EXPECT_EQ(message_of_a_pool_with([] { std::_Exit(3); }),
              "procpool: the pool's preload died: exit code 3");
    EXPECT_EQ(message_of_a_pool_with([] { ::raise(SIGTERM); }),
              "procpool: the pool's preload died: signal 15 (SIGTERM)");
    EXPECT_TRUE(test::other_processes().empty());
}

TEST_F(Preload, that_leaves_threads_is_refused) {
    if (spawns()) GTEST_SKIP() << "they stay in a worker of its own";
    const std::string message = message_of_a_pool_with([] { std::thread([] { ::pause(); }).detach(); });
    EXPECT_NE(message.find("has left 1 thread(s), which no worker would have"), std::string::npos) << message;
    // One that has ended does no harm.
    mp::Pool pool({.processes = 1, .preload = [] { std::thread(load).join(); }});
    EXPECT_EQ(pool.apply(ask, 1), 7);
}

TEST_F(Preload, that_cant_be_sent_is_refused_in_a_sentence) {
    const auto refers = [&] { load(); };
    static_assert(sizeof refers > 0);
    std::string text = "x";
    const auto holds_text = [text] { static_cast<void>(text); };
    EXPECT_NE(test::message_of<std::invalid_argument>([&] {
                  mp::Pool({.preload = holds_text});
              }).find("can't be sent to another process"),
              std::string::npos);
    mp::ThreadPool pool({.processes = 1, .preload = holds_text});
}

TEST_F(Preload, ends_with_its_program_and_with_a_pool_that_gives_up) {
    test::child_program program([] {
        mp::Pool pool({.processes = 1, .preload = [] {
                           load();
                           for (;;) ::pause();
                       }});
        return 0;
    });
    ASSERT_TRUE(test::eventually([] { return seen->loads == 1; }));
    program.send(SIGKILL);
    EXPECT_EQ(program.wait().signal, SIGKILL);
    EXPECT_TRUE(test::eventually([] { return test::other_processes().empty(); }));
}

test::shared<std::atomic<int>> starts;
void hang_from_the_second_time_on() {
    if (++*starts > 1)
        for (;;) ::pause();
}
TEST_F(Preload, that_hangs_in_another_zygote_doesnt_keep_the_pool_from_its_end) {
    if (spawns()) GTEST_SKIP() << "workers are ended as always";
    starts.reset();
    mp::Pool pool({.processes = 1, .preload = hang_from_the_second_time_on});
    ::kill(static_cast<pid_t>(test::children_of(::getpid()).at(0)), SIGKILL);
    ASSERT_TRUE(test::eventually([] { return *starts == 2; }));
    pool.terminate();
    EXPECT_TRUE(test::other_processes().empty());
}

TEST_F(Preload, has_its_output_printed_once) {
    test::child_program program([] {
        ::dup2(STDERR_FILENO, STDOUT_FILENO);
        mp::Pool pool({.processes = 2, .preload = [] { std::printf("loaded\n"); }});
        pool.map(
            [](int) {
                std::printf("x");
                return 0;
            },
            test::views::iota(0, 2));
        pool.close();
        pool.join();
        return 0;
    });
    const std::string printed = program.wait().errors;
    std::size_t count = 0;
    for (auto at = printed.find("loaded"); at != std::string::npos; at = printed.find("loaded", at + 1))
        ++count;
    EXPECT_EQ(count, spawns() ? 2u : 1u) << printed;
}

}  // namespace preload_test
