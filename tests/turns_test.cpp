// SPDX-License-Identifier: MIT
// Whose turn it is: priorities, and that nobody waits for ever.
#include "procpool/detail/job/turns.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <deque>
#include <map>
#include <memory>

namespace turns_test {

using procpool::detail::job::turns;

struct waiting {
    int priority = 0;
};

/// Always has something for each of these; @return how many turns each got
std::map<int, int> share_out(const std::deque<int>& priorities, int rounds) {
    turns whose;
    std::deque<std::unique_ptr<waiting>> queue;
    for (const int one : priorities) {
        queue.push_back(std::make_unique<waiting>(waiting{one}));
        whose.add(*queue.back());
    }
    std::map<int, int> got;
    for (int i = 0; i < rounds; ++i) {
        const std::size_t next = whose.next(queue);
        auto job = std::move(queue[next]);
        queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(next));
        ++got[job->priority];
        whose.take();
        queue.push_back(std::move(job));
    }
    return got;
}

TEST(Turns, without_priorities_all_take_turns) {
    turns whose;
    std::deque<std::unique_ptr<waiting>> queue;
    for (int i = 0; i < 3; ++i) queue.push_back(std::make_unique<waiting>());
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(whose.next(queue), 0u);
        whose.take();
    }
}

TEST(Turns, the_highest_priority_comes_first_and_the_others_every_eighth_time) {
    const auto got = share_out({0, 5}, 800);
    EXPECT_EQ(got.at(5), 700);
    EXPECT_EQ(got.at(0), 100);
}

TEST(Turns, all_that_wait_come_in_time) {
    auto got = share_out({-3, 0, 0, 0, 1, 2, 7}, 8 * 7 * 100);
    for (const int one : {-3, 0, 1, 2, 7}) EXPECT_GE(got[one], 50) << one;
    EXPECT_GT(got[7], 4000);
}

TEST(Turns, a_turn_that_gave_nothing_is_not_taken) {
    turns whose;
    std::deque<std::unique_ptr<waiting>> queue;
    queue.push_back(std::make_unique<waiting>(waiting{0}));
    queue.push_back(std::make_unique<waiting>(waiting{1}));
    for (const auto& one : queue) whose.add(*one);
    for (int i = 0; i < 7; ++i) {
        EXPECT_EQ(whose.next(queue), 1u);
        whose.take();
    }
    for (int i = 0; i < 10; ++i)
        EXPECT_EQ(whose.next(queue), 0u) << "until the one that waits has got something";
    whose.take();
    EXPECT_EQ(whose.next(queue), 1u);
}

}  // namespace turns_test
