// SPDX-License-Identifier: MIT
// try_imap and try_imap_unordered: an outcome for each element as it comes; and the index with each result.
#include <gtest/gtest.h>
#include <unistd.h>
#include <cereal/types/memory.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/as_completed.hpp"
#include "procpool/executor.hpp"
#include "procpool/imap.hpp"
#include "procpool/parallel.hpp"
#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "support/shared.hpp"
#include "support/tested_pool.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace try_imap_test {

namespace mp = test::tested;
using namespace std::chrono_literals;

int odd_is_bad(int i) {
    if (i % 2 != 0) throw std::domain_error(std::to_string(i));
    return 10 * i;
}
int add(int a, int b) {
    if (a == 1) throw std::domain_error("one");
    return a + b;
}

struct board {
    test::gate gate;
};
test::shared<board> seen;

class TryImap : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
    mp::Pool pool{2};
};

TEST_F(TryImap, a_loop_goes_on_after_an_element_that_failed) {
    for (const std::ptrdiff_t chunk : {1, 3, 100}) {
        int n = 0;
        for (const mp::Outcome<int>& one :
             pool.try_imap(odd_is_bad, test::views::iota(0, 20), {.chunksize = chunk})) {
            ASSERT_EQ(one.has_value(), n % 2 == 0);
            if (one)
                EXPECT_EQ(*one, 10 * n);
            else
                EXPECT_EQ(one.what(), std::to_string(n));
            ++n;
        }
        EXPECT_EQ(n, 20);
    }
}

TEST_F(TryImap, next_gives_outcomes_and_nothing_at_the_end) {
    auto results = pool.try_imap(odd_is_bad, std::vector{0, 1});
    static_assert(std::ranges::input_range<decltype(results)>);
    static_assert(!std::is_copy_constructible_v<decltype(results)>);
    auto first = results.next();
    ASSERT_TRUE(first && *first);
    EXPECT_EQ(**first, 0);
    EXPECT_EQ(results.index(), 0u);
    auto second = results.next(test::patience);
    ASSERT_TRUE(second && !*second);
    EXPECT_THROW(second->value(), std::domain_error);
    EXPECT_EQ(results.index(), 1u);
    EXPECT_FALSE(results.next());
    EXPECT_FALSE(results.next(1s));
}

TEST_F(TryImap, an_outcome_of_a_void_task_tells_whether_it_returned) {
    auto results = pool.try_imap([](int i) { odd_is_bad(i); }, std::vector{0, 1});
    static_assert(std::is_same_v<decltype(results)::next_type, std::optional<mp::Outcome<void>>>);
    EXPECT_TRUE(*results.next());
    EXPECT_FALSE(*results.next());
}

TEST_F(TryImap, values_that_can_only_be_moved_are_moved_out) {
    const auto task = [](int i) { return std::make_unique<int>(i); };
    auto results = pool.try_imap(task, std::vector{3});
    EXPECT_EQ(*std::move(*results.next()).value(), 3);
}

TEST_F(TryImap, unordered_gives_each_index_once_with_its_outcome) {
    for (const std::ptrdiff_t chunk : {1, 7}) {
        std::set<std::uint64_t> indices;
        auto results = pool.try_imap_unordered(odd_is_bad, test::views::iota(0, 500), {.chunksize = chunk});
        for (auto [index, one] : results.with_index()) {
            EXPECT_TRUE(indices.insert(index).second) << index;
            ASSERT_EQ(one.has_value(), index % 2 == 0);
            if (one)
                EXPECT_EQ(*one, 10 * static_cast<int>(index));
            else
                EXPECT_EQ(one.what(), std::to_string(index));
        }
        EXPECT_EQ(indices.size(), 500u);
    }
}

TEST_F(TryImap, members_of_tuples_become_arguments) {
    const std::vector<std::pair<int, int>> pairs{{0, 5}, {1, 5}, {2, 5}};
    std::vector<std::string> all;
    for (const auto& one : pool.try_istarmap(add, pairs))
        all.push_back(one ? std::to_string(*one) : one.what());
    EXPECT_EQ(all, (std::vector<std::string>{"5", "one", "7"}));
    std::map<std::uint64_t, std::string> by_index;
    for (auto [index, one] : pool.try_istarmap_unordered(add, pairs).with_index())
        by_index[index] = one ? std::to_string(*one) : one.what();
    EXPECT_EQ(by_index, (std::map<std::uint64_t, std::string>{{0, "5"}, {1, "one"}, {2, "7"}}));
}

TEST_F(TryImap, what_the_input_throws_is_thrown_after_the_outcomes_before_it) {
    const auto breaks = test::views::iota(0, 10) | test::views::transform([](int i) {
                            if (i == 3) throw std::range_error("broken");
                            return i;
                        });
    auto results = pool.try_imap(odd_is_bad, breaks);
    for (int i = 0; i < 3; ++i) ASSERT_EQ(results.next()->has_value(), i % 2 == 0);
    EXPECT_THROW(results.next(), std::range_error);
    EXPECT_FALSE(results.next());
}

