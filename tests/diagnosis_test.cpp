// SPDX-License-Identifier: MIT
// What WorkerDied tells: element, argument, time, memory, the calls on the stack, what was printed last.
#include <gtest/gtest.h>
#include <iconv.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "procpool/detail/os/oom.hpp"
#include "procpool/pool.hpp"
#include "support/processes.hpp"
#include "support/small_group.hpp"

namespace diagnosis_test {

namespace mp = procpool;
using namespace std::chrono_literals;

struct Unprintable {
    std::vector<int> values;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(values);
    }
};
enum class Color { red = 3 };

/// The death of the worker that ran `f(args...)`.
template <class F, class... Args>
mp::WorkerDied death_of(mp::Pool& pool, F f, const Args&... args) {
    try {
        pool.apply(f, args...);
    } catch (const mp::WorkerDied& death) {
        return death;
    }
    throw std::logic_error("it did not die");
}
bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

[[noreturn]] void die() {
    ::kill(::getpid(), SIGKILL);
    std::abort();
}

TEST(Diagnosis, names_printable_arguments) {
    mp::Pool pool(1);
    const auto text = [&](auto f, const auto&... args) {
        return std::string(death_of(pool, f, args...).what());
    };
    EXPECT_PRED2(contains, text([](int) { die(); }, -7), "element 0, f(-7): signal 9 (SIGKILL)");
    EXPECT_PRED2(contains, text([](const std::string&) { die(); }, "a.jpg"), "f(\"a.jpg\")");
    EXPECT_PRED2(contains, text([](bool, double, char) { die(); }, true, 0.5, 'c'),
                 "f(true, 0.500000, \"c\")");
    EXPECT_PRED2(contains, text([](Color) { die(); }, Color::red), "f(3)");
    EXPECT_PRED2(contains, text([] { die(); }), "element 0, f(): ");
    EXPECT_PRED2(contains, text([](std::pair<int, std::string>) { die(); }, std::pair(1, std::string("x"))),
                 "f((1, \"x\"))");
    EXPECT_PRED2(contains, text([](int, const Unprintable&, int) { die(); }, 1, Unprintable{}, 2), "f(1, a ");
    EXPECT_PRED2(contains, text([](const std::string&) { die(); }, std::string("line\nend\x01")),
                 "f(\"line?end?\")");
}

