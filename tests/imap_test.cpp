// SPDX-License-Identifier: MIT
// imap and imap_unordered: lazy input, results one by one.
#include "procpool/imap.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <iterator>
#include <memory>
#include <numeric>
#include <optional>
#include <ranges>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "support/shared.hpp"
#include "support/tested_pool.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace imap_test {

namespace mp = test::tested;
using namespace std::chrono_literals;

int twice(int i) { return 2 * i; }
int odd_is_bad(int i) {
    if (i % 2 != 0) throw std::domain_error(std::to_string(i));
    return i;
}

struct board {
    std::atomic<int> count{0};
    test::gate gate;
};
test::shared<board> seen;

class Imap : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
    mp::Pool pool{2};
};

/// All that is left, in the order in which it comes.
template <class Results>
auto drain(Results&& results) {
    std::vector<typename std::remove_cvref_t<Results>::next_type::value_type> all;
    while (auto next = results.next()) all.push_back(std::move(*next));
    return all;
}

/// 0, 1, 2, ... without end; counts in `pulled` how many were taken.
auto endless(int& pulled) {
    return test::views::iota(0) | test::views::transform([&pulled](int i) {
               ++pulled;
               return i;
           });
}

/// The same as an input that can be read only once, and is pulled by its increment.
class Generator {
public:
    explicit Generator(int& pulled) : pulled_(&pulled) {}
    struct iterator {
        using value_type = int;
        using difference_type = std::ptrdiff_t;
        int* pulled = nullptr;
        int value = 0;
        int operator*() const { return value; }
        iterator& operator++() {
            ++*pulled;
            ++value;
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(std::default_sentinel_t) const { return false; }
    };
    iterator begin() {
        ++*pulled_;
        return {pulled_};
    }
    std::default_sentinel_t end() { return {}; }

private:
    int* pulled_;
};
static_assert(std::ranges::input_range<Generator> && !std::ranges::forward_range<Generator>);

// ---- results

TEST_F(Imap, yields_all_results_in_input_order) {
    std::vector<int> expected(1000);
    std::ranges::generate(expected, [i = 0]() mutable { return 2 * i++; });
    for (const std::ptrdiff_t chunk : {1, 7, 1000, 5000})
        EXPECT_EQ(drain(pool.imap(twice, test::views::iota(0, 1000), {.chunksize = chunk})), expected);
}

TEST_F(Imap, is_an_input_range) {
    std::vector<int> all;
    for (int x : pool.imap(twice, test::views::iota(0, 5))) all.push_back(x);
    EXPECT_EQ(all, (std::vector{0, 2, 4, 6, 8}));

    const std::vector<int> input{1, 2, 3};
    auto results = pool.imap(twice, input);
    static_assert(std::ranges::input_range<decltype(results)>);
    static_assert(std::is_same_v<std::ranges::range_value_t<decltype(results)>, int>);
    int sum = 0;
#if PROCPOOL_TESTS_ALL_VIEWS
    for (int x : results | test::views::transform([](int i) { return i + 1; })) sum += x;
#else
    for (int x : results) sum += x + 1;
#endif
    EXPECT_EQ(sum, 3 + 5 + 7);
    EXPECT_EQ(results.next(), std::nullopt);
}

TEST_F(Imap, keeps_saying_that_it_is_at_the_end) {
    auto results = pool.imap(twice, test::views::iota(0, 1));
    EXPECT_EQ(results.next(), 0);
    EXPECT_EQ(results.next(), std::nullopt);
    EXPECT_EQ(results.next(), std::nullopt);
    EXPECT_EQ(results.next(1s), std::nullopt);
}

TEST_F(Imap, of_nothing_is_at_its_end) {
    EXPECT_EQ(pool.imap(twice, std::vector<int>{}).next(), std::nullopt);
    EXPECT_EQ(pool.imap_unordered(twice, test::views::empty<int>).next(), std::nullopt);
    for ([[maybe_unused]] int x : pool.imap(twice, std::vector<int>{})) FAIL();
}

TEST_F(Imap, of_void_tasks_tells_whether_there_was_one) {
    auto results = pool.imap([](int) { ++seen->count; }, test::views::iota(0, 3));
    static_assert(std::is_same_v<decltype(results.next()), bool>);
    int count = 0;
    while (results.next()) ++count;
    EXPECT_EQ(count, 3);
    EXPECT_EQ(seen->count, 3);
}

TEST_F(Imap, waits_for_the_first_though_later_ones_are_finished) {
    const auto first_waits = [](int i) {
        if (i == 0) seen->gate.pass();
        if (i == 1) seen->gate.open();
        return i;
    };
    std::vector<int> expected(20);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(drain(pool.imap(first_waits, test::views::iota(0, 20))), expected);
}

TEST_F(Imap, unordered_yields_what_is_finished_first) {
    const auto first_waits = [](int i) {
        if (i == 0) seen->gate.pass();
        return i;
    };
    auto results = pool.imap_unordered(first_waits, test::views::iota(0, 6), {.buffersize = 2});
    EXPECT_EQ(results.next(), 1);
    seen->gate.open();
    auto rest = drain(results);
    std::ranges::sort(rest);
    EXPECT_EQ(rest, (std::vector{0, 2, 3, 4, 5}));
}

TEST_F(Imap, unordered_yields_everything_once) {
    for (const std::ptrdiff_t chunk : {1, 7, 1000}) {
        const auto all = drain(pool.imap_unordered(twice, test::views::iota(0, 1000), {.chunksize = chunk}));
        EXPECT_EQ(all.size(), 1000u);
        EXPECT_EQ(std::set<int>(all.begin(), all.end()).size(), 1000u);
    }
}

TEST_F(Imap, results_can_be_moved_to_another_owner) {
    const std::vector<int> input{0, 1, 2, 3, 4, 5, 6, 7};
    auto first = pool.imap(twice, input);
    EXPECT_EQ(first.next(), 0);
    auto second = std::move(first);
    EXPECT_EQ(second.next(), 2);
    auto third = pool.imap(twice, input);
    third = std::move(second);
    EXPECT_EQ(drain(third), (std::vector{4, 6, 8, 10, 12, 14}));
    static_assert(!std::is_copy_constructible_v<decltype(third)>);
}

TEST_F(Imap, several_streams_may_be_read_in_turns) {
    auto first = pool.imap(twice, test::views::iota(0));
    auto second = pool.imap_unordered(odd_is_bad, test::views::iota(0, 1000) | test::views::transform(twice));
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(first.next(), 2 * i);
        ASSERT_TRUE(second.next());
        ASSERT_EQ(pool.apply(twice, i), 2 * i);
    }
}

