// SPDX-License-Identifier: MIT
// A system that is out of descriptors or processes: a clear error from the constructor, and nothing left.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>

#include "procpool/pool.hpp"
#include "support/leftovers.hpp"
#include "support/processes.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace limits_test {

namespace mp = procpool;

void require(bool condition, const std::string& what) {
    if (!condition) throw std::runtime_error("not so: " + what);
}

/// Lowers a limit of this process for a time.
class lower_limit {
public:
    lower_limit(__rlimit_resource what, rlim_t number) : what_(what) {
        require(::getrlimit(what, &original_) == 0, "getrlimit");
        const rlimit lower{number, original_.rlim_max};
        require(::setrlimit(what, &lower) == 0, "setrlimit");
    }
    lower_limit(const lower_limit&) = delete;
    lower_limit& operator=(const lower_limit&) = delete;
    ~lower_limit() { ::setrlimit(what_, &original_); }

private:
    __rlimit_resource what_;
    rlimit original_{};
};

/// Makes a pool and uses it; tells the errno that its constructor failed with, 0 if it didn't.
int try_to_make_pool(__rlimit_resource limited, rlim_t number) {
    try {
        const lower_limit lowered(limited, number);
        mp::Pool pool(3);
        for (const mp::WorkerStatus& worker : pool.workers())
            require(worker.pid != 0, "all workers of a pool that could be made have started");
        require(pool.map(std::negate<>(), test::views::iota(0, 50))[49] == -49,
                "a pool that could be made works");
        return 0;
    } catch (const std::system_error& error) {  // without the limit: a sanitizer's checks take descriptors
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
        const int file = ::dup(STDOUT_FILENO);
        ::close(file);
        const auto none = static_cast<rlim_t>(file);   // all below are open
        try_to_make_pool(RLIMIT_NOFILE, none + 1000);  // whatever stays open from now on is a leak
        const auto before = test::descriptors_of(::getpid());
        bool failed = false, made = false;
        for (rlim_t number = none; !made; ++number) {
            const int error = try_to_make_pool(RLIMIT_NOFILE, number);
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
            const int error = try_to_make_pool(RLIMIT_NPROC, number);
            require(error == 0 || error == EAGAIN, "EAGAIN, not " + std::to_string(error));
            (error == 0 ? made : failed) = true;
            require(::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD, "no child left");
        }
        require(failed, "it failed at first");
    });
}

}  // namespace limits_test
