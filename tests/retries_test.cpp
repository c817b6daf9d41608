// SPDX-License-Identifier: MIT
// MapOptions::retries and TaskOptions::retries: an element whose worker died gets another try.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "procpool/pool.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"

namespace retries_test {

namespace mp = procpool;

using counters = std::array<std::atomic<int>, 200>;
test::shared<counters> attempts;  // at each element, in memory shared by all processes

int count(int element) { return attempts->at(static_cast<std::size_t>(element)).fetch_add(1); }

class Retries : public testing::Test {
protected:
    Retries() { attempts.reset(); }
    static int times(int element) { return attempts->at(static_cast<std::size_t>(element)).load(); }
};

/// Elements of which 10 is a divisor kill their worker at the first `deaths` attempts.
int survive_after(int deaths, int element) {
    if (count(element) < deaths && element % 10 == 0) ::kill(::getpid(), SIGKILL);
    return 3 * element;
}
int survive_second(int element) { return survive_after(1, element); }
int survive_never(int element) { return survive_after(1000, element); }

std::string text_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const mp::WorkerDied& death) {
        return death.what();
    }
}

TEST_F(Retries, make_up_for_a_death_and_run_nothing_else_twice) {
    mp::Pool pool(2);
    for (const std::ptrdiff_t chunk : {1, 3, 100}) {
        attempts.reset();
        const auto results =
            pool.map(survive_second, test::views::iota(0, 100), {.chunksize = chunk, .retries = 1});
        for (int i = 0; i < 100; ++i) {
            EXPECT_EQ(results[static_cast<std::size_t>(i)], 3 * i);
            EXPECT_EQ(times(i), i % 10 == 0 ? 2 : 1) << "element " << i;
        }
    }
}

TEST_F(Retries, give_up_after_their_number_and_tell_the_attempts) {
    mp::Pool pool(2);
    const auto outcomes =
        pool.try_map(survive_never, test::views::iota(0, 50), {.chunksize = 7, .retries = 2});
    for (int i = 0; i < 50; ++i) {
        const auto& outcome = outcomes[static_cast<std::size_t>(i)];
        EXPECT_EQ(times(i), i % 10 == 0 ? 3 : 1) << "element " << i;
        EXPECT_EQ(outcome.has_value(), i % 10 != 0);
        if (outcome.error()) {
            EXPECT_NE(text_of(outcome.error()).find("3 attempts"), std::string::npos)
                << text_of(outcome.error());
        }
    }
}

TEST_F(Retries, are_none_by_default) {
    mp::Pool pool(2);
    EXPECT_THROW(pool.map(survive_second, test::views::iota(0, 11)), mp::WorkerDied);
    EXPECT_THROW(pool.apply(survive_second, 20), mp::WorkerDied);
    EXPECT_EQ(times(0), 1);
    EXPECT_EQ(times(10), 1);
    EXPECT_EQ(times(20), 1);
}

TEST_F(Retries, work_for_a_single_call_too) {
    mp::Pool pool(2);
    EXPECT_EQ(pool.apply(mp::TaskOptions{.retries = 1}, survive_second, 10), 30);
    EXPECT_EQ(pool.apply_async(mp::TaskOptions{.retries = 3}, survive_second, 20).get(), 60);
    EXPECT_THROW(pool.apply(mp::TaskOptions{.retries = 4}, survive_never, 30), mp::WorkerDied);
    EXPECT_EQ(times(10), 2);
    EXPECT_EQ(times(20), 2);
    EXPECT_EQ(times(30), 5);
}

TEST_F(Retries, work_for_imap) {
    mp::Pool pool(2);
    int next = 0;
    for (const int result :
         pool.imap(survive_second, test::views::iota(0, 40), {.chunksize = 4, .retries = 1}))
        EXPECT_EQ(result, 3 * next++);
    EXPECT_EQ(next, 40);
    auto unordered = pool.imap_unordered(survive_never, test::views::iota(41, 51), {.retries = 1});
    int values = 0, deaths = 0;
    for (int i = 0; i < 10; ++i) {
        try {
            values += unordered.next().has_value();
        } catch (const mp::WorkerDied&) {
            ++deaths;
        }
    }
    EXPECT_EQ(values, 9);
    EXPECT_EQ(deaths, 1);
    EXPECT_EQ(times(50), 2);
}

TEST_F(Retries, are_not_for_exceptions) {
    mp::Pool pool(2);
    const auto task = [](int i) -> int {
        count(i);
        throw std::runtime_error("no");
    };
    EXPECT_THROW(pool.map(task, test::views::iota(0, 3), {.retries = 5}), std::runtime_error);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(times(i), 1);
}

TEST_F(Retries, below_zero_are_refused) {
    mp::Pool pool(1);
    EXPECT_THROW(pool.map(survive_second, test::views::iota(0, 3), {.retries = -1}), std::invalid_argument);
    EXPECT_THROW(pool.apply(mp::TaskOptions{.retries = -1}, survive_second, 1), std::invalid_argument);
    EXPECT_EQ(pool.apply(survive_second, 1), 3);
}

}  // namespace retries_test