// ---- the window

TEST_F(Imap, pulls_no_more_than_two_chunks_a_worker_ahead_by_default) {
    for (const int chunk : {1, 5}) {
        int pulled = 0;
        auto results = pool.imap(twice, endless(pulled), {.chunksize = chunk});
        const int window = 2 * chunk * 2;
        EXPECT_GT(pulled, 0) << "work begins before the first result is asked for";
        for (int yielded = 0; yielded < 200; ++yielded) {
            ASSERT_LE(pulled, yielded + window);
            ASSERT_EQ(results.next(), 2 * yielded);
        }
    }
}

TEST_F(Imap, pulls_no_more_than_buffersize_ahead) {
    for (const int buffer : {1, 3, 100}) {
        int pulled = 0;
        auto results = pool.imap(twice, endless(pulled), {.chunksize = 4, .buffersize = buffer});
        for (int yielded = 0; yielded < 200; ++yielded) {
            ASSERT_LE(pulled, yielded + buffer);
            ASSERT_EQ(results.next(), 2 * yielded);
        }
    }
}

TEST_F(Imap, pulls_a_single_pass_input_no_further_either) {
    for (const int buffer : {1, 2, 10}) {
        int pulled = 0;
        auto results = pool.imap_unordered(twice, Generator(pulled), {.buffersize = buffer});
        for (int yielded = 0; yielded < 100; ++yielded) {
            ASSERT_LE(pulled, yielded + buffer);
            ASSERT_TRUE(results.next());
        }
    }
}

