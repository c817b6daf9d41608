// SPDX-License-Identifier: MIT
// partial(): functions with arguments bound, here and on their way to workers.
#include "procpool/partial.hpp"

#include <gtest/gtest.h>
#include <unistd.h>
#include <cereal/types/memory.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/pool.hpp"
#include "support/shared.hpp"
#include "support/tested_pool.hpp"
#include "support/views.hpp"

namespace partial_test {

namespace mp = test::tested;

int minus(int a, int b) { return a - b; }
std::string join(const std::string& a, const std::string& b, int c) { return a + b + std::to_string(c); }

/// Counts, over all processes, how often it is serialised and rebuilt.
struct board {
    std::atomic<int> saved{0};
    std::atomic<int> loaded{0};
};
test::shared<board> seen;

struct Counted {
    int number = 0;
    template <class Archive>
    void save(Archive& archive) const {
        ++seen->saved;
        archive(number);
    }
    template <class Archive>
    void load(Archive& archive) {
        ++seen->loaded;
        archive(number);
    }
};

/// A functor that owns something.
struct Greeter {
    std::string greeting;
    std::string operator()(const std::string& name) const { return greeting + " " + name; }
    template <class Archive>
    void serialize(Archive& archive) {
        archive(greeting);
    }
};

struct Unsendable {
    bool bad = true;
    template <class Archive>
    void save(Archive& archive) const {
        if (bad) throw std::domain_error("stuck");
        archive(bad);
    }
    template <class Archive>
    void load(Archive& archive) {
        archive(bad);
    }
};

struct Account {
    int balance = 0;
    int after(int deposit) const { return balance + deposit; }
    template <class Archive>
    void serialize(Archive& archive) {
        archive(balance);
    }
};

class Partial : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
};

// ---- in this process

TEST_F(Partial, puts_its_arguments_before_the_others) {
    EXPECT_EQ(mp::partial(minus, 10)(3), 7);
    EXPECT_EQ(mp::partial(minus, 10, 3)(), 7);
    EXPECT_EQ(mp::partial(minus)(10, 3), 7);
    EXPECT_EQ(mp::partial(join, "a", "b")(1), "ab1");
    EXPECT_EQ(mp::partial(&Account::after, Account{5})(2), 7);
    EXPECT_EQ(mp::partial(std::minus<>(), 10)(3), 7);
}

TEST_F(Partial, owns_what_it_binds) {
    std::string text = "before";
    std::vector<int> numbers{1, 2, 3};
    const auto bound = mp::partial([](const std::string& a, const std::vector<int>& b,
                                      std::size_t i) { return a + std::to_string(b[i]); },
                                   text, std::span<const int>(numbers));
    text = "after";
    numbers.assign(3, 0);
    EXPECT_EQ(bound(2), "before3");
    const std::string_view view = text;
    const auto of_view = mp::partial([](const auto& kept) { return kept.size(); }, view.substr(0, 2));
    text = "gone";
    EXPECT_EQ(of_view(), 2u);
}

TEST_F(Partial, takes_over_what_can_only_be_moved) {
    auto bound = mp::partial([](const std::unique_ptr<int>& kept, int i) { return *kept + i; },
                             std::make_unique<int>(40));
    EXPECT_EQ(bound(2), 42);
    const auto moved = std::move(bound);
    EXPECT_EQ(moved(3), 43) << "each call gets a const reference to it";
}

TEST_F(Partial, can_be_bound_again) { EXPECT_EQ(mp::partial(mp::partial(join, "a"), "b")(1), "ab1"); }

TEST_F(Partial, can_be_called_only_with_what_is_missing) {
    using bound = decltype(mp::partial(minus, 1));
    static_assert(std::is_invocable_r_v<int, const bound&, int>);
    static_assert(!std::is_invocable_v<const bound&>);
    static_assert(!std::is_invocable_v<const bound&, int, int>);
    static_assert(!std::is_invocable_v<const bound&, std::string>);
}

// ---- in workers

TEST_F(Partial, works_in_all_calls_of_a_pool) {
    mp::Pool pool(2);
    const auto bound = mp::partial(join, std::string("a"), "b");
    EXPECT_EQ(pool.apply(bound, 1), "ab1");
    EXPECT_EQ(pool.map(bound, test::views::iota(1, 3)), (std::vector<std::string>{"ab1", "ab2"}));
    const std::vector<std::pair<std::string, int>> pairs{{"x", 1}, {"y", 2}};
    EXPECT_EQ(pool.starmap(mp::partial(join, "<"), pairs), (std::vector<std::string>{"<x1", "<y2"}));
    EXPECT_EQ(pool.apply_async(bound, 3).get(), "ab3");
    EXPECT_EQ(pool.imap(bound, test::views::iota(4, 5)).next(), "ab4");
    EXPECT_EQ(pool.try_map(bound, test::views::iota(5, 6)).at(0).value(), "ab5");
}

