// SPDX-License-Identifier: MIT
// placeholder: partial() leaves a place for the call's own arguments.
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "support/tested_pool.hpp"

namespace placeholder_test {

namespace mp = test::tested;
using mp::placeholder;

int minus(int a, int b) { return a - b; }
std::string join(const std::string& a, const std::string& b, int c) { return a + b + std::to_string(c); }
std::size_t length(int, const std::vector<int>& numbers, std::string_view text, int) {
    return numbers.size() + text.size();
}

TEST(Placeholder, is_filled_by_the_first_arguments_of_the_call) {
    EXPECT_EQ(mp::partial(minus, placeholder, 1)(5), 4);
    EXPECT_EQ(mp::partial(length, placeholder, placeholder, std::string("abc"), 1)(0, std::vector{1, 2}), 5u);
}

TEST(Placeholder, others_follow_what_is_bound) {
    const auto bound = mp::partial(join, placeholder, std::string("b"));
    EXPECT_EQ(bound(std::string("a"), 3), "ab3");
    EXPECT_EQ(mp::partial(join, placeholder, placeholder, 7)(std::string("x"), std::string("y")), "xy7");
}

TEST(Placeholder, passes_arguments_as_they_are) {
    const auto take =
        mp::partial([](std::unique_ptr<int> p, int n, int& out) { out = *p + n; }, placeholder, 2);
    int result = 0;
    take(std::make_unique<int>(40), result);
    EXPECT_EQ(result, 42);
}

TEST(Placeholder, is_part_of_the_type) {
    using partial = decltype(mp::partial(minus, placeholder, 1));
    static_assert(std::is_invocable_v<const partial&, int>);
    static_assert(!std::is_invocable_v<const partial&>, "there is nothing for the placeholder");
    static_assert(!std::is_invocable_v<const partial&, int, int>);
    static_assert(!std::is_invocable_v<const partial&, std::string>);
}

TEST(Placeholder, travels_to_workers) {
    mp::Pool pool(2);
    EXPECT_EQ(pool.map(mp::partial(minus, placeholder, 1), std::vector{1, 2, 3}), (std::vector{0, 1, 2}));
    EXPECT_EQ(pool.starmap(mp::partial(join, placeholder, std::string("-")),
                           std::vector<std::pair<std::string, int>>{{"a", 1}, {"b", 2}}),
              (std::vector<std::string>{"a-1", "b-2"}));
    // What the function takes as a view is known through the placeholders.
    const std::vector<std::string> texts{"ab", "cde"};
    EXPECT_EQ(pool.map(mp::partial([](int a, std::string_view text, int b) { return a + b + text.size(); }, 1,
                                   placeholder, 2),
                       texts),
              (std::vector<std::size_t>{5, 6}));
}

#if PROCPOOL_TEST_PROCESSES
TEST(Placeholder, a_death_tells_of_the_calls_own_arguments) {
    mp::Pool pool(1);
    try {
        pool.apply(mp::partial(
                       [](int signal, int times) {
                           std::raise(signal);
                           return times;
                       },
                       placeholder, 1),
                   SIGKILL);
        ADD_FAILURE();
    } catch (const mp::WorkerDied& error) {
        EXPECT_EQ(error.signal(), SIGKILL);
        EXPECT_NE(std::string(error.what()).find("f(9)"), std::string::npos) << error.what();
    }
}
#endif

}  // namespace placeholder_test
