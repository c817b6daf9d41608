// SPDX-License-Identifier: MIT
// What calls with .progress show: their counts, failures, deaths and ends, whatever happens to them.
#include "procpool/progress.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ranges>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

#include "procpool/executor.hpp"
#include "procpool/observer.hpp"
#include "procpool/parallel.hpp"
#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "procpool/shared_array.hpp"
#include "procpool/thread_pool.hpp"
#include "support/processes.hpp"
#include "support/terminal.hpp"
#include "support/views.hpp"

namespace progress_test {

namespace mp = procpool;
using namespace std::chrono_literals;

int twice(int i) { return 2 * i; }
int sum(int a, int b) { return a + b; }
int even_only(int i) {
    if (i % 2 == 1) throw std::runtime_error("odd");
    return i;
}
int all_but_three(int i) {
    if (i == 3) ::raise(SIGKILL);
    return i;
}
/// Dies once.
int dies_at_first(const mp::SharedArray<int, 1>& died, int i) {
    if (i == 3 && std::atomic_ref(died[0]).exchange(1) == 0) ::raise(SIGKILL);
    return i;
}

/// What a program writes to standard error, which is a pipe.
template <class Program>
std::string told_by(Program program) {
    test::child_program child([&] {
        program();
        return 0;
    });
    const auto end = child.wait();
    EXPECT_EQ(end.exit_code, 0) << end.errors;
    return end.errors;
}

/// Without the times: "map: 20 done".
std::string ends_in(const std::string& text) {
    std::string ends;
    std::size_t from = 0;
    for (std::size_t to = text.find('\n'); to != text.npos; from = to + 1, to = text.find('\n', from)) {
        std::string line = text.substr(from, to - from);
        const std::size_t time = line.find(" in ");
        std::size_t troubles = line.find("/s", time);
        for (const char* const unit : {"/min", "/h"}) troubles = std::min(troubles, line.find(unit, time));
        if (time != line.npos)
            line.erase(time, troubles == line.npos ? troubles : line.find_first_of(",\n", troubles) - time);
        ends += line + "\n";
    }
    return ends;
}

const auto numbers = test::views::iota(0, 20);
std::vector<std::tuple<int, int>> pairs() { return {{1, 2}, {3, 4}, {5, 6}}; }

mp::MapOptions with(const char* name) { return {.progress = mp::progress(name)}; }

template <class Pool>
void make_all_calls(Pool& pool) {
    pool.map(twice, numbers, with("map"));
    pool.starmap(sum, pairs(), with("starmap"));
    static_cast<void>(pool.try_map(twice, numbers, with("try_map")));
    static_cast<void>(pool.try_starmap(sum, pairs(), with("try_starmap")));
    pool.map_async(twice, numbers, with("map_async")).get();
    pool.starmap_async(sum, pairs(), with("starmap_async")).get();
    for ([[maybe_unused]] int i : pool.imap(twice, numbers, with("imap"))) {
    }
    for ([[maybe_unused]] int i : pool.imap_unordered(twice, numbers, with("imap_unordered"))) {
    }
    for ([[maybe_unused]] int i : pool.istarmap(sum, pairs(), with("istarmap"))) {
    }
    for ([[maybe_unused]] int i : pool.istarmap_unordered(sum, pairs(), with("istarmap_unordered"))) {
    }
}
constexpr const char* ends_of_all_calls =
    "map: 20 done\n"
    "starmap: 3 done\n"
    "try_map: 20 done\n"
    "try_starmap: 3 done\n"
    "map_async: 20 done\n"
    "starmap_async: 3 done\n"
    "imap: 20 done\n"
    "imap_unordered: 20 done\n"
    "istarmap: 3 done\n"
    "istarmap_unordered: 3 done\n";

TEST(Progress, is_shown_by_every_call_of_the_map_family) {
    EXPECT_EQ(ends_in(told_by([] {
                  mp::Pool pool(2);
                  make_all_calls(pool);
              })),
              ends_of_all_calls);
}

TEST(Progress, is_shown_by_thread_pools) {
    EXPECT_EQ(ends_in(told_by([] {
                  mp::ThreadPool pool(2);
                  make_all_calls(pool);
              })),
              ends_of_all_calls);
}

template <class Executor>
void map_with(const char* name) {
    Executor executor(2);
    for ([[maybe_unused]] int i : executor.map({.progress = mp::progress(name)}, twice, numbers)) {
    }
}

TEST(Progress, is_shown_by_executors) {
    EXPECT_EQ(ends_in(told_by([] {
                  map_with<mp::ProcessPoolExecutor>("processes");
                  map_with<mp::ThreadPoolExecutor>("threads");
              })),
              "processes: 20 done\nthreads: 20 done\n");
}

TEST(Progress, is_shown_by_parallel) {
    const std::string told = told_by([] {
        mp::Parallel list(2, {.progress = mp::progress("list")});
        list(numbers | mp::delayed(twice));
        list(numbers | mp::delayed(twice));
        mp::Parallel threads(2, mp::prefer::threads, {.progress = mp::progress("threads")});
        threads(numbers | mp::delayed(twice));
        mp::Parallel stream(2, mp::return_as::generator, {.progress = mp::progress("generator")});
        for ([[maybe_unused]] int i : stream(numbers | mp::delayed(twice))) {
        }
    });
    EXPECT_EQ(ends_in(told), "list: 20 done\nlist: 20 done\nthreads: 20 done\ngenerator: 20 done\n");
}

TEST(Progress, shows_each_call_of_a_pool_by_its_name) {
    const std::string told = told_by([] {
        mp::Pool pool({.processes = 2, .observers = {mp::progress()}});
        pool.map(twice, numbers, {.name = "first"});
        pool.map(twice, numbers);
    });
    EXPECT_EQ(ends_in(told), "first: 20 done\nprogress: 20 done\n");
}

// ---- failures and deaths

TEST(Progress, counts_elements_that_fail) {
    EXPECT_EQ(ends_in(told_by([] {
                  mp::Pool pool(2);
                  static_cast<void>(pool.try_map(even_only, numbers, with("try_map")));
              })),
              "try_map: 20 done, 10 failed\n");
}

TEST(Progress, counts_workers_that_die) {
    EXPECT_EQ(ends_in(told_by([] {
                  mp::Pool pool(2);
                  static_cast<void>(pool.try_map(all_but_three, numbers, with("deadly")));
              })),
              "deadly: 20 done, 1 failed, 1 worker died\n");
}

TEST(Progress, counts_an_element_that_runs_again_once) {
    EXPECT_EQ(ends_in(told_by([] {
                  const mp::SharedArray<int, 1> died({1});
                  mp::Pool pool(2);
                  pool.map(mp::partial(dies_at_first, died), numbers,
                           {.retries = 1, .progress = mp::progress("again")});
              })),
              "again: 20 done, 1 worker died\n");
}

TEST(Progress, passes_errors_on_as_they_are) {
    told_by([] {
        mp::Pool pool(2);
        EXPECT_THROW(pool.map(even_only, numbers, with("map")), std::runtime_error);
    });
}

TEST(Progress, tells_how_far_a_call_was_that_is_stopped) {
    const std::string told = told_by([] {
        mp::Pool pool(1);
        std::stop_source stop;
        auto call = pool.map_async(
            [](int i) {
                if (i > 4) ::pause();
                return i;
            },
            numbers, {.chunksize = 1, .stop = stop.get_token(), .progress = mp::progress("stopped")});
        EXPECT_TRUE(test::eventually([&] {
            const auto running = pool.workers().front().running;
            return running && running->index == 5;
        }));
        stop.request_stop();
        EXPECT_THROW(call.get(), mp::TaskCancelled);
    });
    EXPECT_TRUE(told.starts_with("stopped: stopped after ")) << told;
    EXPECT_NE(told.find(" of 20 done in "), told.npos) << told;
}

TEST(Progress, ends_with_a_pool_that_is_terminated) {
    const std::string told = told_by([] {
        mp::Pool pool(1);
        auto call = pool.map_async([](int) { ::pause(); }, numbers, with("terminated"));
        pool.terminate();
        EXPECT_THROW(call.get(), mp::PoolTerminated);
    });
    EXPECT_TRUE(told.starts_with("terminated: stopped after 0 of 20 done in ")) << told;
}

TEST(Progress, ends_with_an_imap_that_is_left) {
    const std::string told = told_by([] {
        mp::Pool pool(1);
        {
            auto results = pool.imap(twice, numbers, with("left"));
            EXPECT_EQ(results.next(), 0);
        }
        pool.close();
        pool.join();
    });
    EXPECT_TRUE(told.starts_with("left: stopped after ")) << told;
}

TEST(Progress, ends_with_an_input_that_throws) {
    const std::string told = told_by([] {
        mp::Pool pool(1);
        const auto broken = numbers | std::views::transform([](int i) {
                                return i < 7 ? i : throw std::logic_error("no more");
                            });
        EXPECT_THROW(pool.map(twice, broken, with("broken")), std::logic_error);
    });
    EXPECT_TRUE(told.starts_with("broken: stopped after ")) << told;
}

TEST(Progress, of_no_elements_is_done) {
    EXPECT_EQ(ends_in(told_by([] {
                  mp::Pool pool(1);
                  pool.map(twice, std::vector<int>{}, with("nothing"));
              })),
              "nothing: 0 done\n");
}

TEST(Progress, that_is_quiet_prints_nothing) {
    EXPECT_EQ(told_by([] {
                  mp::Pool pool(1);
                  pool.map(twice, numbers, {.progress = mp::progress("quiet", {.quiet = true})});
              }),
              "");
}

// ---- on a terminal

TEST(Progress, of_an_input_of_unknown_length_has_no_bar_unless_it_is_told) {
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
        EXPECT_EQ(ends_in(program.screen.text()), "unknown: 7 lines\n");
    }
}

void print_lines(int i) {
    std::printf("line %d of standard output\n", i);
    std::fflush(stdout);
    std::fprintf(stderr, "line %d of standard error\n", i);
}

TEST(Progress, is_not_torn_by_what_workers_print_in_lines) {
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

TEST(Progress, has_a_line_for_each_of_several_pools) {
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

TEST(Progress, goes_on_in_a_pool_whose_workers_are_killed_again_and_again) {
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

}  // namespace progress_test