TEST_F(TryImap, an_outcome_that_is_late_is_not_lost) {
    auto results = pool.try_imap(
        [](int i) {
            seen->gate.pass();
            return i;
        },
        std::vector{7});
    EXPECT_THROW(results.next(1ms), mp::TimeoutError);
    seen->gate.open();
    EXPECT_EQ(**results.next(test::patience), 7);
}

TEST_F(TryImap, is_left_half_way_and_the_pool_goes_on) {
    for (const auto& one : pool.try_imap(odd_is_bad, test::views::iota(0)))
        if (!one) break;
    EXPECT_EQ(pool.apply(odd_is_bad, 4), 40);
}

TEST_F(TryImap, a_terminated_pool_gives_each_missing_element_its_index_once) {
    auto results = pool.try_imap_unordered(
        [](int i) {
            if (i % 2 == 0) seen->gate.pass();
            return i;
        },
        test::views::iota(0, 1000), {.buffersize = 20});
    std::set<std::uint64_t> indices;
    auto first = results.next();
    ASSERT_TRUE(first && *first);
    EXPECT_EQ(static_cast<std::uint64_t>(**first), results.index());
    indices.insert(results.index());
    if (!PROCPOOL_TEST_PROCESSES) seen->gate.open();  // threads are waited for
    pool.terminate();
    while (const auto next = results.next()) {
        if (!*next) {
            EXPECT_THROW(next->value(), mp::PoolTerminated);
        }
        EXPECT_TRUE(indices.insert(results.index()).second) << results.index();
    }
    EXPECT_LE(indices.size(), 40u) << "no more than was pulled";
    EXPECT_EQ(*indices.rbegin(), indices.size() - 1) << "without gaps";
}

#if PROCPOOL_TEST_PROCESSES
TEST_F(TryImap, a_worker_that_dies_costs_the_outcome_of_its_element) {
    const auto some_die = [](int i) {
        if (i % 10 == 3) ::_exit(1);
        return i;
    };
    int dead = 0;
    std::set<std::uint64_t> indices;
    for (auto [index, one] : pool.try_imap_unordered(some_die, test::views::iota(0, 50)).with_index()) {
        EXPECT_TRUE(indices.insert(index).second);
        if (one) {
            EXPECT_EQ(static_cast<std::uint64_t>(*one), index);
            continue;
        }
        ++dead;
        try {
            one.value();
            ADD_FAILURE();
        } catch (const mp::WorkerDied& error) {
            EXPECT_EQ(error.index(), index);
            EXPECT_EQ(one.what(), error.what());
        }
    }
    EXPECT_EQ(dead, 5);
    EXPECT_EQ(indices.size(), 50u);
}
#endif

// ---- the index of results that come without outcomes

TEST_F(TryImap, imap_has_the_index_with_each_result_too) {
    std::map<std::uint64_t, int> all;
    for (auto [index, value] : pool.imap_unordered(odd_is_bad, std::vector{0, 2, 4}).with_index())
        all[index] = value;
    EXPECT_EQ(all, (std::map<std::uint64_t, int>{{0, 0}, {1, 20}, {2, 40}}));
    auto results = pool.imap(odd_is_bad, std::vector{0, 1, 2});
    EXPECT_EQ(results.next(), 0);
    EXPECT_THROW(results.next(), std::domain_error);
    EXPECT_EQ(results.index(), 1u) << "also of one that was thrown";
    static_assert(std::ranges::input_range<decltype(results.with_index())>);
}

TEST_F(TryImap, a_generator_of_parallel_has_the_index) {
    std::map<std::uint64_t, int> all;
    mp::Parallel parallel(2, mp::return_as::generator_unordered);
    const std::vector<int> input{0, 2, 4};
    for (auto [index, value] : parallel(input | mp::delayed(odd_is_bad)).with_index()) all[index] = value;
    EXPECT_EQ(all, (std::map<std::uint64_t, int>{{0, 0}, {1, 20}, {2, 40}}));
}

TEST(AsCompletedIndex, is_the_position_in_the_range) {
    procpool::ThreadPoolExecutor executor(2);
    test::gate gate;
    const auto late = executor.submit([&gate] {
        gate.pass();
        return 1;
    });
    const auto early = executor.submit([] { return 2; });
    const std::vector futures{late, early};
    auto done = procpool::as_completed(futures);
    auto at = done.begin();
    EXPECT_EQ(done.index(), 1u);
    EXPECT_EQ(at->result(), 2);
    gate.open();
    ++at;
    EXPECT_EQ(done.index(), 0u);
    EXPECT_EQ(at->result(), 1);
}

TEST(AsCompletedIndex, counts_what_was_given_twice) {
    procpool::ThreadPoolExecutor executor(1);
    const auto a = executor.submit([] { return 1; });
    const auto b = executor.submit([] { return 2; });
    std::map<std::uint64_t, int> all;
    for (auto [index, future] : procpool::as_completed(std::vector{a, a, a, b}).with_index())
        all[index] = future.result();
    EXPECT_EQ(all, (std::map<std::uint64_t, int>{{0, 1}, {3, 2}}));
}

}  // namespace try_imap_test
