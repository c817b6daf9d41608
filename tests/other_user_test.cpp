// SPDX-License-Identifier: MIT
// A program that starts workers and then becomes another user.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>

#include "procpool/pool.hpp"
#include "procpool/process.hpp"
#include "support/processes.hpp"
#include "support/users.hpp"

namespace other_user_test {

namespace mp = procpool;

int stay() {
    for (;;) ::pause();
}

TEST(Program, that_becomes_another_user_still_ends_its_workers) {
    if (!test::may_become_another_user()) GTEST_SKIP() << "only root can become another user";
    test::child_program program([] {
        mp::Pool pool({.processes = 1, .terminate_grace = std::chrono::milliseconds(1)});
        mp::Process terminated(stay), killed(stay);
        terminated.start();
        killed.start();
        test::become(test::stranger);

        try {
            pool.apply({.timeout = std::chrono::milliseconds(1)}, stay);
            return 1;
        } catch (const mp::TaskTimeout&) {
        }
        auto given_up = pool.apply_async(stay);
        given_up.cancel();
        if (pool.apply([] { return 7; }) != 7) return 2;
        const auto ignores_terminate = [] {
            ::signal(SIGTERM, SIG_IGN);
            return stay();
        };
        try {
            pool.apply({.timeout = std::chrono::milliseconds(1)}, ignores_terminate);
            return 3;
        } catch (const mp::TaskTimeout&) {
        }
        terminated.terminate();
        terminated.join();
        killed.kill();
        killed.join();
        if (terminated.exitcode() != -SIGTERM || killed.exitcode() != -SIGKILL) return 4;
        auto busy = pool.apply_async(stay);
        return 0;
    });
    const auto end = program.wait();
    EXPECT_EQ(end.exit_code, 0) << "signal " << end.signal << "; " << end.errors;
}

}  // namespace other_user_test
