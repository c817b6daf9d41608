// SPDX-License-Identifier: MIT
// What workers print: straight, in whole lines, or with their number in front.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>

#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "support/processes.hpp"
#include "support/views.hpp"

namespace output_test {

namespace mp = procpool;
using namespace std::chrono_literals;

void print(int file, std::string_view text) {
    while (!text.empty()) {
        const auto n = ::write(file, text.data(), text.size());
        if (n <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(n));
    }
}
/// One line in three pieces, between which another worker may print.
void print_line(int i) {
    const int file = i % 2 == 0 ? STDOUT_FILENO : STDERR_FILENO;
    print(file, "one ");
    print(file, "whole ");
    print(file, "line\n");
}

/// What pools are made with.
struct settings {
    std::size_t processes = 1;
    mp::worker_output output = mp::worker_output::direct;
    std::size_t stderr_tail = 0;
};

/// All that a program prints that runs `tasks` in a pool of its own.
template <class Tasks>
std::string printed(settings wanted, Tasks tasks) {
    test::child_program program([wanted, tasks] {
        ::dup2(STDERR_FILENO, STDOUT_FILENO);
        {
            mp::Pool pool(
                {.processes = wanted.processes, .output = wanted.output, .stderr_tail = wanted.stderr_tail});
            tasks(pool);
            pool.close();
            pool.join();
        }
        return 0;
    });
    const auto end = program.wait();
    EXPECT_EQ(end.exit_code, 0);
    return end.errors;
}

std::map<std::string, int> lines_of(const std::string& text) {
    std::map<std::string, int> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) ++lines[line];
    return lines;
}

TEST(Output, goes_where_the_programs_goes) {
    const std::string text = printed({.processes = 1}, [](mp::Pool& pool) {
        pool.map(print_line, test::views::iota(0, 2));
        pool.apply([] { std::puts("by stdio"); });
    });
    EXPECT_EQ(text, "one whole line\none whole line\nby stdio\n");
}

TEST(Output, in_lines_never_mixes_those_of_several_workers) {
    const auto lines =
        lines_of(printed({.processes = 3, .output = mp::worker_output::lines}, [](mp::Pool& pool) {
            pool.map(print_line, test::views::iota(0, 600), {.chunksize = 1});
        }));
    EXPECT_EQ(lines, (std::map<std::string, int>{{"one whole line", 600}}));
}

TEST(Output, has_the_workers_number_in_front_if_asked) {
    const auto lines =
        lines_of(printed({.processes = 2, .output = mp::worker_output::prefixed}, [](mp::Pool& pool) {
            pool.map(print_line, test::views::iota(0, 200), {.chunksize = 1});
        }));
    int all = 0;
    for (const auto& [line, count] : lines) {
        EXPECT_TRUE(line == "[worker 0] one whole line" || line == "[worker 1] one whole line") << line;
        all += count;
    }
    EXPECT_EQ(all, 200);
}

TEST(Output, of_a_worker_that_dies_in_a_line_is_ended_by_the_line) {
    const auto lines =
        lines_of(printed({.processes = 1, .output = mp::worker_output::prefixed}, [](mp::Pool& pool) {
            EXPECT_THROW(pool.apply([] {
                print(STDOUT_FILENO, "my last wo");
                ::kill(::getpid(), SIGKILL);
            }),
                         mp::WorkerDied);
            pool.apply([] { std::puts("next"); });
        }));
    EXPECT_EQ(lines, (std::map<std::string, int>{{"[worker 0] my last wo", 1}, {"[worker 0] next", 1}}));
}

TEST(Output, in_lines_is_told_of_a_death_too) {
    printed({.processes = 1, .output = mp::worker_output::lines, .stderr_tail = 100}, [](mp::Pool& pool) {
        try {
            pool.apply([] {
                print(STDERR_FILENO, "a reason\n");
                ::kill(::getpid(), SIGKILL);
            });
            ADD_FAILURE() << "nobody died";
        } catch (const mp::WorkerDied& death) {
            EXPECT_EQ(death.error_output(), "a reason\n");
        }
    });
}

