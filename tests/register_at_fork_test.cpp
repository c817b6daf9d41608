// SPDX-License-Identifier: MIT
#include "procpool/register_at_fork.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <utility>

#include "procpool/pool.hpp"
#include "procpool/process.hpp"
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

}  // namespace register_at_fork_test