#if PROCPOOL_TEST_PROCESSES
TEST_F(Imap, pulls_further_ahead_where_tasks_turn_out_to_be_quick) {
    constexpr int at_first = 2 * 2;
    int pulled = 0, furthest = 0;
    auto results = pool.imap(twice, endless(pulled));
    for (int yielded = 0; yielded < 100'000 && furthest <= at_first; ++yielded) {
        ASSERT_EQ(results.next(), 2 * yielded);
        furthest = std::max(furthest, pulled - yielded - 1);
    }
    EXPECT_GT(furthest, at_first);
}
#endif

TEST_F(Imap, pulls_no_further_than_buffersize_however_quick_tasks_are) {
    int pulled = 0;
    auto results = pool.imap(twice, endless(pulled), {.buffersize = 8});
    for (int yielded = 0; yielded < 2000; ++yielded) {
        ASSERT_LE(pulled, yielded + 8);
        ASSERT_EQ(results.next(), 2 * yielded);
    }
}

TEST_F(Imap, may_be_left_half_way) {
    int pulled = 0;
    int at_the_end = 0;
    int sum = 0;
    for (int x : pool.imap(twice, endless(pulled))) {
        sum += x;
        if (x == 20) break;
    }
    at_the_end = pulled;
    EXPECT_EQ(sum, 110);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(pool.apply(twice, i), 2 * i);
    EXPECT_EQ(pulled, at_the_end) << "the input is not touched any more";
    pool.close();
    pool.join();
}

TEST_F(Imap, left_half_way_runs_nothing_that_no_worker_has) {
    {
        const auto task = [](int i) {
            ++seen->count;
            if (i < 2) seen->gate.pass();
            return i;
        };
        auto results = pool.imap(task, test::views::iota(0), {.buffersize = 1000});
        ASSERT_TRUE(test::eventually([] { return seen->count == 2; }));  // both workers are held
    }
    seen->gate.open();
    EXPECT_EQ(pool.map(twice, test::views::iota(0, 2), {.chunksize = 1}), (std::vector{0, 2}));
    EXPECT_EQ(seen->count, 2);
}

TEST_F(Imap, an_input_that_is_no_temporary_is_not_copied) {
    std::vector<int> input{1, 2, 3};
    auto results = pool.imap(twice, input, {.buffersize = 1});
    input[2] = 50;
    EXPECT_EQ(drain(results), (std::vector{2, 4, 100}));
}

// ---- waiting for a limited time

TEST_F(Imap, a_result_that_is_late_is_not_lost) {
    const auto task = [](int i) {
        if (i == 1) seen->gate.pass();
        return i;
    };
    for (const std::ptrdiff_t chunk : {1, 2}) {
        seen.reset();
        auto results = pool.imap(task, test::views::iota(0, 4), {.chunksize = chunk});
        EXPECT_EQ(results.next(test::patience), 0);
        EXPECT_THROW(results.next(1ms), mp::TimeoutError);
        EXPECT_THROW(results.next(0ms), mp::TimeoutError);
        seen->gate.open();
        EXPECT_EQ(results.next(test::patience), 1);
        EXPECT_EQ(drain(results), (std::vector{2, 3}));
    }
}

// ---- errors

TEST_F(Imap, an_error_is_thrown_at_its_place_and_iteration_goes_on) {
    for (const std::ptrdiff_t chunk : {1, 3, 20}) {
        auto results = pool.imap(odd_is_bad, test::views::iota(0, 10), {.chunksize = chunk});
        for (int i = 0; i < 10; ++i) {
            if (i % 2 == 0) {
                EXPECT_EQ(results.next(), i);
                continue;
            }
            try {
                results.next();
                ADD_FAILURE() << i;
            } catch (const std::domain_error& error) {
                EXPECT_EQ(error.what(), std::to_string(i));
            }
        }
        EXPECT_EQ(results.next(), std::nullopt);
    }
}

TEST_F(Imap, an_iterator_throws_an_error_when_it_is_dereferenced) {
    auto results = pool.imap(odd_is_bad, test::views::iota(0, 4));
    std::vector<int> good;
    int bad = 0;
    for (auto at = results.begin(); at != results.end(); ++at) {
        try {
            good.push_back(*at);
        } catch (const std::domain_error&) {
            ++bad;
        }
    }
    EXPECT_EQ(good, (std::vector{0, 2}));
    EXPECT_EQ(bad, 2);
}