TEST(Output, that_nobody_reads_holds_up_its_worker_and_not_the_pool) {
    test::child_program program([] {
        test::signal_pipe unread;
        ::dup2(unread.sending_end().file, STDOUT_FILENO);
        mp::Pool pool({.processes = 2, .output = mp::worker_output::lines});
        auto stuck = pool.apply_async([] {
            for (int i = 0; i < 100'000; ++i) print(STDOUT_FILENO, "far more than a pipe holds\n");
        });
        for (int i = 0; i < 20; ++i) {
            // The zygote goes on reporting deaths.
            EXPECT_THROW(pool.apply([] { ::kill(::getpid(), SIGKILL); }), mp::WorkerDied);
        }
        return stuck.wait(1ms) ? 1 : 0;
    });
    EXPECT_EQ(program.wait().exit_code, 0);
}

TEST(Output, ends_with_the_pool_and_none_of_it_is_lost) {
    static constexpr int many = 20'000;
    const auto lines =
        lines_of(printed({.processes = 2, .output = mp::worker_output::lines}, [](mp::Pool& pool) {
            pool.map([](int) { std::puts("a line"); }, test::views::iota(0, many));
        }));
    EXPECT_EQ(lines, (std::map<std::string, int>{{"a line", many}}));
}

// ---- when it is out

/// All that a program prints that gives its pool up without a word.
template <class Tasks>
std::string printed_before_the_end(mp::worker_output how, Tasks tasks) {
    test::child_program program([how, tasks] {
        ::dup2(STDERR_FILENO, STDOUT_FILENO);
        mp::Pool pool({.processes = 2, .output = how});
        tasks(pool);
        return 0;
    });
    const auto end = program.wait();
    EXPECT_EQ(end.exit_code, 0);
    return end.errors;
}

constexpr std::array all_ways{mp::worker_output::direct, mp::worker_output::lines,
                              mp::worker_output::prefixed};

TEST(Output, of_an_element_is_out_before_its_result) {
    for (const mp::worker_output how : all_ways)
        for (int round = 0; round < test::rounds(20); ++round) {
            const std::string text = printed_before_the_end(how, [](mp::Pool& pool) {
                pool.map([](int) { std::puts("a line"); }, test::views::iota(0, 30));
            });
            EXPECT_EQ(std::ranges::count(text, '\n'), 30) << static_cast<int>(how) << ": " << text;
        }
}

TEST(Output, of_elements_that_had_succeeded_is_not_lost_when_a_later_one_kills_their_worker) {
    for (const mp::worker_output how : all_ways) {
        const std::string text = printed_before_the_end(how, [](mp::Pool& pool) {
            (void)pool.try_map(
                [](int i) {
                    if (i == 15) ::kill(::getpid(), SIGKILL);
                    std::printf("line %d\n", i);
                },
                test::views::iota(0, 16), {.chunksize = 16});
        });
        EXPECT_EQ(std::ranges::count(text, '\n'), 15) << static_cast<int>(how) << ": " << text;
    }
}

TEST(Output, of_a_quick_element_is_not_lost_when_the_next_one_kills_their_worker) {
    for (const mp::worker_output how : all_ways) {
        const std::string text = printed_before_the_end(how, [](mp::Pool& pool) {
            // After many that are silent nobody looks at each of them any more.
            for (int last = 3000; last < 3020; ++last)
                (void)pool.try_map(mp::partial(
                                       [](int deadly, int i) {
                                           if (i == deadly) ::kill(::getpid(), SIGKILL);
                                           if (i == deadly - 1) std::puts("a line");
                                       },
                                       last),
                                   test::views::iota(0, last + 1), {.chunksize = 10'000});
        });
        EXPECT_EQ(std::ranges::count(text, '\n'), 20) << static_cast<int>(how);
    }
}

/// As a program does that prints much by streams of C++, or an initializer.
void part_from_stdio() { std::ios::sync_with_stdio(false); }

TEST(Output, by_streams_that_are_not_synchronised_is_out_before_its_result) {
    for (const bool in_program : {true, false}) {
        test::child_program program([in_program] {
            ::dup2(STDERR_FILENO, STDOUT_FILENO);
            if (in_program) {
                part_from_stdio();
                std::cout << "the program's, which prints it itself\n";
            }
            mp::Pool pool(1, part_from_stdio);
            (void)pool.try_map(
                [](int i) {
                    if (i == 15) ::kill(::getpid(), SIGKILL);
                    std::cout << "a line\n";
                    std::clog << "another\n";
                },
                test::views::iota(0, 16), {.chunksize = 16});
            return 0;
        });
        const auto lines = lines_of(program.wait().errors);
        EXPECT_EQ(lines, (std::map<std::string, int>{{"a line", 15}, {"another", 15}}));
    }
}

}  // namespace output_test