TEST(Diagnosis, cuts_long_arguments) {
    mp::Pool pool(1);
    const std::string text =
        death_of(pool, [](const std::string&) { die(); }, std::string(100'000, 'x')).what();
    EXPECT_LT(text.size(), 400u);
    EXPECT_PRED2(contains, text, "xxx");
}

/// Whether the C library can decode it.
bool is_utf8(const std::string& text) {
    const ::iconv_t decoder = ::iconv_open("UCS-4", "UTF-8");
    std::string input = text, output(8 * text.size() + 8, 0);
    char *from = input.data(), *to = output.data();
    std::size_t left = input.size(), room = output.size();
    const bool good = ::iconv(decoder, &from, &left, &to, &room) != static_cast<std::size_t>(-1);
    ::iconv_close(decoder);
    return good;
}

TEST(Diagnosis, quotes_no_arguments_where_they_may_be_secret) {
    mp::Pool pool({.processes = 1, .quote_arguments = false});
    const auto expect_nothing_quoted = [](const mp::WorkerDied& death) {
        EXPECT_PRED2(contains, death.what(), "element 0, f(...)");
        EXPECT_FALSE(contains(death.what(), "password")) << death.what();
    };
    expect_nothing_quoted(death_of(pool, [](const std::string&) { die(); }, "password"));
    expect_nothing_quoted(death_of(pool, [](const std::string&, int) { die(); }, "password", 5));
    try {
        pool.apply({.timeout = 1ms, .retries = 1}, [](const std::string&) { ::pause(); }, "password");
        ADD_FAILURE();
    } catch (const mp::TaskTimeout& timeout) {
        expect_nothing_quoted(timeout);
    }
}

TEST(Diagnosis, quotes_arguments_as_valid_utf8) {
    mp::Pool pool(1);
    const auto text = [&](const std::string& argument) {
        return std::string(death_of(pool, [](const std::string&) { die(); }, argument).what());
    };
    EXPECT_PRED2(contains, text("\xff.jpg"), "f(\"\\xff.jpg\")");
    EXPECT_PRED2(contains, text("caf\xc3\xa9 \xf0\x9f\x99\x82"), "f(\"caf\xc3\xa9 \xf0\x9f\x99\x82\")");
    EXPECT_PRED2(contains, text("cut \xc3"), "f(\"cut \\xc3\")");
    // Longer than need be, half of a surrogate pair, beyond the last character.
    for (const char* const none : {"\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8"}) {
        EXPECT_PRED1(is_utf8, text(none));
        EXPECT_PRED2(contains, text(none), "\\x");
    }
    // Characters of two to four bytes, cut off wherever that falls.
    for (const std::string character : {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x99\x82", "\xff"})
        for (std::size_t before = 0; before < 4; ++before) {
            std::string argument(before, 'x');
            for (int i = 0; i < 60; ++i) argument += character;
            EXPECT_PRED1(is_utf8, text(argument));
        }
    const auto of_char = death_of(pool, [](char) { die(); }, '\xe9');
    EXPECT_PRED2(contains, of_char.what(), "f(\"\\xe9\")");
}

TEST(Diagnosis, quotes_exceptions_as_valid_utf8) {
    struct unknown : std::exception {
        const char* what() const noexcept override { return "caf\xe9 \xc3\xa9"; }
    };
    mp::Pool pool(1);
    try {
        pool.apply([] { throw unknown(); });
        FAIL();
    } catch (const mp::RemoteError& error) {
        EXPECT_PRED1(is_utf8, error.what());
        EXPECT_PRED2(contains, error.what(), "caf\\xe9 \xc3\xa9");
    }
    try {
        pool.apply([] { throw std::runtime_error("caf\xe9"); });
        FAIL();
    } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "caf\xe9") << "the task's own words";
        try {
            std::rethrow_if_nested(error);
        } catch (const mp::RemoteError& told) {
            EXPECT_PRED1(is_utf8, told.what());
        }
    }
}

TEST(Diagnosis, names_the_argument_of_each_element) {
    mp::Pool pool(2);
    const std::vector<std::string> files{"good", "bad", "fine"};
    const auto outcomes = pool.try_map(
        [](const std::string& file) {
            if (file == "bad") die();
        },
        files);
    try {
        outcomes[1].value();
        FAIL();
    } catch (const mp::WorkerDied& death) {
        EXPECT_PRED2(contains, std::string(death.what()), "element 1, f(\"bad\")");
    }
}

TEST(Diagnosis, tells_how_long_the_element_ran) {
    mp::Pool pool(1);
    const auto death = death_of(pool, [] {
        ::usleep(20'000);
        die();
    });
    EXPECT_GE(death.run_time(), 20ms);
    EXPECT_LT(death.run_time(), test::patience);
}

TEST(Diagnosis, tells_when_a_worker_died_with_its_zygote) {
    mp::Pool pool(1);
    const test::signal_pipe begun;
    auto result = pool.apply_async(
        [](test::signal_pipe::end tell) {
            test::signal_pipe::send_to(tell);
            for (;;) ::pause();
        },
        begun.sending_end());
    ASSERT_TRUE(begun.receive());
    const std::vector<long> zygotes = test::children_of(::getpid());
    ASSERT_EQ(zygotes.size(), 1u);
    ::kill(static_cast<pid_t>(zygotes[0]), SIGKILL);
    try {
        result.get();
        FAIL();
    } catch (const mp::WorkerDied& death) {
        EXPECT_PRED2(contains, std::string(death.what()), "killed with its zygote");
    }
}

TEST(Diagnosis, tells_the_peak_memory) {
    mp::Pool pool(1);
    const auto death = death_of(pool, [] {
        std::vector<char> large(64 << 20, 'x');
        volatile char used = large[large.size() / 2];
        if (used == 'x') die();
    });
    EXPECT_GE(death.peak_memory(), 64u << 20);
    EXPECT_FALSE(death.out_of_memory());
}

// The sanitizers handle these signals themselves.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

}  // namespace diagnosis_test

// Not in a namespace, so that stacks show short names.
__attribute__((noinline)) void procpool_test_crash(int* at) { *at = 1; }
__attribute__((noinline)) void procpool_test_abort() { std::abort(); }
__attribute__((noinline)) int procpool_test_caller(long where) {
    procpool_test_crash(reinterpret_cast<int*>(where));
    return 1;
}

namespace diagnosis_test {

TEST(StackTrace, has_the_functions_of_a_fault) {
    mp::Pool pool(1);
    const auto death = death_of(pool, procpool_test_caller, 8L);
    EXPECT_EQ(death.signal(), SIGSEGV);
    EXPECT_TRUE(death.stack_trace().starts_with("procpool_test_crash(int*)\nprocpool_test_caller(long)"))
        << death.stack_trace();
    EXPECT_PRED2(contains, std::string(death.what()), "signal 11 (SIGSEGV) in procpool_test_crash(int*)");
    EXPECT_FALSE(contains(death.stack_trace(), "procpool::detail")) << death.stack_trace();
}

TEST(StackTrace, of_an_abort_names_who_called_it) {
    mp::Pool pool(1);
    const auto death = death_of(pool, procpool_test_abort);
    EXPECT_EQ(death.signal(), SIGABRT);
    EXPECT_PRED2(contains, death.stack_trace(), "abort\nprocpool_test_abort()\n");
    EXPECT_PRED2(contains, std::string(death.what()), "(SIGABRT) in procpool_test_abort()");
}

TEST(StackTrace, is_there_for_a_stack_overflow) {
    mp::Pool pool(1);
    const auto death = death_of(
        pool,
        [](int n) {
            const std::function<int(int)> dive = [&](int depth) -> int {
                volatile char frame[4096] = {};
                return depth < 0 ? 0 : dive(depth + 1) + frame[depth % 4096];
            };
            return dive(n);
        },
        1);
    EXPECT_EQ(death.signal(), SIGSEGV);
    EXPECT_FALSE(death.stack_trace().empty());
}

TEST(StackTrace, is_left_to_the_programs_own_handler) {
    test::child_program program([] {
        // A fork inherits it, a fresh run of the program gets it from an initializer.
        const auto handle = [] { ::signal(SIGSEGV, [](int) { ::_exit(77); }); };
        handle();
        mp::Pool pool(1, handle);
        const auto death = death_of(pool, procpool_test_caller, 8L);
        return death.exit_code() == 77 && death.stack_trace().empty() ? 0 : 1;
    });
    EXPECT_EQ(program.wait().exit_code, 0);
}

TEST(StackTrace, is_not_written_by_processes_that_a_task_forks) {
    mp::Pool pool(1);
    const int signal = pool.apply([] {
        const pid_t child = ::fork();
        if (child == 0) procpool_test_caller(8);
        int status = 0;
        ::waitpid(child, &status, 0);
        return WIFSIGNALED(status) ? WTERMSIG(status) : -1;
    });
    EXPECT_EQ(signal, SIGSEGV);
    EXPECT_TRUE(death_of(pool, [] { die(); }).stack_trace().empty());
}

#endif

TEST(StackTrace, is_empty_for_other_deaths) {
    mp::Pool pool(1);
    EXPECT_TRUE(death_of(pool, [] { die(); }).stack_trace().empty());
    EXPECT_TRUE(death_of(pool, [] { ::_exit(1); }).stack_trace().empty());
}

TEST(ErrorOutput, of_a_dead_worker_is_told_and_still_printed) {
    test::child_program program([] {
        mp::Pool pool({.processes = 1, .stderr_tail = 12});
        const auto death = death_of(pool, [] {
            std::fprintf(stderr, "a long story\nthe end\n");
            die();
        });
        if (death.error_output() != "ory\nthe end\n") return 1;
        // Its replacement starts with nothing.
        return death_of(pool, [] { die(); }).error_output().empty() ? 0 : 2;
    });
    const auto end = program.wait();
    EXPECT_EQ(end.exit_code, 0);
    EXPECT_EQ(end.errors, "a long story\nthe end\n");
}

TEST(ErrorOutput, of_processes_that_outlive_their_worker_is_printed_too) {
    test::child_program program([] {
        test::signal_pipe go;
        mp::Pool pool({.processes = 1, .stderr_tail = 100});
        const auto reader = go.receiving_end();
        death_of(
            pool,
            [reader](int) {
                if (::fork() == 0) {
                    if (test::signal_pipe::receive_from(reader) && ::write(STDERR_FILENO, "later\n", 6) == 6)
                        ::_exit(0);
                    ::_exit(1);
                }
                die();
            },
            1);
        go.send();
        pool.close();
        return test::eventually([&] { return test::workers().size() == 1; }) ? 0 : 1;
    });
    const auto end = program.wait();
    EXPECT_EQ(end.exit_code, 0);
}

TEST(ErrorOutput, is_the_programs_own_by_default) {
    mp::Pool pool(1);
    const auto inode = [] { return std::filesystem::read_symlink("/proc/self/fd/2").string(); };
    EXPECT_EQ(pool.apply(inode), inode());
}

TEST(ErrorOutput, longer_than_can_be_told_is_refused) {
    EXPECT_THROW(mp::Pool({.processes = 1, .stderr_tail = 1 << 20}), std::invalid_argument);
}

// ---- the out-of-memory killer

class OomKills : public testing::Test {
protected:
    OomKills() {
        std::filesystem::remove_all(root_);
        std::filesystem::create_directories(root_);
    }
    ~OomKills() override { std::filesystem::remove_all(root_); }
    void write(const std::string& path, const std::string& text) const {
        std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
        std::ofstream(root_ + path) << text;
    }
    const std::string root_ =
        (std::filesystem::temp_directory_path() / ("procpool_oom_" + std::to_string(::getpid()))).string();
};

TEST_F(OomKills, are_those_of_the_control_group_of_either_version_or_of_the_machine) {
    EXPECT_EQ(mp::detail::os::oom_kills(root_), 0u);
    write("/proc/vmstat", "nr_free_pages 1\noom_kill 5\n");
    EXPECT_EQ(mp::detail::os::oom_kills(root_), 5u);
    write("/proc/self/cgroup", "4:memory:/job\n0::/task\n");
    write("/sys/fs/cgroup/memory/job/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    EXPECT_EQ(mp::detail::os::oom_kills(root_), 2u);
    write("/sys/fs/cgroup/task/memory.events", "low 0\noom 9\noom_kill 3\n");
    EXPECT_EQ(mp::detail::os::oom_kills(root_), 3u);
}

TEST(OomKill, of_a_worker_by_the_kernel_is_told) {
    const test::small_group group(400u << 20);
    if (!group.limited()) GTEST_SKIP() << "only who may make control groups can limit the memory of one";
    test::child_program program([&] {
        if (!group.take_this_process()) return 1;
        mp::Pool pool(1);
        pool.apply([] {});  // the kills before are counted
        const auto death = death_of(pool, [] {
            std::vector<std::vector<char>> all;
            for (;;) all.emplace_back(1 << 20, 'x');
        });
        if (!death.out_of_memory()) return 2;
        if (!contains(death.what(), "out of memory")) return 3;
        return pool.apply([] { return 42; }) == 42 ? 0 : 4;
    });
    const auto end = program.wait();
    EXPECT_EQ(end.exit_code, 0) << end.errors;
}

}  // namespace diagnosis_test
