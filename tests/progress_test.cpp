// SPDX-License-Identifier: MIT
// What calls with .progress show: their counts, failures, deaths and ends, whatever happens to them.
#include "procpool/progress.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ranges>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
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
#include "support/progress.hpp"
#include "support/views.hpp"

namespace progress_test {

namespace mp = procpool;
using namespace std::chrono_literals;
using test::ends_in;

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
    test::child_program child([program]() mutable {
        program();
        return 0;
    });
    const auto end = child.wait();
    EXPECT_EQ(end.exit_code, 0) << end.errors;
    return end.errors;
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

}  // namespace progress_test
