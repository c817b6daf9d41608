// SPDX-License-Identifier: MIT
// Little of everything: pipes of one page, memory that is refused, a full /dev/shm.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <fstream>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "procpool/shared_array.hpp"
#include "procpool/sync.hpp"
#include "procpool/thread_pool.hpp"
#include "support/processes.hpp"
#include "support/sanitizers.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace pressure_test {

namespace mp = procpool;

/// All pipes of a process that this one can reach hold one page from now on.
void shrink_pipes() {
    for (const auto& [number, target] : test::descriptors_of(::getpid()))
        if (target.starts_with("pipe:")) ::fcntl(number, F_SETPIPE_SZ, 4096);
}

TEST(Pressure, of_pipes_of_one_page_slows_down_and_changes_nothing_else) {
    mp::Pool pool(2);
    shrink_pipes();
    const auto twice = [](const std::string& text) { return text + text; };
    std::vector<std::string> inputs;
    for (std::size_t i = 0; i < 200; ++i) inputs.emplace_back(i * i * 5, static_cast<char>('a' + i % 26));
    for (const std::ptrdiff_t chunk : {1, 7, 100}) {
        const auto results = pool.map(twice, inputs, {.chunksize = chunk});
        for (std::size_t i = 0; i < inputs.size(); ++i) ASSERT_EQ(results[i], inputs[i] + inputs[i]);
    }
    const auto numbers = pool.map([](int i) { return i; }, test::views::iota(0, 50'000), {.chunksize = 1});
    for (int i = 0; i < 50'000; ++i) ASSERT_EQ(numbers[static_cast<std::size_t>(i)], i);
}

TEST(Pressure, of_pipes_of_one_page_keeps_results_of_a_worker_that_dies) {
    mp::Pool pool(1);
    shrink_pipes();
    const auto outcomes = pool.try_map(
        [](int i) {
            if (i == 90) ::kill(::getpid(), SIGKILL);
            return std::string(static_cast<std::size_t>(i) * 100, 'x');
        },
        test::views::iota(0, 100), {.chunksize = 100});
    for (std::size_t i = 0; i < 100; ++i) {
        if (i == 90) {
            EXPECT_THROW(outcomes[i].value(), mp::WorkerDied);
        } else {
            EXPECT_EQ(outcomes[i].value().size(), i * 100);
        }
    }
}

TEST(Pressure, of_somebody_who_closes_what_the_pool_waits_at_is_an_error_of_its_calls) {
    test::child_program program([] {
        mp::Pool pool(2);
        for (const auto& [number, target] : test::descriptors_of(::getpid()))
            if (target == "anon_inode:[eventpoll]") ::close(number);
        auto call = pool.apply_async([] { return 1; });
        if (!test::eventually([&] { return call.ready(); })) return 1;  // nobody waits in the pool
        try {
            call.get();
        } catch (const std::system_error& error) {
            return error.code().value() == EBADF ? 0 : 2;
        }
        return 3;
    });
    const auto end = program.wait();
    EXPECT_EQ(end.exit_code, 0) << end.errors;
}

/// How many threads of this process sleep in a system call.
long threads_in(long call) {
    const std::filesystem::directory_iterator threads("/proc/self/task");
    return std::ranges::count_if(threads, [&](const auto& thread) {
        long number = -1;
        std::ifstream(thread.path() / "syscall") >> number;
        return number == call;
    });
}

TEST(Pressure, of_somebody_who_closes_all_descriptors_is_an_error_of_pending_calls) {
    test::child_program program([] {
        mp::Pool pool(2);
        mp::Event begun;
        auto call = pool.map_async(mp::partial(
                                       [](const mp::Event& tell, int) {
                                           tell.set();
                                           ::pause();
                                       },
                                       begun),
                                   test::views::iota(0, 8));
        begun.wait();
        std::jthread waiting([&] { call.wait(); });
        if (!test::eventually([] { return threads_in(SYS_epoll_wait) == 2; }))
            return 3;  // it and the pool's own
        ::closefrom(STDERR_FILENO + 1);
        try {
            call.get();
        } catch (const std::system_error& error) {
            return error.code().value() == EBADF ? 0 : 1;
        }
        return 2;
    });
    const auto end = program.wait();
    EXPECT_EQ(end.exit_code, 0) << end.errors;
}

TEST(Pressure, of_refused_memory_is_an_error_of_the_constructor) {
    if (test::sanitized) GTEST_SKIP() << "sanitizers reserve terabytes";
    test::child_program program([] {
        rlimit limit{};
        ::getrlimit(RLIMIT_AS, &limit);
        limit.rlim_cur = 256u << 20;
        ::setrlimit(RLIMIT_AS, &limit);
        try {
            mp::Pool pool(10'000);  // 128 KiB of address space each
            return 1;
        } catch (const std::system_error& error) {
            if (error.code() != std::errc::not_enough_memory) return 2;
        } catch (const std::bad_alloc&) {
        }
        mp::Pool pool(2);
        return pool.apply([](int i) { return i; }, 7) == 7 && test::workers().size() == 2 ? 0 : 3;
    });
    const auto end = program.wait();
    EXPECT_EQ(end.exit_code, 0) << end.errors;
}

TEST(Pressure, of_refused_threads_is_an_error_that_names_the_call) {
    if (test::sanitized) GTEST_SKIP() << "sanitizers reserve terabytes";
    test::child_program program([] {
        std::size_t pages = 0;
        std::ifstream("/proc/self/statm") >> pages;
        rlimit limit{};
        ::getrlimit(RLIMIT_AS, &limit);
        limit.rlim_cur = pages * static_cast<std::size_t>(::getpagesize()) + (4u << 20);  // no stack in there
        ::setrlimit(RLIMIT_AS, &limit);
        try {
            mp::ThreadPool pool(4);  // the first may get the stack of a thread that has ended
            return 1;
        } catch (const std::system_error& error) {
            if (error.code() != std::errc::resource_unavailable_try_again) return 2;
            return std::string(error.what()).find("pthread_create") != std::string::npos ? 0 : 3;
        }
    });
    const auto end = program.wait();
    EXPECT_EQ(end.exit_code, 0) << end.errors;
}

// It looks at objects' types through a pipe, and calls all wrong without it.
constexpr const char* needs_descriptors = "the sanitizer of undefined behaviour needs descriptors";

/// For as long as this lives this process gets no more descriptors.
class no_descriptors {
public:
    no_descriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit none{STDERR_FILENO + 1, before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &none);
    }
    no_descriptors(const no_descriptors&) = delete;
    no_descriptors& operator=(const no_descriptors&) = delete;
    ~no_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};
bool is_gone(long pid) { return ::kill(static_cast<pid_t>(pid), 0) != 0; }

TEST(Pressure, of_missing_descriptors_delays_the_replacement_of_a_worker) {
    if (test::address_sanitizer) GTEST_SKIP() << needs_descriptors;
    test::child_program program([] {
        mp::Pool pool({.processes = 2, .restart_limit = 1'000'000});
        const auto workers = test::workers();
        for (int round = 0; round < 2; ++round) {
            const no_descriptors any_more;
            ::kill(static_cast<pid_t>(workers.at(0)), SIGKILL);
            // Its process id is given back in the step that looks for another in its place.
            if (!test::eventually([&] { return is_gone(workers[0]); })) return 1;
            for (int i = 0; i < 300; ++i)
                if (pool.apply([](int n) { return -n; }, i) != -i) return 2;
        }
        const auto are_two = [] { return test::workers().size() == 2; };
        if (!test::eventually(are_two)) return 3;
        return pool.apply([](int i) { return i; }, 7) == 7 ? 0 : 4;
    });
    const auto end = program.wait();
    EXPECT_EQ(end.exit_code, 0) << end.errors;
}

TEST(Pressure, of_missing_descriptors_delays_the_replacement_of_a_zygote) {
    if (test::address_sanitizer) GTEST_SKIP() << needs_descriptors;
    test::child_program program([] {
        mp::Pool pool({.processes = 2, .restart_limit = 1'000'000});
        const auto zygotes = test::children_of(::getpid());
        const auto workers = test::workers();
        const test::signal_pipe begun;
        auto running = pool.apply_async(
            [](const test::signal_pipe::end& to) {
                test::signal_pipe::send_to(to);
                for (;;) ::pause();
            },
            begun.sending_end());
        begun.receive();
        {
            const no_descriptors any_more;
            ::kill(static_cast<pid_t>(zygotes.at(0)), SIGKILL);
            // It is waited for in the step that looks for another.
            if (!test::eventually([&] { return is_gone(zygotes[0]); })) return 1;
            try {
                running.get();
                return 2;
            } catch (const mp::WorkerDied&) {
            }
        }
        if (pool.apply([](int i) { return i; }, 7) != 7) return 3;
        return test::eventually([] { return test::workers().size() == 2; }) ? 0 : 4;
    });
    const auto end = program.wait();
    EXPECT_EQ(end.exit_code, 0) << end.errors;
}

TEST(Pressure, of_descriptors_that_stay_away_fails_the_pool_with_the_error) {
    if (test::address_sanitizer) GTEST_SKIP() << needs_descriptors;
    test::child_program program([] {
        for (const bool kills_zygote : {false, true}) {
            mp::Pool pool({.processes = 1, .restart_limit = 3});
            const auto victims = kills_zygote ? test::children_of(::getpid()) : test::workers();
            const no_descriptors any_more;
            ::kill(static_cast<pid_t>(victims.at(0)), SIGKILL);
            if (!test::eventually([&] { return is_gone(victims[0]); })) return 1;
            for (int i = 0; i < 2; ++i) try {
                    pool.apply([] {});
                    return 2;
                } catch (const std::system_error& error) {
                    if (error.code() != std::errc::too_many_files_open) return 3;
                }
        }
        return 0;
    });
    const auto end = program.wait();
    EXPECT_EQ(end.exit_code, 0) << end.errors;
}

TEST(Pressure, of_a_full_dev_shm_does_not_matter) {
    test::child_program program([] {
        // A /dev/shm of this process's own, that holds nothing.
        if (::unshare(CLONE_NEWNS) != 0) return 42;
        if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 42;
        if (::mount("none", "/dev/shm", "tmpfs", MS_RDONLY, "size=4k") != 0) return 42;
        mp::Pool pool(2);
        mp::SharedArray<int, 1> array({100'000});
        pool.map(mp::partial([](const mp::SharedArray<int, 1>& to, int i) { to(i) = i; }, array),
                 test::views::iota(0, 100'000));
        return array(99'999) == 99'999 ? 0 : 1;
    });
    const auto end = program.wait();
    if (end.exit_code == 42) GTEST_SKIP() << "needs the right to mount";
    EXPECT_EQ(end.exit_code, 0) << end.errors;
}

}  // namespace pressure_test