TEST_F(Imap, unordered_throws_each_error_once) {
    auto results = pool.imap_unordered(odd_is_bad, test::views::iota(0, 100), {.chunksize = 4});
    int good = 0;
    int bad = 0;
    for (bool at_end = false; !at_end;) {
        try {
            at_end = !results.next();
            if (!at_end) ++good;
        } catch (const std::domain_error&) {
            ++bad;
        }
    }
    EXPECT_EQ(good, 50);
    EXPECT_EQ(bad, 50);
}

#if PROCPOOL_TEST_PROCESSES
TEST_F(Imap, a_dead_worker_costs_its_element) {
    const auto third_dies = [](int i) {
        if (i == 3) ::_exit(1);
        return i;
    };
    for (const std::ptrdiff_t chunk : {1, 4}) {
        auto results = pool.imap(third_dies, test::views::iota(0, 8), {.chunksize = chunk});
        for (const int i : {0, 1, 2}) EXPECT_EQ(results.next(), i);
        try {
            results.next();
            ADD_FAILURE();
        } catch (const mp::WorkerDied& error) {
            EXPECT_EQ(error.index(), 3u);
        }
        EXPECT_EQ(drain(results), (std::vector{4, 5, 6, 7}));
    }
}
#endif

TEST_F(Imap, what_the_input_throws_comes_after_the_results_before_it) {
    const auto breaks = test::views::iota(0, 10) | test::views::transform([](int i) {
                            if (i == 5) throw std::range_error("broken");
                            return i;
                        });
    for (const std::ptrdiff_t chunk : {1, 2, 3, 10}) {
        auto results = pool.imap(twice, breaks, {.chunksize = chunk});
        for (int i = 0; i < 5; ++i) ASSERT_EQ(results.next(), 2 * i) << chunk;
        EXPECT_THROW(results.next(), std::range_error);
        EXPECT_EQ(results.next(), std::nullopt);
        EXPECT_EQ(results.next(), std::nullopt);
    }
    EXPECT_EQ(pool.apply(twice, 1), 2);
    pool.close();
    pool.join();
}

TEST_F(Imap, what_the_increment_of_the_input_throws_costs_no_element) {
    for (const std::ptrdiff_t chunk : {1, 2, 10}) {
        std::istringstream text("1 2 3 x");
        text.exceptions(std::ios::failbit);
        auto results = pool.imap(twice, test::views::istream<int>(text), {.chunksize = chunk});
        for (const int i : {2, 4, 6}) ASSERT_EQ(results.next(), i) << chunk;
        EXPECT_THROW(results.next(), std::ios::failure);
        EXPECT_EQ(results.next(), std::nullopt);
    }
}

TEST_F(Imap, a_loop_over_an_input_that_throws_ends) {
    const auto breaks = test::views::iota(0, 3) | test::views::transform([](int i) {
                            if (i == 2) throw std::range_error("broken");
                            return i;
                        });
    auto results = pool.imap(twice, breaks);
    auto at = results.begin();
    EXPECT_EQ(*at, 0);
    EXPECT_EQ(*++at, 2);
    EXPECT_THROW(++at, std::range_error);
    EXPECT_TRUE(at == results.end());
}

// ---- closed and joined in the thread that takes results

template <class PoolType>
class JoinedImap : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
};
using both_kinds = testing::Types<procpool::Pool, procpool::ThreadPool>;
TYPED_TEST_SUITE(JoinedImap, both_kinds);

TYPED_TEST(JoinedImap, has_all_results_after_the_join) {
    std::vector<int> expected(3000);
    std::ranges::generate(expected, [i = 0]() mutable { return 2 * i++; });
    for (const std::ptrdiff_t chunk : {1, 7, 5000}) {
        TypeParam pool(2);
        auto results = pool.imap(twice, test::views::iota(0, 3000), {.chunksize = chunk});
        pool.close();
        pool.join();
        EXPECT_EQ(drain(results), expected);
        EXPECT_EQ(results.next(), std::nullopt);
    }
}

TYPED_TEST(JoinedImap, has_all_results_in_any_order) {
    TypeParam pool(2);
    const std::vector<int> input(3000, 4);
    auto results = pool.imap_unordered(twice, input);
    EXPECT_EQ(results.next(), 8);
    pool.close();
    pool.join();
    EXPECT_EQ(drain(results), std::vector<int>(2999, 8));
}

