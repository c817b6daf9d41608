// SPDX-License-Identifier: MIT
// What calls with .progress show on a terminal.
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <ranges>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "procpool/pool.hpp"
#include "procpool/progress.hpp"
#include "procpool/thread_pool.hpp"
#include "support/processes.hpp"
#include "support/progress.hpp"
#include "support/terminal.hpp"
#include "support/views.hpp"

namespace progress_terminal_test {

namespace mp = procpool;
using namespace std::chrono_literals;

const auto numbers = test::views::iota(0, 20);
mp::MapOptions with(const char* name) { return {.progress = mp::progress(name)}; }

TEST(ProgressOnTerminal, of_an_input_of_unknown_length_has_no_bar_unless_it_is_told) {
    for (const bool told : {false, true}) {
        test::signal_pipe go_on;
        test::terminal_program program([&] {
            mp::Pool pool(1);
            const auto unknown = std::views::iota(0) | std::views::take_while([](int i) { return i < 7; });
            mp::ProgressOptions how{.unit = "lines"};
            if (told) how.total = 7;
            auto results = pool.imap(
                [gate = go_on.receiving_end()](int i) {
                    if (i == 4) test::signal_pipe::receive_from(gate);
                    return i;
                },
                unknown, {.progress = mp::progress("unknown", how)});
            for ([[maybe_unused]] int i : results) {
            }
            return 0;
        });
        EXPECT_TRUE(program.shows(told ? "|   57%  4 of 7 lines" : "unknown  4 lines "))
            << program.screen.text();
        go_on.send();
        EXPECT_EQ(program.wait(), 0);
        EXPECT_EQ(test::ends_in(program.screen.text()), "unknown: 7 lines\n");
    }
}

void print_lines(int i) {
    std::printf("line %d of standard output\n", i);
    std::fflush(stdout);
    std::fprintf(stderr, "line %d of standard error\n", i);
}

TEST(ProgressOnTerminal, is_not_torn_by_what_workers_print_in_lines) {
    for (const auto output : {mp::worker_output::lines, mp::worker_output::prefixed}) {
        constexpr int count = 400;
        test::terminal_program program([&] {
            mp::Pool pool({.processes = 2, .output = output});
            pool.map(
                [](int i) {
                    print_lines(i);
                    std::this_thread::sleep_for(1ms);
                },
                test::views::iota(0, count), {.chunksize = 1, .progress = mp::progress("printing")});
            pool.close();
            pool.join();
            return 0;
        });
        EXPECT_EQ(program.wait(), 0);
        EXPECT_GT(program.bytes.find("printing  |"), 0U);
        std::vector<int> seen(2 * count);
        int others = 0;
        for (std::string line : program.screen.lines()) {
            if (output == mp::worker_output::prefixed && line.starts_with("[worker ")) line.erase(0, 11);
            std::array<char, 8> which{};
            int i = -1;
            if (std::sscanf(line.c_str(), "line %d of standard %7s", &i, which.data()) == 2 && i >= 0 &&
                i < count)
                ++seen[static_cast<std::size_t>(2 * i + (std::string_view(which.data()) == "error" ? 1 : 0))];
            else if (!line.starts_with("printing: 400 done in "))
                ++others;
        }
        EXPECT_EQ(seen, std::vector<int>(2 * count, 1)) << program.screen.text();
        EXPECT_EQ(others, 0) << program.screen.text();
    }
}

TEST(ProgressOnTerminal, has_a_line_for_each_of_several_pools) {
    test::signal_pipe go_on;
    test::terminal_program program([&] {
        mp::Pool first(1), second(1);
        mp::ThreadPool third(1);
        const auto wait = [gate = go_on.receiving_end()](int i) {
            if (i == 10) test::signal_pipe::receive_from(gate);
            return i;
        };
        auto one = first.map_async(wait, numbers, with("first"));
        auto two = second.map_async(wait, numbers, with("second"));
        auto three = third.map_async(wait, numbers, with("third"));
        one.wait(), two.wait(), three.wait();
        return 0;
    });
    EXPECT_TRUE(program.shows([](const auto& now) {
        const auto lines = now.lines();
        return lines.size() == 3 && lines[0].find("10 of 20") != lines[0].npos &&
               lines[1].find("10 of 20") != lines[1].npos && lines[2].find("10 of 20") != lines[2].npos;
    })) << program.screen.text();
    go_on.send(3);
    EXPECT_EQ(program.wait(), 0);
    EXPECT_EQ(program.screen.lines().size(), 3U) << program.screen.text();
}

TEST(ProgressOnTerminal, goes_on_in_a_pool_whose_workers_are_killed_again_and_again) {
    test::terminal_program program([] {
        mp::Pool pool({.processes = 2, .restart_limit = 1000, .output = mp::worker_output::lines});
        pool.map(
            [](int i) {
                std::printf("element %d\n", i);
                std::fflush(stdout);
                if (i % 3 == 0) ::raise(SIGKILL);
                return i;
            },
            numbers, {.chunksize = 1, .retries = 0, .progress = mp::progress("killed")});
        return 0;
    });
    EXPECT_EQ(program.wait(), 99);  // the first error
    const std::string text = program.screen.text();
    EXPECT_NE(text.find("killed: 20 done in "), text.npos) << text;
    EXPECT_NE(text.find(", 7 failed, 7 workers died"), text.npos) << text;
    for (const int i : numbers)
        EXPECT_NE(text.find("element " + std::to_string(i) + "\n"), text.npos) << text;
}

}  // namespace progress_terminal_test
