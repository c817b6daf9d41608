// SPDX-License-Identifier: MIT
// SetProxy: a set in a manager's process.
#include "procpool/managed_set.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "procpool/manager.hpp"
#include "procpool/pool.hpp"
#include "support/views.hpp"

namespace managed_set_test {

namespace mp = procpool;

TEST(ManagedSet, has_the_calls_of_pythons_set) {
    mp::Manager manager;
    const auto some = manager.set<int>({3, 1});
    EXPECT_EQ(some.to_set(), (std::set{1, 3}));
    EXPECT_TRUE(some.add(2));
    EXPECT_FALSE(some.add(2));
    EXPECT_EQ(some.size(), 3u);
    EXPECT_TRUE(some.contains(2));
    EXPECT_FALSE(some.contains(4));
    EXPECT_TRUE(some.discard(2));
    EXPECT_FALSE(some.discard(2));
    EXPECT_THROW(some.remove(2), std::out_of_range);
    some.remove(3);
    EXPECT_EQ(some.pop(), 1);
    EXPECT_TRUE(some.empty());
    EXPECT_THROW(some.pop(), std::out_of_range);
    some.update({5, 6});
    some.clear();
    EXPECT_TRUE(some.empty());
}

TEST(ManagedSet, is_compared_and_combined_with_sets) {
    mp::Manager manager;
    const auto some = manager.set<int>({1, 2, 3, 4});
    EXPECT_TRUE(some.issubset({0, 1, 2, 3, 4}));
    EXPECT_FALSE(some.issubset({1, 2, 3}));
    EXPECT_TRUE(some.issuperset({2, 4}));
    EXPECT_FALSE(some.issuperset({2, 5}));
    EXPECT_TRUE(some.isdisjoint({5, 6}));
    EXPECT_FALSE(some.isdisjoint({4, 5}));
    some.intersection_update({2, 3, 4, 9});
    EXPECT_EQ(some.to_set(), (std::set{2, 3, 4}));
    some.difference_update({3, 7});
    EXPECT_EQ(some.to_set(), (std::set{2, 4}));
    some.symmetric_difference_update({4, 5});
    EXPECT_EQ(some.to_set(), (std::set{2, 5}));
    std::vector<int> seen;
    for (const int one : some) seen.push_back(one);
    EXPECT_EQ(seen, (std::vector{2, 5}));
}

TEST(ManagedSet, of_strings_is_shared_by_tasks_and_each_element_is_new_once) {
    mp::Manager manager;
    const auto seen = manager.set<std::string>();
    mp::Pool pool(2);
    const auto is_new = pool.map(mp::partial([](const mp::SetProxy<std::string>& all,
                                                int i) { return all.add(std::to_string(i % 10)); },
                                             seen),
                                 test::views::iota(0, 100));
    EXPECT_EQ(std::count(is_new.begin(), is_new.end(), true), 10);
    EXPECT_EQ(seen.size(), 10u);
}

TEST(ManagedSet, outlives_a_process_that_dies_while_it_uses_it) {
    mp::Manager manager;
    const auto all = manager.set<int>();
    mp::Pool pool(1);
    EXPECT_THROW(pool.apply(
                     [](const mp::SetProxy<int>& some) {
                         some.add(1);
                         std::raise(SIGKILL);
                     },
                     all),
                 mp::WorkerDied);
    EXPECT_EQ(all.to_set(), std::set{1});
}

TEST(ManagedSet, is_an_error_when_its_manager_has_ended) {
    mp::SetProxy<int> left;
    EXPECT_THROW(left.add(1), mp::Error);
    {
        mp::Manager manager;
        left = manager.set<int>({1});
    }
    EXPECT_THROW(left.contains(1), mp::ManagerDied);
}

}  // namespace managed_set_test
