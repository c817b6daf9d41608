// SPDX-License-Identifier: MIT
// How far calls are, on terminals and in logs of all kinds: what stands there, and that none can hold a call
// up.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "procpool/detail/progress/display.hpp"
#include "procpool/detail/progress/screen.hpp"
#include "procpool/progress.hpp"
#include "support/processes.hpp"
#include "support/sanitizers.hpp"
#include "support/terminal.hpp"

namespace progress_display_test {

namespace mp = procpool;
using mp::detail::progress::display;
using mp::detail::progress::shown_call;
using namespace std::chrono_literals;

/// A call of `elements` that is shown.
class call {
public:
    explicit call(std::string name, std::optional<std::uint64_t> elements = 10,
                  std::chrono::nanoseconds log_interval = 1h)
        : shown_(std::make_shared<shown_call>(std::move(name), "things", elements, log_interval)) {
        display::of_this_process().begin(shown_);
    }
    void go_on(std::uint64_t elements) const { shown_->done += elements; }
    void end(bool whole = true) const { display::of_this_process().end(shown_, whole); }

private:
    std::shared_ptr<shown_call> shown_;
};

/// Holds a program until the test says so.
class gate {
public:
    void open() const { pipe_.send(); }
    void pass() const { pipe_.receive(); }

private:
    test::signal_pipe pipe_;
};

std::size_t count(std::string_view text, std::string_view what) {
    std::size_t found = 0;
    for (auto at = text.find(what); at != text.npos; at = text.find(what, at + what.size())) ++found;
    return found;
}

// ---- on a terminal

TEST(ProgressDisplay, draws_a_line_again_in_its_place) {
    const gate half, end;
    test::terminal_program program([&] {
        std::fputs("before\n", stderr);
        const call one("one");
        half.pass();
        one.go_on(5);
        end.pass();
        one.go_on(5);
        one.end();
        std::fputs("after\n", stderr);
        return 0;
    });
    EXPECT_TRUE(program.shows(" 0 of 10 things")) << program.bytes;
    EXPECT_EQ(program.screen.lines().size(), 2U);
    half.open();
    EXPECT_TRUE(program.shows(" 50%   5 of 10 things")) << program.bytes;
    EXPECT_EQ(program.screen.lines().size(), 2U);
    end.open();
    EXPECT_EQ(program.wait(), 0);
    const auto lines = program.screen.lines();
    ASSERT_EQ(lines.size(), 3U) << program.screen.text();
    EXPECT_EQ(lines[0], "before");
    EXPECT_TRUE(lines[1].starts_with("one: 10 things in ")) << lines[1];
    EXPECT_EQ(lines[2], "after");
}

TEST(ProgressDisplay, has_a_line_for_each_of_several_calls) {
    const gate first, second;
    test::terminal_program program([&] {
        const call one("one"), two("another", std::nullopt), three("three");
        first.pass();
        two.go_on(7);
        two.end();
        second.pass();
        one.end(false);
        three.go_on(10);
        three.end();
        return 0;
    });
    EXPECT_TRUE(program.shows([](const auto& now) { return now.lines().size() == 3; })) << program.bytes;
    const auto begin = program.screen.lines();
    EXPECT_TRUE(begin[0].starts_with("one      |")) << begin[0];
    EXPECT_TRUE(begin[1].starts_with("another  0 things")) << begin[1];
    EXPECT_TRUE(begin[2].starts_with("three    |")) << begin[2];
    first.open();
    EXPECT_TRUE(program.shows([](const auto& now) {
        const auto lines = now.lines();
        return lines.size() == 3 && lines[0].starts_with("another: 7 things") &&
               lines[1].starts_with("one ") && lines[2].starts_with("three ");
    })) << program.screen.text();
    second.open();
    EXPECT_EQ(program.wait(), 0);
    const auto lines = program.screen.lines();
    ASSERT_EQ(lines.size(), 3U) << program.screen.text();
    EXPECT_TRUE(lines[1].starts_with("one: stopped after 0 of 10 things in ")) << lines[1];
    EXPECT_TRUE(lines[2].starts_with("three: 10 things in ")) << lines[2];
}

TEST(ProgressDisplay, has_no_more_lines_than_the_terminal) {
    const gate end;
    test::terminal_program program(
        [&] {
            std::vector<call> calls;
            for (int i = 0; i < 10; ++i) calls.emplace_back("call " + std::to_string(i));
            end.pass();
            for (const call& one : calls) one.end();
            return 0;
        },
        {.rows = 5});
    EXPECT_TRUE(program.shows("and 7 more")) << program.screen.text();
    EXPECT_EQ(program.screen.lines().size(), 4U);
    end.open();
    EXPECT_EQ(program.wait(), 0);
    EXPECT_EQ(program.screen.lines().size(), 10U) << program.screen.text();
}

TEST(ProgressDisplay, prints_above_its_lines) {
    const gate end;
    test::terminal_program program([&] {
        const call one("one");
        mp::print_above_progress("first");
        mp::print_above_progress("second");
        end.pass();
        one.end();
        mp::print_above_progress("third");
        return 0;
    });
    EXPECT_TRUE(program.shows([](const auto& now) {
        const auto lines = now.lines();
        return lines.size() == 3 && lines[0] == "first" && lines[1] == "second" &&
               lines[2].starts_with("one ");
    })) << program.screen.text();
    end.open();
    EXPECT_EQ(program.wait(), 0);
    EXPECT_EQ(program.screen.lines().back(), "third") << program.screen.text();
}

TEST(ProgressDisplay, is_drawn_ten_times_a_second_at_the_most) {
    const gate end;
    test::terminal_program program([&] {
        const auto begin = std::chrono::steady_clock::now();
        const call one("one", 1'000'000'000);
        while (std::chrono::steady_clock::now() - begin < 1s) one.go_on(1);
        one.end();
        const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
        return static_cast<int>(passed.count() * 10);
    });
    const int tenths = program.wait();
    const auto drawn = static_cast<int>(count(program.bytes, "\rone "));
    EXPECT_LE(drawn, tenths + 2);
    EXPECT_GE(drawn, 2);
}

TEST(ProgressDisplay, goes_on_while_nothing_ends) {
    test::terminal_program program([&] {
        const call one("one", std::nullopt);
        while (::getppid() > 1) ::pause();
        return 0;
    });
    EXPECT_TRUE(program.shows("0:01"));
    EXPECT_TRUE(program.shows("0:02")) << program.screen.text();
}

TEST(ProgressDisplay, is_as_wide_as_the_terminal_is_now) {
    const gate end;
    test::terminal_program program(
        [&] {
            const call one("one");
            end.pass();
            one.end();
            return 0;
        },
        {.columns = 40});
    EXPECT_TRUE(program.shows("0 of 10")) << program.screen.text();
    EXPECT_LT(program.screen.most_columns(), 40U);
    program.resize(70, 24);
    EXPECT_TRUE(program.shows([](const auto& now) { return now.most_columns() > 50; }));
    EXPECT_LT(program.screen.most_columns(), 70U);
    program.resize(20, 24);
    EXPECT_TRUE(program.shows([](const auto& now) {
        const auto lines = now.lines();
        return !lines.empty() && lines.back().size() < 20;
    }));
    end.open();
    EXPECT_EQ(program.wait(), 0);
}

TEST(ProgressDisplay, has_no_colours_where_they_are_not_wanted) {
    for (const bool wanted : {true, false}) {
        const gate end;
        test::terminal_program program([&] {
            if (!wanted) ::setenv("NO_COLOR", "1", 1);
            const auto shown = std::make_shared<shown_call>("one", "", 10, 1h);
            shown->failed = 3;
            display::of_this_process().begin(shown);
            end.pass();
            display::of_this_process().end(shown, true);
            return 0;
        });
        EXPECT_TRUE(program.shows("3 failed")) << program.bytes;
        end.open();
        EXPECT_EQ(program.wait(), 0);
        EXPECT_EQ(count(program.bytes, "\x1b[31m") > 0, wanted) << program.bytes;
    }
}

TEST(ProgressDisplay, is_a_log_on_a_terminal_that_can_not_move_its_cursor) {
    for (const char* const type : {"dumb", ""}) {
        const gate end;
        test::terminal_program program(
            [&] {
                const call one("one", 10, 50ms);
                one.go_on(4);
                end.pass();
                one.end(false);
                return 0;
            },
            {.type = type});
        EXPECT_TRUE(program.shows("one: 40%, 4 of 10 things in ")) << program.bytes;
        end.open();
        EXPECT_EQ(program.wait(), 0);
        EXPECT_EQ(count(program.bytes, "\x1b"), 0U) << program.bytes;
        EXPECT_NE(program.bytes.find("one: stopped after 4 of 10 things in "), std::string::npos);
    }
}

TEST(ProgressDisplay, holds_nobody_up_whose_terminal_is_stopped) {
    test::terminal_program program([] {
        const call one("one");
        ::tcflow(STDERR_FILENO, TCOOFF);
        const auto begin = std::chrono::steady_clock::now();
        one.end();
        const auto passed = std::chrono::steady_clock::now() - begin;
        ::tcflow(STDERR_FILENO, TCOON);
        return passed > 500ms && passed < 20s ? 0 : 1;
    });
    EXPECT_EQ(program.wait(), 0);
}

TEST(ProgressDisplay, survives_the_end_of_its_terminal) {
    const gate end;
    test::signal_pipe over;
    {
        auto program = std::make_unique<test::terminal_program>([&] {
            ::signal(SIGHUP, SIG_IGN);
            const call one("one");
            end.pass();
            one.end();
            over.send();
            ::pause();
            return 0;
        });
        EXPECT_TRUE(program->shows("0 of 10"));
        program->hang_up();
        end.open();
        EXPECT_EQ(over.read_what_is_there(30'000), ".");
    }
}

/// What a shell does with a job: runs `program` in a process group of its own, in front or not.
template <class Program>
int run_as_job(bool in_front, Program program) {
    ::signal(SIGTTOU, SIG_IGN);  // as shells do, who set who is in front
    const pid_t job = ::fork();
    if (job == 0) {
        ::setpgid(0, 0);
        if (in_front) ::tcsetpgrp(STDERR_FILENO, ::getpid());
        ::signal(SIGTTOU, SIG_DFL);
        ::_exit(program());
    }
    int status = 0;
    ::waitpid(job, &status, WUNTRACED);
    if (WIFSTOPPED(status)) {
        ::kill(job, SIGKILL);
        ::waitpid(job, nullptr, 0);
        return 50;
    }
    return WEXITSTATUS(status);
}

TEST(ProgressDisplay, in_the_background_of_a_terminal_prints_its_last_line_only_and_is_not_stopped) {
    for (const bool in_front : {true, false}) {
        const gate end;
        test::terminal_program program(
            [&] {
                termios settings{};
                ::tcgetattr(STDERR_FILENO, &settings);
                settings.c_lflag |= TOSTOP;  // who writes in the background is stopped
                ::tcsetattr(STDERR_FILENO, TCSANOW, &settings);
                return run_as_job(in_front, [&] {
                    const call one("one");
                    if (in_front) end.pass();
                    one.end();
                    return 7;
                });
            },
            {.controls = true});
        EXPECT_TRUE(!in_front || program.shows("0 of 10 things")) << program.bytes;
        end.open();
        EXPECT_EQ(program.wait(), 7);
        EXPECT_EQ(count(program.bytes, "\x1b") > 0, in_front) << program.bytes;
        EXPECT_EQ(count(program.bytes, "one: 0 things in "), 1U) << program.bytes;
    }
}

// ---- elsewhere

/// In a program: its own standard error, which it reads itself.
class own_errors {
public:
    own_errors() {
        if (::pipe(ends_) != 0) throw std::bad_alloc();
        ::dup2(ends_[1], STDERR_FILENO);
        ::close(ends_[1]);
    }
    /// Reads until this has come so many times.
    bool have(std::string_view what, std::size_t times = 1) {
        return test::eventually([&] {
            char piece[4096];
            for (pollfd watched{ends_[0], POLLIN, 0}; ::poll(&watched, 1, 0) > 0;) {
                const auto n = ::read(ends_[0], piece, sizeof piece);
                if (n <= 0) break;
                text.append(piece, static_cast<std::size_t>(n));
            }
            return count(text, what) >= times;
        });
    }
    std::string text;

private:
    int ends_[2];
};

TEST(ProgressDisplay, in_a_log_has_a_line_now_and_then) {
    test::child_program program([] {
        own_errors errors;
        const auto begin = std::chrono::steady_clock::now();
        const call one("one", 10, 100ms), quick("quick", std::nullopt);
        one.go_on(5);
        quick.end();
        if (!errors.have("one: 50%, 5 of 10 things in ", 3)) return 1;
        const auto passed = std::chrono::steady_clock::now() - begin;
        if (count(errors.text, "one: 50%") > static_cast<std::size_t>(passed / 100ms)) return 2;
        one.go_on(5);
        mp::print_above_progress("printed");
        one.end();
        if (!errors.have("one: 10 things in ")) return 3;
        if (count(errors.text, "printed\n") != 1 || count(errors.text, "quick: 0 things in ") != 1) return 4;
        return errors.text.find_first_of("\x1b\r") == std::string::npos ? 0 : 5;
    });
    EXPECT_EQ(program.wait().exit_code, 0);
}

TEST(ProgressDisplay, waits_a_second_for_a_pipe_that_is_full) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
    const std::string piece(4096, 'x');
    while (::write(ends[1], piece.data(), piece.size()) > 0) {
    }
    while (::write(ends[1], "x", 1) > 0) {
    }
    ::fcntl(ends[1], F_SETFL, 0);  // a write would wait
    test::child_program program([&] {
        ::dup2(ends[1], STDERR_FILENO);
        const call one("one", 10, 1ms);
        std::this_thread::sleep_for(50ms);
        const auto begin = std::chrono::steady_clock::now();
        one.end();
        const auto passed = std::chrono::steady_clock::now() - begin;
        return passed > 500ms && passed < 20s ? 0 : 1;
    });
    EXPECT_EQ(program.wait().exit_code, 0);
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST(ProgressDisplay, survives_a_pipe_that_nobody_reads) {
    test::child_program program([] {
        int ends[2];
        if (::pipe(ends) != 0) return 1;
        ::dup2(ends[1], STDERR_FILENO);
        ::close(ends[0]);
        ::close(ends[1]);
        const call one("one", 10, 1ms);
        std::this_thread::sleep_for(50ms);
        one.end();
        return 0;
    });
    const auto end = program.wait();
    EXPECT_EQ(end.signal, 0);
    EXPECT_EQ(end.exit_code, 0);
}

TEST(ProgressDisplay, survives_without_standard_error) {
    test::child_program program([] {
        ::close(STDERR_FILENO);
        const call one("one", 10, 1ms);
        std::this_thread::sleep_for(50ms);
        one.end();
        return 0;
    });
    EXPECT_EQ(program.wait().exit_code, 0);
}

TEST(ProgressDisplay, survives_without_descriptors) {
    if (test::address_sanitizer) GTEST_SKIP() << "its runtime needs a descriptor itself";
    test::terminal_program program([] {
        while (::dup(STDERR_FILENO) >= 0) {
        }
        const call one("one");
        std::this_thread::sleep_for(150ms);
        one.end();
        return 0;
    });
    EXPECT_EQ(program.wait(), 0);
    EXPECT_EQ(count(program.screen.text(), "one: 0 things in "), 1U) << program.bytes;
}

TEST(ProgressDisplay, of_a_forked_child_is_its_own) {
    if (test::thread_sanitizer) GTEST_SKIP() << "a forked child of several threads can't start one";
    test::child_program program([] {
        const call parents("parents");
        const pid_t child = ::fork();
        if (child == 0) {
            const call own("childs");
            own.end();
            ::_exit(0);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        parents.end();
        return WEXITSTATUS(status);
    });
    const auto end = program.wait();
    EXPECT_EQ(end.exit_code, 0) << end.errors;
    EXPECT_EQ(count(end.errors, "childs: 0 things in "), 1U) << end.errors;
    EXPECT_EQ(count(end.errors, "parents: 0 things in "), 1U) << end.errors;
}

TEST(ProgressDisplay, serves_many_threads_that_begin_and_end) {
    test::child_program program([] {
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([] {
                for (int round = 0; round < 100; ++round) {
                    const call one("one");
                    one.go_on(1);
                    if (round % 7 == 0) mp::print_above_progress("printed");
                    one.end();
                }
            });
        for (auto& one : threads) one.join();
        return 0;
    });
    const auto end = program.wait();
    EXPECT_EQ(end.exit_code, 0);
    EXPECT_EQ(count(end.errors, "one: 1 things in "), 400U);
    EXPECT_EQ(count(end.errors, "printed\n"), 60U);
}

TEST(ProgressDisplay, of_a_program_that_exits_meanwhile_hurts_nobody) {
    test::child_program program([] {
        const call one("one");
        std::exit(5);
        return 0;
    });
    EXPECT_EQ(program.wait().exit_code, 5);
}

TEST(Progress, refuses_an_interval_that_makes_no_sense) {
    EXPECT_THROW(mp::progress("one", {.log_interval = 0s}), std::invalid_argument);
    EXPECT_EQ(mp::progress("one", {.quiet = true}), nullptr);
    EXPECT_NE(mp::progress(), nullptr);
}

}  // namespace progress_display_test
