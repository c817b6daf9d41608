// SPDX-License-Identifier: MIT
// A system that is out of descriptors or processes: a clear error from the constructor, and nothing left.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <system_error>

#include "procpool/pool.hpp"
#include "support/leftovers.hpp"
#include "support/processes.hpp"
#include "support/wait.hpp"

namespace {

namespace mp = procpool;

void require(bool condition, const std::string& what) {
    if (!condition) throw std::runtime_error("not so: " + what);
}

void limit(__rlimit_resource what, rlim_t number) {
    rlimit now{};
    require(::getrlimit(what, &now) == 0, "getrlimit");
    now.rlim_cur = number;
    require(::setrlimit(what, &now) == 0, "setrlimit");
}

/// Makes a pool and uses it; tells the errno that its constructor failed with, 0 if it didn't.
int try_to_make_pool(int processes) {
    try {
        mp::Pool pool(processes);
        require(pool.map(std::negate<>(), std::views::iota(0, 50))[49] == -49,
                "a pool that could be made works");
        return 0;
    } catch (const std::system_error& error) {
        const std::string text = error.what();
        require(text.starts_with("procpool: ") || text.find("thread") != std::string::npos ||
                    text.starts_with("Resource"),
                "the error names what failed: " + text);
        return error.code().value();
    }
}

void expect_success(std::function<void()> program) {
    test::child_program child([&] {
        program();
        return 0;
    });
    const test::child_end end = child.wait();
    EXPECT_EQ(end.exit_code, 0) << "signal " << end.signal << "; " << end.errors;
}

TEST(Limits, of_descriptors_make_the_constructor_throw_and_leave_nothing) {
    expect_success([] {
        const int threads = std::max(test::threads(), 2);  // a sanitizer may have one, and start it late
        try_to_make_pool(3);                               // whatever stays open from now on is a leak
        const auto before = test::descriptors_of(::getpid());
        rlimit original{};
        ::getrlimit(RLIMIT_NOFILE, &original);
        bool failed = false, made = false;
        for (rlim_t number = before.size(); !made; ++number) {
            limit(RLIMIT_NOFILE, number);
            const int error = try_to_make_pool(3);
            limit(RLIMIT_NOFILE, original.rlim_cur);
            require(error == 0 || error == EMFILE, "EMFILE, not " + std::to_string(error));
            (error == 0 ? made : failed) = true;
            const auto after = test::descriptors_of(::getpid());
            require(after == before, "no descriptor left at a limit of " + std::to_string(number));
            require(::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD, "no child left");
            // One that was joined is still listed for a moment.
            require(test::eventually([&] { return test::threads() <= threads; }), "no thread left");
        }
        require(failed, "it failed at first");
    });
}

TEST(Limits, of_processes_make_the_constructor_throw_and_leave_nothing) {
    if (::getuid() != 0) GTEST_SKIP() << "only root can become a user without processes";
    expect_success([] {
        constexpr uid_t nobody_else = 54321;  // whose processes are this one's alone
        require(::setuid(nobody_else) == 0, "setuid");
        bool failed = false, made = false;
        for (rlim_t number = 1; !made; ++number) {
            limit(RLIMIT_NPROC, number);
            const int error = try_to_make_pool(3);
            require(error == 0 || error == EAGAIN, "EAGAIN, not " + std::to_string(error));
            (error == 0 ? made : failed) = true;
            require(::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD, "no child left");
        }
        require(failed, "it failed at first");
    });
}

}  // namespace
