// SPDX-License-Identifier: MIT
// MapOptions::on_result: each element of a map is told when it has come.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <ranges>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "procpool/element_result.hpp"
#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "procpool/wait_hook.hpp"
#include "support/message_of.hpp"
#include "support/shared.hpp"
#include "support/tested_pool.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace on_result_test {

namespace mp = test::tested;
using namespace std::chrono_literals;

int odd_is_bad(int i) {
    if (i % 2 != 0) throw std::domain_error(std::to_string(i));
    return 10 * i;
}
int twice(int i) { return 2 * i; }

struct board {
    test::gate gate;
};
test::shared<board> seen;

class OnResult : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }

    /// Notes what is told; nobody else calls meanwhile.
    auto note() {
        return [this](const mp::ElementResult& one) {
            EXPECT_FALSE(calling.exchange(true)) << "two at a time";
            EXPECT_TRUE(
                told.emplace(one.index(), one ? std::to_string(one.value<int>()) : one.what()).second);
            calling = false;
        };
    }
    std::atomic<bool> calling{false};
    std::map<std::uint64_t, std::string> told;
    std::atomic<int> errors{0};
    mp::Pool pool{{.processes = 2, .error_handler = [this](std::exception_ptr) { ++errors; }}};
};

TEST_F(OnResult, tells_each_element_once_before_map_returns) {
    for (const std::ptrdiff_t chunk : {1, 7, 5000}) {
        told.clear();
        EXPECT_EQ(
            pool.map(twice, test::views::iota(0, 2000), {.chunksize = chunk, .on_result = note()}).size(),
            2000u);
        ASSERT_EQ(told.size(), 2000u);
        EXPECT_EQ(told[1999], "3998");
    }
    told.clear();
    pool.map(twice, test::views::iota(0, 20'000), {.on_result = note()});
    EXPECT_EQ(told.size(), 20'000u);
}

TEST_F(OnResult, tells_errors_with_their_index) {
    EXPECT_EQ(pool.try_map(odd_is_bad, std::vector{0, 1, 2, 3}, {.on_result = note()}).size(), 4u);
    EXPECT_EQ(told, (std::map<std::uint64_t, std::string>{{0, "0"}, {1, "1"}, {2, "20"}, {3, "3"}}));
    told.clear();
    EXPECT_THROW(pool.map(odd_is_bad, std::vector{0, 1, 2, 3}, {.on_result = note()}), std::domain_error);
    EXPECT_EQ(told, (std::map<std::uint64_t, std::string>{{0, "0"}, {1, "1"}, {2, "20"}, {3, "3"}}));
}

TEST_F(OnResult, is_there_for_void_tasks_strings_and_bools) {
    std::atomic<int> count{0};
    pool.map([](int i) { odd_is_bad(2 * i); }, test::views::iota(0, 10),
             {.on_result = [&](const mp::ElementResult& one) {
                 one.value<void>();
                 ++count;
             }});
    EXPECT_EQ(count, 10);
    std::string all;
    pool.map([](int i) { return std::to_string(i); }, std::vector{1, 2},
             {.chunksize = 2,
              .on_result = [&](const mp::ElementResult& one) { all += one.value<std::string>(); }});
    EXPECT_EQ(all, "12");
    pool.map([](int i) { return i > 1; }, std::vector{1, 2}, {.on_result = [&](const mp::ElementResult& one) {
                 EXPECT_EQ(one.value<bool>(), one.index() == 1);
                 ++count;
             }});
    EXPECT_EQ(count, 12);
    EXPECT_EQ(errors, 0);
}

TEST_F(OnResult, of_map_async_has_run_when_the_call_is_done) {
    const auto input = test::views::iota(0, 300);
    auto result = pool.starmap_async([](int a, int b) { return a + b; },
                                     input | test::views::transform([](int i) { return std::pair(i, i); }),
                                     {.on_result = note()});
    EXPECT_EQ(result.get().size(), 300u);
    EXPECT_EQ(told.size(), 300u);
}

TEST_F(OnResult, comes_while_others_still_run) {
    const auto first_waits = [](int i) {
        if (i == 0) seen->gate.pass();
        return i;
    };
    auto result = pool.map_async(first_waits, test::views::iota(0, 10),
                                 {.chunksize = 1, .on_result = [](const mp::ElementResult& one) {
                                      if (one.index() == 5) seen->gate.open();
                                  }});
    EXPECT_EQ(result.get(test::patience).size(), 10u);
}

TEST_F(OnResult, reads_an_input_of_unknown_size_at_once) {
    std::string numbers;
    for (int i = 0; i < 5000; ++i) numbers += std::to_string(i) + ' ';
    for (const bool chunked : {false, true}) {
        told.clear();
        std::istringstream text(numbers);
        mp::MapOptions options{.on_result = note()};
        if (chunked) options.chunksize = 3;
        EXPECT_EQ(pool.map(twice, test::views::istream<int>(text), options).size(), 5000u);
        EXPECT_EQ(told.size(), 5000u);
    }
}

TEST_F(OnResult, what_it_throws_goes_to_the_error_handler_and_no_further) {
    const auto results =
        pool.map(twice, test::views::iota(0, 50), {.on_result = [](const mp::ElementResult& one) {
                     if (one.index() % 5 == 0) throw std::runtime_error("callback");
                 }});
    EXPECT_EQ(results.size(), 50u);
    EXPECT_EQ(errors, 10);
}

TEST_F(OnResult, a_value_of_another_type_is_refused_in_a_sentence) {
    std::string message;
    pool.map(twice, std::vector{1}, {.on_result = [&](const mp::ElementResult& one) {
                 message = test::message_of<mp::Error>([&] { (void)one.value<double>(); });
             }});
    EXPECT_EQ(message,
              "procpool: ElementResult::value<double>() was called, but the task returns int: ask for that");
}

TEST_F(OnResult, may_call_the_pool_and_wait_for_it) {
    std::atomic<int> sum{0};
    pool.map(twice, test::views::iota(0, 20), {.on_result = [&](const mp::ElementResult& one) {
                 sum += pool.apply(twice, one.value<int>());
             }});
    EXPECT_EQ(sum, 4 * 190);
    EXPECT_EQ(errors, 0);
}

TEST_F(OnResult, may_terminate_the_pool) {
    std::atomic<bool> once{false};
    auto result = pool.map_async(twice, test::views::iota(0, 100),
                                 {.chunksize = 1, .on_result = [&](const mp::ElementResult&) {
                                      if (!once.exchange(true)) pool.terminate();
                                  }});
    result.wait();
    EXPECT_EQ(pool.state(), mp::pool_state::terminated);
    EXPECT_EQ(errors, 0);
}

TEST_F(OnResult, who_is_interrupted_leaves_when_no_callback_runs_any_more) {
    struct interruption {};
    std::atomic<int> running{0};
    for (int round = 0; round < 3; ++round) {
        std::atomic<bool> told_some{false};
        const mp::WaitHook hook(
            [&] {
                if (!told_some) return;
                if (!PROCPOOL_TEST_PROCESSES) seen->gate.open();  // threads are waited for
                throw interruption();
            },
            1ms);
        EXPECT_THROW(pool.map(
                         [](int i) {
                             if (i == 999) seen->gate.pass();
                             return i;
                         },
                         test::views::iota(0, 1000),
                         {.chunksize = 1,
                          .on_result =
                              [&](const mp::ElementResult&) {
                                  ++running;
                                  told_some = true;
                                  --running;
                              }}),
                     interruption);
        EXPECT_EQ(running, 0);
        if (!PROCPOOL_TEST_PROCESSES) break;
    }
    seen->gate.open();
}

TEST_F(OnResult, is_refused_where_results_come_one_by_one) {
    EXPECT_EQ(test::message_of<std::invalid_argument>([&] {
                  (void)pool.imap(twice, std::vector{1}, {.on_result = [](const mp::ElementResult&) {}});
              }),
              "procpool: imap has no on_result: it gives results one by one, so loop over them");
}

TEST_F(OnResult, tells_what_fail_fast_has_not_dropped) {
    std::atomic<int> count{0};
    EXPECT_THROW(pool.map(odd_is_bad, std::vector<int>(10'000, 1),
                          {.chunksize = 1,
                           .fail_fast = true,
                           .on_result =
                               [&](const mp::ElementResult& one) {
                                   EXPECT_FALSE(one);
                                   ++count;
                               }}),
                 std::domain_error);
    EXPECT_GT(count, 0);
    EXPECT_LT(count, 10'000);
}

#if PROCPOOL_TEST_PROCESSES
TEST_F(OnResult, tells_the_death_of_a_worker_as_its_elements_error) {
    std::map<std::uint64_t, long> dead;
    const auto outcomes = pool.try_map(
        [](int i) {
            if (i % 25 == 7) ::_exit(3);
            return i;
        },
        test::views::iota(0, 100), {.on_result = [&](const mp::ElementResult& one) {
            if (one) return;
            try {
                one.value<int>();
            } catch (const mp::WorkerDied& error) {
                dead[one.index()] = *error.exit_code();
            }
        }});
    EXPECT_EQ(dead, (std::map<std::uint64_t, long>{{7, 3}, {32, 3}, {57, 3}, {82, 3}}));
}
#endif

}  // namespace on_result_test