TYPED_TEST(JoinedImap, reads_a_single_pass_input_to_its_end) {
    TypeParam pool(2);
    std::string numbers;
    for (int i = 0; i < 500; ++i) numbers += std::to_string(i) + ' ';
    std::istringstream text(numbers);
    auto results = pool.imap(twice, test::views::istream<int>(text));
    pool.close();
    pool.join();
    EXPECT_EQ(drain(results).size(), 500u);
}

TYPED_TEST(JoinedImap, keeps_the_errors_of_elements_and_input) {
    TypeParam pool(2);
    const auto input = test::views::iota(0, 1000) | test::views::transform([](int i) {
                           if (i == 500) throw std::range_error("input");
                           return i;
                       });
    auto results = pool.imap(odd_is_bad, input);
    pool.close();
    pool.join();
    for (int i = 0; i < 500; ++i) {
        if (i % 2 != 0)
            EXPECT_THROW(results.next(), std::domain_error);
        else
            EXPECT_EQ(results.next(), i);
    }
    EXPECT_THROW(results.next(), std::range_error);
    EXPECT_EQ(results.next(), std::nullopt);
}

TYPED_TEST(JoinedImap, of_several_streams_one_the_input_of_another) {
    TypeParam pool(2);
    auto first = pool.imap(twice, test::views::iota(0, 1000));
    auto second = pool.imap_unordered(twice, pool.imap(twice, test::views::iota(0, 1000)));
    pool.close();
    pool.join();
    EXPECT_EQ(drain(first).size(), 1000u);
    EXPECT_EQ(drain(second).size(), 1000u);
}

TYPED_TEST(JoinedImap, is_left_to_the_thread_that_takes_its_results) {
    TypeParam pool(2);
    std::atomic<int> pulled{0};
    test::gate joins;
    std::thread::id puller;
    const auto input = test::views::iota(0) | test::views::transform([&](int i) {
                           if (i > 100 && puller != std::this_thread::get_id()) ADD_FAILURE() << i;
                           pulled = i;
                           return i;
                       });
    auto results = std::make_optional(pool.imap(twice, input));
    int taken = 0;
    std::thread consumer([&] {
        puller = std::this_thread::get_id();
        results->next();
        joins.open();
        for (int i = 1; i < 1000; ++i) taken += results->next().has_value();
        results.reset();  // of an endless input: only now can join() return
    });
    joins.pass();
    pool.close();
    pool.join();
    consumer.join();
    EXPECT_EQ(taken, 999);
}

TYPED_TEST(JoinedImap, goes_over_to_the_thread_that_begins_to_take_its_results) {
    TypeParam pool(2);
    std::atomic<int> pulled{0};
    const auto input = test::views::iota(0) | test::views::transform([&](int i) { return pulled = i; });
    auto results = std::make_optional(pool.imap(twice, input));
    std::thread consumer([&] {
        test::eventually([&] { return pulled > 5000; });  // by join()
        for (int i = 0; i < 6000; ++i) EXPECT_EQ(results->next(), 2 * i);
        results.reset();
    });
    pool.close();
    pool.join();
    consumer.join();
    EXPECT_GT(pulled, 5000);
}

TEST_F(Imap, a_pool_that_is_terminated_ends_a_stream) {
    int pulled = 0;
    auto results = pool.imap(
        [](int i) {
            if (i == 2) seen->gate.pass();
            return i;
        },
        endless(pulled));
    EXPECT_EQ(results.next(), 0);
    EXPECT_EQ(results.next(), 1);
    if (!PROCPOOL_TEST_PROCESSES) seen->gate.open();  // threads are waited for
    pool.terminate();
    const int before = pulled;
    int errors = 0;
    for (;;) {
        try {
            if (!results.next()) break;
        } catch (const mp::PoolTerminated&) {
            ASSERT_LE(++errors, 4) << "no more than the window";
        }
    }
    EXPECT_GT(errors, 0);
    EXPECT_LE(pulled, before + 4) << "the input, though endless, is not read on";
}

}  // namespace imap_test
