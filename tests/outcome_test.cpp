// SPDX-License-Identifier: MIT
#include "procpool/outcome.hpp"

#include <gtest/gtest.h>
#include <cereal/types/memory.hpp>

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/error.hpp"

namespace outcome_test {

using procpool::Outcome;

std::exception_ptr problem() { return std::make_exception_ptr(std::domain_error("problem")); }

struct NoDefault {
    explicit NoDefault(int i) : number(i) {}
    int number;
};

static_assert(std::is_nothrow_move_constructible_v<Outcome<std::string>>);
static_assert(std::is_copy_constructible_v<Outcome<std::string>>);
static_assert(!std::is_copy_constructible_v<Outcome<std::unique_ptr<int>>>);
static_assert(std::is_default_constructible_v<Outcome<NoDefault>>);
static_assert(!std::is_convertible_v<Outcome<int>, bool>);

TEST(Outcome, holds_a_value) {
    Outcome<std::string> one(std::string("value"));
    EXPECT_TRUE(one.has_value());
    EXPECT_TRUE(static_cast<bool>(one));
    EXPECT_EQ(*one, "value");
    EXPECT_EQ(one.value(), "value");
    EXPECT_EQ(one->size(), 5u);
    EXPECT_EQ(one.error(), nullptr);
    *one += "!";
    one.value() += "?";
    EXPECT_EQ(std::as_const(one).value(), "value!?");
    EXPECT_EQ(*std::as_const(one), "value!?");
    EXPECT_EQ(std::as_const(one)->back(), '?');
}

TEST(Outcome, or_an_error) {
    Outcome<int> one(problem());
    EXPECT_FALSE(one.has_value());
    EXPECT_FALSE(static_cast<bool>(one));
    EXPECT_NE(one.error(), nullptr);
    EXPECT_THROW(one.value(), std::domain_error);
    EXPECT_THROW(std::as_const(one).value(), std::domain_error);
    EXPECT_THROW(std::move(one).value(), std::domain_error);
    EXPECT_THROW(std::rethrow_exception(one.error()), std::domain_error) << "and keeps it";
}

TEST(Outcome, gives_its_value_away) {
    Outcome<std::unique_ptr<int>> one(std::make_unique<int>(3));
    const std::unique_ptr<int> taken = std::move(one).value();
    EXPECT_EQ(*taken, 3);
    Outcome<std::unique_ptr<int>> other(std::make_unique<int>(4));
    const std::unique_ptr<int> moved = *std::move(other);
    EXPECT_EQ(*moved, 4);
    Outcome<std::unique_ptr<int>> third(std::make_unique<int>(5));
    EXPECT_EQ(*std::move(third).value_or(nullptr), 5);
    EXPECT_EQ(Outcome<std::unique_ptr<int>>(problem()).value_or(nullptr), nullptr);
}

TEST(Outcome, has_a_substitute_for_errors) {
    const Outcome<int> good(3);
    const Outcome<int> bad(problem());
    EXPECT_EQ(good.value_or(7), 3);
    EXPECT_EQ(bad.value_or(7), 7);
    EXPECT_EQ(Outcome<std::string>(problem()).value_or("none"), "none");
}

TEST(Outcome, needs_no_default_constructor) {
    std::vector<Outcome<NoDefault>> some(2);
    some[1] = NoDefault(5);
    EXPECT_EQ(some[1]->number, 5);
    some[1] = problem();
    EXPECT_FALSE(some[1].has_value());
}

TEST(Outcome, of_bool_tells_having_one_from_its_truth) {
    const Outcome<bool> no(false);
    EXPECT_TRUE(no.has_value());
    EXPECT_FALSE(no.value());
    EXPECT_FALSE(*no);
}

TEST(Outcome, of_void_is_success_or_an_error) {
    const Outcome<void> good(std::in_place);
    EXPECT_TRUE(good.has_value());
    EXPECT_TRUE(static_cast<bool>(good));
    EXPECT_NO_THROW(good.value());
    EXPECT_EQ(good.error(), nullptr);
    *good;
    const Outcome<void> bad(problem());
    EXPECT_FALSE(bad.has_value());
    EXPECT_THROW(bad.value(), std::domain_error);
    EXPECT_NE(bad.error(), nullptr);
}

TEST(Outcome, without_value_or_error_says_so) {
    Outcome<int> none;
    EXPECT_FALSE(none.has_value());
    EXPECT_EQ(none.error(), nullptr);
    EXPECT_THROW(none.value(), procpool::Error);
    EXPECT_THROW(Outcome<void>().value(), procpool::Error);
}

}  // namespace outcome_test
