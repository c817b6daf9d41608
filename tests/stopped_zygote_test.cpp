// SPDX-License-Identifier: MIT
// A zygote that is stopped, by a job scheduler for instance, and that nobody continues.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cereal/types/memory.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "procpool/pool.hpp"
#include "procpool/process.hpp"
#include "procpool/register_at_fork.hpp"
#include "support/message_of.hpp"
#include "support/processes.hpp"
#include "support/sanitizers.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace stopped_zygote_test {

namespace mp = procpool;

using test::signal_pipe;

/// Stops all zygotes of this process.
void stop_zygotes() {
    const std::vector<long> zygotes = test::children_of(::getpid());
    ASSERT_FALSE(zygotes.empty());
    for (const long zygote : zygotes) {
        ::kill(static_cast<pid_t>(zygote), SIGSTOP);
        EXPECT_TRUE(test::eventually([=] { return test::look_at(zygote).state == 'T'; }));
    }
}

int waits_if_in(long worker) {
    while (::getpid() == worker) ::pause();
    return 7;
}

int stay(int) {
    for (;;) ::pause();
}

TEST(StoppedZygote, does_not_keep_the_pool_from_its_end) {
    mp::Pool idle(2);
    auto busy = std::make_unique<mp::Pool>(2);
    auto result = busy->map_async(stay, test::views::iota(0, 2), {.chunksize = 1});
    mp::Pool terminated(2), joined(2);
    stop_zygotes();
    busy.reset();
    EXPECT_THROW(result.get(), mp::PoolTerminated);
    terminated.terminate();
    joined.close();
    joined.join();
}

TEST(StoppedZygote, does_not_keep_a_death_from_being_told_and_repaired) {
    mp::Pool pool(2);
    stop_zygotes();
    const std::string text = test::message_of<mp::WorkerDied>([&] { pool.apply([] { ::raise(SIGKILL); }); });
    EXPECT_NE(text.find("signal 9"), std::string::npos) << text;
    EXPECT_EQ(text.find("killed by the pool"), std::string::npos) << "which has only seen it late: " << text;
    stop_zygotes();
    EXPECT_THROW(pool.apply([] { ::_exit(3); }), mp::WorkerDied);
    EXPECT_EQ(pool.map(std::negate<>(), test::views::iota(0, 100))[99], -99);
}

TEST(StoppedZygote, does_not_keep_a_time_limit_from_its_work) {
    mp::Pool pool(1);
    stop_zygotes();
    EXPECT_THROW(pool.apply({.timeout = std::chrono::milliseconds(1)}, stay, 0), mp::TaskTimeout);
    stop_zygotes();
    auto given_up = pool.apply_async(stay, 0);
    given_up.cancel();
    EXPECT_EQ(pool.apply(std::negate<>(), 7), -7);
}

TEST(StoppedZygote, does_not_keep_workers_from_being_replaced) {
    mp::Pool pool({.processes = 1, .maxtasksperchild = 1});
    for (int i = 0; i < 3; ++i) {
        stop_zygotes();
        EXPECT_EQ(pool.map(std::negate<>(), test::views::iota(0, 3), {.chunksize = 1}),
                  (std::vector{0, -1, -2}));
    }
}