TEST_F(Partial, carries_any_callable_that_a_pool_takes) {
    mp::Pool pool(1);
    EXPECT_EQ(pool.apply(mp::partial(Greeter{"hello"}, "you")), "hello you");
    EXPECT_EQ(pool.apply(mp::partial(&Account::after, Account{5}), 2), 7);
    EXPECT_EQ(pool.apply(mp::partial(std::minus<>(), 10), 3), 7);
    EXPECT_EQ(pool.apply(mp::partial([factor = 3](int a, int b) { return factor * a + b; }, 10), 1), 31);
    EXPECT_EQ(pool.apply(mp::partial(mp::partial(join, "a"), "b"), 1), "ab1");
    EXPECT_EQ(pool.apply(mp::partial([](int (*f)(int, int), int a) { return f(a, 1); }, &minus), 5), 4);
}

TEST_F(Partial, carries_what_can_only_be_moved) {
    mp::Pool pool(2);
    const auto bound = mp::partial([](const std::unique_ptr<int>& kept, int i) { return *kept + i; },
                                   std::make_unique<int>(40));
    EXPECT_EQ(pool.map(bound, test::views::iota(0, 3)), (std::vector{40, 41, 42}));
}

#if PROCPOOL_TEST_PROCESSES
TEST_F(Partial, sends_what_it_binds_once_a_call_not_once_an_element) {
    mp::Pool pool(2);
    const auto bound = mp::partial([](const Counted& kept, int i) { return kept.number + i; }, Counted{100});
    const std::vector<int> results = pool.map(bound, test::views::iota(0, 1000), {.chunksize = 1});
    EXPECT_EQ(results[999], 1099);
    EXPECT_EQ(seen->saved, 1);
    EXPECT_GE(seen->loaded, 1);
    EXPECT_LE(seen->loaded, 2) << "once in each worker";
    pool.map(bound, test::views::iota(0, 10));
    EXPECT_EQ(seen->saved, 2) << "a new call, a new copy";
}
#endif

TEST_F(Partial, that_binds_megabytes_reaches_every_worker) {
    mp::Pool pool(2);
    const std::string text(5 << 20, 'x');
    const auto at = mp::partial([](const std::string& all, std::size_t i) { return all.at(i); }, text);
    const auto letters = pool.map(at, test::views::iota(std::size_t{0}, std::size_t{100}), {.chunksize = 1});
    EXPECT_EQ(letters, std::vector(100, 'x'));
}

#if PROCPOOL_TEST_PROCESSES
TEST_F(Partial, reaches_replaced_workers_too) {
    mp::Pool pool({.processes = 2, .maxtasksperchild = 1});
    EXPECT_EQ(pool.map(mp::partial(minus, 10), test::views::iota(0, 5), {.chunksize = 1}),
              (std::vector{10, 9, 8, 7, 6}));
}

TEST_F(Partial, that_binds_a_pointer_in_disguise_is_refused_by_name) {
    struct Node {
        const int* next;
    };
    mp::Pool pool(1);
    const int local = 1;
    const auto bound =
        mp::partial([](const Node& node, int i) { return node.next == nullptr ? i : 0; }, Node{&local});
    try {
        pool.apply(bound, 1);
        FAIL();
    } catch (const mp::SerializationError& error) {
        EXPECT_NE(std::string(error.what()).find("Node"), std::string::npos) << error.what();
        EXPECT_NE(std::string(error.what()).find("stack"), std::string::npos) << error.what();
    }
    EXPECT_EQ(
        pool.apply(mp::partial([](const Node& node, int i) { return node.next == nullptr ? i : 0; }, Node{}),
                   7),
        7);
}

TEST_F(Partial, that_binds_what_cannot_be_serialised_is_an_error_of_the_call) {
    mp::Pool pool(1);
    const auto bound = mp::partial([](const Unsendable&, int i) { return i; }, Unsendable{});
    const auto is_told = [&](auto call) {
        try {
            call();
            ADD_FAILURE();
        } catch (const mp::SerializationError& error) {
            EXPECT_NE(std::string(error.what()).find("stuck"), std::string::npos) << error.what();
        }
    };
    is_told([&] { pool.apply(bound, 1); });
    is_told([&] { pool.map(bound, test::views::iota(0, 3)); });
    is_told([&] { (void)pool.imap(bound, test::views::iota(0, 3)); });
    is_told([&] { mp::Pool other(1, mp::partial([](const Unsendable&) {}, Unsendable{})); });
    EXPECT_EQ(pool.apply(minus, 3, 2), 1);
    pool.close();
    pool.join();
}
#endif

}  // namespace partial_test
