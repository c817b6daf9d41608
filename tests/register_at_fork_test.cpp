// SPDX-License-Identifier: MIT
#include "procpool/register_at_fork.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <utility>

#include "procpool/pool.hpp"
#include "procpool/process.hpp"
#include "support/message_of.hpp"
#include "support/processes.hpp"
#include "support/shared.hpp"
#include "support/wait.hpp"

namespace register_at_fork_test {

namespace mp = procpool;
using mp::start_method;

/// Of all processes.
struct board {
    std::atomic<int> before{0};
    std::atomic<int> in_parent{0};
    std::atomic<int> in_child{0};
    std::atomic<int> wrong{0};  // order, or thread
};
test::shared<board> seen;

thread_local int open_forks = 0;  // of this thread, a forked child's too
std::function<void()> at_next_fork;
std::function<void()> in_children;

/// The hooks of 1 are registered before those of 2.
template <int Number>
mp::ForkHooks hooks() {
    return {.before =
                [] {
                    ++seen->before;
                    if (std::exchange(open_forks, Number) != (Number == 2 ? 0 : 2)) ++seen->wrong;
                    if (Number == 1 && at_next_fork) std::exchange(at_next_fork, nullptr)();
                },
            .after_in_parent =
                [] {
                    ++seen->in_parent;
                    if (std::exchange(open_forks, Number == 1 ? 2 : 0) != Number) ++seen->wrong;
                },
            .after_in_child =
                [] {
                    ++seen->in_child;
                    if (std::exchange(open_forks, Number == 1 ? 2 : 0) != Number) ++seen->wrong;
                    if (Number == 2 && in_children) in_children();
                }};
}
const bool registered = [] {
    mp::register_at_fork(hooks<1>());
    mp::register_at_fork(hooks<2>());
    mp::register_at_fork({});
    return true;
}();

class RegisterAtFork : public testing::Test {
protected:
    RegisterAtFork() { seen.reset(); }

    /// Each of the two hooks was called for each of `forks`, in their order and in the thread that forked.
    static void expect(int forks) {
        EXPECT_TRUE(
            test::eventually([=] { return seen->in_parent >= 2 * forks && seen->in_child >= 2 * forks; }));
        EXPECT_EQ(seen->before, 2 * forks);
        EXPECT_EQ(seen->in_parent, 2 * forks);
        EXPECT_EQ(seen->in_child, 2 * forks);
        EXPECT_EQ(seen->wrong, 0);
    }
};

TEST_F(RegisterAtFork, hooks_are_called_for_zygotes_and_workers_replacements_too) {
    ASSERT_TRUE(registered);
    {
        mp::Pool pool({.processes = 2, .start_method = start_method::fork});
        pool.apply([] {});
        expect(3);
        const auto workers = test::workers();
        ::kill(static_cast<pid_t>(test::children_of(::getpid()).at(0)), SIGKILL);
        EXPECT_TRUE(
            test::eventually([&] { return test::workers().size() == 2 && test::workers() != workers; }));
        expect(6);
    }
    mp::Process process({.start_method = start_method::fork}, [] {});
    process.start();
    process.join();
    expect(8);
}

TEST_F(RegisterAtFork, hooks_are_called_in_fresh_runs_that_have_registered_them) {
    mp::Pool pool({.processes = 2, .start_method = start_method::forkserver});
    pool.apply([] {});
    expect(2);  // by the zygote
}

TEST_F(RegisterAtFork, hooks_may_wait_for_a_thread_that_uses_the_pool) {
    mp::Pool pool({.processes = 1, .start_method = start_method::fork});
    pool.apply([] {});  // all hooks were called
    static test::gate begun, used;
    at_next_fork = [] {
        begun.open();
        used.pass();
    };
    ::kill(static_cast<pid_t>(test::children_of(::getpid()).at(0)), SIGKILL);
    begun.pass();
    auto result = pool.apply_async([] { return 7; });
    used.open();
    EXPECT_EQ(result.get(), 7);
    expect(4);
}

/// Who asked for a fork is not told of fresh runs of the program, which there are none of.
template <class Call>
void expect_told_of_fork(Call call) {
    const std::string text = test::message_of<mp::BootstrapError>(call);
    EXPECT_NE(text.find("the process that should have forked it ended with exit code 5"), std::string::npos)
        << text;
    EXPECT_EQ(text.find("freeze_support"), std::string::npos) << text;
}

TEST_F(RegisterAtFork, hook_that_ends_the_zygote_fails_the_pool_which_says_what_ended) {
    const auto make_pool = [] { return mp::Pool({.processes = 1, .start_method = start_method::fork}); };
    mp::Pool pool = make_pool();
    pool.apply([] {});
    in_children = [] { ::_exit(5); };
    expect_told_of_fork(make_pool);
    ::kill(static_cast<pid_t>(test::children_of(::getpid()).at(0)), SIGKILL);
    ASSERT_TRUE(test::eventually([&] { return pool.state() == mp::pool_state::failed; }));
    expect_told_of_fork([&] { pool.apply([] {}); });
    mp::Process process({.start_method = start_method::fork}, [] {});
    expect_told_of_fork([&] { process.start(); });
    in_children = nullptr;
}

}  // namespace register_at_fork_test