TEST(StoppedZygote, of_a_process_does_not_keep_it_from_being_joined) {
    mp::Process ended([] { ::usleep(10'000); });
    ended.start();
    stop_zygotes();
    ended.join();
    EXPECT_EQ(ended.exitcode(), 0);

    mp::Process terminated(stay, 0);
    terminated.start();
    stop_zygotes();
    terminated.terminate();
    terminated.join();
    EXPECT_EQ(terminated.exitcode(), -SIGTERM);

    mp::Process last({.daemon = true}, stay, 0);
    last.start();
    stop_zygotes();
}

TEST(StoppedZygote, does_not_keep_a_worker_from_being_replaced_that_dies_while_nobody_calls_the_pool) {
    mp::Pool pool(2);
    for (int round = 0; round < 5; ++round) {
        const auto before = test::workers();
        ASSERT_EQ(before.size(), 2u);
        stop_zygotes();
        ::kill(static_cast<pid_t>(before[0]), SIGKILL);
        ASSERT_TRUE(test::eventually([&] {
            const auto now = test::workers();
            return now.size() == 2 && now != before;
        })) << "round "
            << round;
    }
}

/// A zygote that stops itself in the midst of starting a worker, which exists already.
struct interrupted_birth {
    std::atomic<bool> of_zygote{false};  // the next one
    std::atomic<bool> of_worker{false};
    std::atomic<long> worker{0};
};
test::shared<interrupted_birth> birth;

const bool registered = [] {
    // Called in the zygote, too, when it forks.
    mp::register_at_fork({.before = {},
                          .after_in_parent =
                              [] {
                                  if (birth->of_zygote.exchange(false)) ::raise(SIGSTOP);
                              },
                          .after_in_child =
                              [] {
                                  if (birth->of_worker.exchange(false)) birth->worker = ::getpid();
                              }});
    return true;
}();

TEST(StoppedZygote, does_not_keep_a_worker_from_being_replaced_that_was_killed_when_it_was_just_born) {
    ASSERT_TRUE(registered);
    for (const auto method : {mp::start_method::fork, mp::start_method::forkserver})
        for (const bool has_work : {false, true}) {
            birth.reset();
            mp::Pool pool({.processes = 1, .start_method = method});
            pool.apply(std::negate<>(), 1);
            const long first = test::workers().at(0);
            std::optional<mp::AsyncResult<int>> result;
            if (has_work) result = pool.apply_async(waits_if_in, first);
            birth->of_zygote = birth->of_worker = true;
            ::kill(static_cast<pid_t>(first), SIGKILL);
            ASSERT_TRUE(test::eventually([] { return birth->worker != 0; }));
            ::kill(static_cast<pid_t>(birth->worker), SIGKILL);
            // Nobody calls the pool.
            EXPECT_TRUE(test::eventually([&] {
                const auto now = test::workers();
                return now.size() == 1 && now[0] != first && now[0] != birth->worker;
            }));
            EXPECT_TRUE(!result || result->wait(test::patience));
        }
}

/// Keeps the zygotes of this process stopped as a debugger does, which SIGCONT doesn't end.
class debugger {
public:
    debugger() : pid_(debug(test::children_of(::getpid()))) {}
    debugger(const debugger&) = delete;
    debugger& operator=(const debugger&) = delete;
    ~debugger() { ::waitpid(pid_, nullptr, 0); }  // which comes after that of what it debugs

    bool has_stopped_them() const {
        return answer_.read_what_is_there(
                   static_cast<int>(std::chrono::milliseconds(test::patience).count())) == "yes";
    }

private:
    pid_t debug(const std::vector<long>& zygotes) const {
        const pid_t own = ::fork();
        if (own != 0) return own;
        for (const long zygote : zygotes) {
            const auto pid = static_cast<pid_t>(zygote);
            if (::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0) {
                answer("no");
                ::_exit(0);
            }
            ::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr);
            ::waitpid(pid, nullptr, __WALL);
        }
        answer("yes");
        while (::waitpid(-1, nullptr, __WALL) > 0) {
        }
        ::_exit(0);
    }
    void answer(std::string_view text) const {
        if (::write(answer_.sending_end().file, text.data(), text.size()) < 0) ::_exit(1);
    }

    signal_pipe answer_;
    pid_t pid_;
};

TEST(StoppedZygote, in_a_debugger_is_killed_when_it_is_needed) {
    auto pool = std::make_unique<mp::Pool>(2);
    for (const bool in_life : {true, false}) {
        debugger gdb;
        if (!gdb.has_stopped_them()) GTEST_SKIP() << "needs the right to debug";
        if (in_life) {
            EXPECT_THROW(pool->apply([] { ::raise(SIGKILL); }), mp::WorkerDied);
            EXPECT_EQ(pool->map(std::negate<>(), test::views::iota(0, 100))[99], -99);
        } else {
            pool.reset();
        }
    }
}

TEST(Zygote, is_not_held_up_by_as_many_workers_as_its_socket_has_no_room_for) {
    if (test::sanitized) GTEST_SKIP() << "takes too long";
    rlimit files{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_max < 5000) GTEST_SKIP() << "needs 5000 descriptors";
    files.rlim_cur = 5000;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
    mp::Pool pool({.processes = 700, .start_method = mp::start_method::fork});
    EXPECT_EQ(pool.apply([] { return 1; }), 1);
}

}  // namespace stopped_zygote_test
