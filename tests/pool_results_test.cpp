// SPDX-License-Identifier: MIT
// What tasks may return.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cereal/types/map.hpp>
#include <cereal/types/memory.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/variant.hpp>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "procpool/pool.hpp"
#include "support/tested_pool.hpp"
#include "support/views.hpp"

namespace pool_results_test {

namespace mp = test::tested;

/// Trivially copyable, and always has a value.
class Meters {
public:
    explicit Meters(double value) : value_(value) {}
    double value() const { return value_; }

private:
    double value_;
};
static_assert(!std::is_default_constructible_v<Meters> && std::is_trivially_copyable_v<Meters>);

/// Not default-constructible, rebuilt through load_and_construct.
class Name {
public:
    explicit Name(std::string text) : text_(std::move(text)) {}
    const std::string& text() const { return text_; }

    template <class Archive>
    void serialize(Archive& archive) {
        archive(text_);
    }
    template <class Archive>
    static void load_and_construct(Archive& archive, cereal::construct<Name>& construct) {
        std::string text;
        archive(text);
        construct(text);
    }

private:
    std::string text_;
};
static_assert(!std::is_default_constructible_v<Name>);

/// Can only be moved.
struct Boxed {
    std::unique_ptr<int> content;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(content);
    }
};
Boxed box(int i) { return {std::make_unique<int>(i)}; }

struct Twins {
    std::shared_ptr<int> first;
    std::shared_ptr<int> second;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(first, second);
    }
};

/// Can be serialised, but not where `bad`.
struct Unsendable {
    bool bad = false;
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

/// Can be serialised but, where `bad`, not rebuilt.
struct Unloadable {
    bool bad = false;
    template <class Archive>
    void save(Archive& archive) const {
        archive(bad);
    }
    template <class Archive>
    void load(Archive& archive) {
        archive(bad);
        if (bad) throw std::domain_error("broken on arrival");
    }
};

class PoolResults : public testing::Test {
protected:
    mp::Pool pool{2};
};

TEST_F(PoolResults, void_tasks) {
    static_assert(std::is_void_v<decltype(pool.map([](int) {}, std::vector<int>{}))>);
    pool.map([](int) {}, test::views::iota(0, 1000));
    pool.starmap([](int, int) {}, std::vector<std::pair<int, int>>{{1, 2}});
    pool.map_async([](int) {}, test::views::iota(0, 10)).get();
    EXPECT_THROW(pool.map(
                     [](int i) {
                         if (i == 5) throw std::domain_error("five");
                     },
                     test::views::iota(0, 10)),
                 std::domain_error);
}

TEST_F(PoolResults, bools) {
    const auto is_even = [](int i) { return i % 2 == 0; };
    const std::vector<bool> even = pool.map(is_even, test::views::iota(0, 1000));
    ASSERT_EQ(even.size(), 1000u);
    for (std::size_t i = 0; i < even.size(); ++i) ASSERT_EQ(even[i], i % 2 == 0);
    EXPECT_TRUE(pool.apply(is_even, 2));
    EXPECT_FALSE(pool.apply(is_even, 3));
    EXPECT_EQ(pool.map_async(is_even, test::views::iota(0, 2)).get(), (std::vector<bool>{true, false}));
    EXPECT_FALSE(pool.try_map(is_even, test::views::iota(1, 2)).at(0).value());
}

TEST_F(PoolResults, plain_data_without_a_default_constructor) {
    const auto half = [](double x) { return Meters(x / 2); };
    const std::vector<Meters> results = pool.map(half, std::vector<double>{1, 2, 3});
    ASSERT_EQ(results.size(), 3u);
    EXPECT_EQ(results[2].value(), 1.5);
    EXPECT_EQ(pool.apply(half, 5.0).value(), 2.5);
    EXPECT_EQ(pool.map_async(half, std::vector<double>{7}).get().at(0).value(), 3.5);
    EXPECT_EQ(pool.try_map(half, std::vector<double>{9}).at(0)->value(), 4.5);
    auto stream = pool.imap(half, std::vector<double>{11});
    EXPECT_EQ(stream.next()->value(), 5.5);
    EXPECT_EQ(pool.map([](Meters m) { return m.value(); }, results), (std::vector{0.5, 1.0, 1.5}));
}

TEST_F(PoolResults, classes_that_cereal_loads_and_constructs) {
    const auto name = [](int i) { return Name("number " + std::to_string(i)); };
    const std::vector<Name> names = pool.map(name, test::views::iota(0, 3));
    ASSERT_EQ(names.size(), 3u);
    EXPECT_EQ(names[2].text(), "number 2");
    EXPECT_EQ(pool.apply(name, 7).text(), "number 7");
    EXPECT_EQ(pool.map([](const Name& one) { return one.text(); }, names).at(1), "number 1");
    EXPECT_EQ(pool.try_map(name, test::views::iota(0, 3)).at(0).value().text(), "number 0");
    auto stream = pool.imap_unordered(name, test::views::iota(8, 9));
    EXPECT_EQ(stream.next()->text(), "number 8");
}

TEST_F(PoolResults, values_that_can_only_be_moved) {
    std::vector<Boxed> boxes = pool.map(box, test::views::iota(0, 3));
    ASSERT_EQ(boxes.size(), 3u);
    EXPECT_EQ(*boxes[2].content, 2);
    EXPECT_EQ(*pool.apply(box, 5).content, 5);
    EXPECT_EQ(*pool.apply_async(box, 6).get().content, 6);
    std::vector<Boxed> later = pool.map_async(box, test::views::iota(7, 8)).get();
    EXPECT_EQ(*later.at(0).content, 7);
    std::vector<mp::Outcome<Boxed>> outcomes = pool.try_map(box, test::views::iota(8, 9));
    const Boxed taken = std::move(outcomes.at(0)).value();
    EXPECT_EQ(*taken.content, 8);
    std::optional<Boxed> streamed = pool.imap(box, test::views::iota(9, 10)).next();
    EXPECT_EQ(*streamed->content, 9);
    EXPECT_EQ(**pool.map([](int i) { return std::make_unique<int>(i); }, test::views::iota(3, 4)).begin(), 3);
}

TEST_F(PoolResults, nested_containers) {
    using table = std::map<std::string, std::vector<std::string>>;
    const auto make = [](int n) {
        table made;
        for (int i = 0; i < n; ++i) made[std::to_string(i)].assign(static_cast<std::size_t>(i), "x");
        return made;
    };
    const std::vector<table> tables = pool.map(make, test::views::iota(0, 4));
    EXPECT_EQ(tables.at(3), (table{{"0", {}}, {"1", {"x"}}, {"2", {"x", "x"}}}));
    EXPECT_TRUE(tables.at(0).empty());
    const auto rows = pool.apply([] { return std::vector<std::vector<bool>>{{true, false}, {}}; });
    EXPECT_EQ(rows, (std::vector<std::vector<bool>>{{true, false}, {}}));
}

TEST_F(PoolResults, tuples_variants_and_optionals) {
    using choice = std::variant<int, std::string>;
    const auto make = [](int i) {
        return std::tuple(i, i % 2 == 0 ? choice(i) : choice(std::to_string(i)),
                          i == 0 ? std::nullopt : std::optional(i));
    };
    const auto results = pool.map(make, test::views::iota(0, 2));
    EXPECT_EQ(results.at(0), std::tuple(0, choice(0), std::optional<int>()));
    EXPECT_EQ(results.at(1), std::tuple(1, choice("1"), std::optional(1)));
}

TEST_F(PoolResults, pointers_that_own) {
    const auto results =
        pool.map([](int i) { return i == 0 ? nullptr : std::make_shared<std::string>(std::to_string(i)); },
                 test::views::iota(0, 3));
    EXPECT_EQ(results.at(0), nullptr);
    EXPECT_EQ(*results.at(2), "2");
    const Twins twins = pool.apply([] {
        const auto one = std::make_shared<int>(1);
        return Twins{one, one};
    });
    EXPECT_EQ(twins.first, twins.second) << "within one object, what was shared is shared again";
    EXPECT_EQ(*twins.first, 1);
}

TEST_F(PoolResults, references_are_returned_as_values) {
    EXPECT_EQ(pool.apply([](const std::string& text) -> const std::string& { return text; }, "same"), "same");
    static_assert(std::is_same_v<decltype(pool.apply([](const int& i) -> const int& { return i; }, 1)), int>);
}

TEST_F(PoolResults, ten_megabytes_each) {
    constexpr std::size_t size = 10 << 20;
    const auto make = [](char c) { return std::string(size, c); };
    const std::vector<std::string> results = pool.map(make, std::string("abcd"), {.chunksize = 2});
    ASSERT_EQ(results.size(), 4u);
    for (std::size_t i = 0; i < 4; ++i) {
        ASSERT_EQ(results[i].size(), size);
        EXPECT_EQ(results[i].find_first_not_of("abcd"[i]), std::string::npos);
    }
}

TEST_F(PoolResults, sizes_around_what_a_pipe_and_an_outbox_hold) {
    const auto make = [](std::size_t size) { return std::string(size, static_cast<char>('a' + size % 26)); };
    std::vector<std::size_t> sizes;
    for (const std::size_t near : {4096u, 65'536u, 131'072u})
        for (std::size_t size = near - 300; size < near + 300; size += 7) sizes.push_back(size);
    for (const std::ptrdiff_t chunk : {1, 16}) {
        const std::vector<std::string> results = pool.map(make, sizes, {.chunksize = chunk});
        ASSERT_EQ(results.size(), sizes.size());
        for (std::size_t i = 0; i < sizes.size(); ++i) ASSERT_EQ(results[i], make(sizes[i])) << sizes[i];
    }
}

#if PROCPOOL_TEST_PROCESSES
TEST_F(PoolResults, an_element_whose_result_cannot_be_serialised_fails_alone) {
    const auto outcomes = pool.try_map([](int i) { return Unsendable{i == 1}; }, test::views::iota(0, 3));
    EXPECT_TRUE(outcomes.at(0).has_value());
    EXPECT_TRUE(outcomes.at(2).has_value());
    try {
        outcomes.at(1).value();
        FAIL();
    } catch (const mp::SerializationError& error) {
        EXPECT_NE(std::string(error.what()).find("stuck"), std::string::npos) << error.what();
        EXPECT_NE(std::string(error.what()).find("Unsendable"), std::string::npos) << error.what();
    }
}

TEST_F(PoolResults, an_element_whose_result_cannot_be_rebuilt_fails_alone) {
    const auto outcomes = pool.try_map([](int i) { return Unloadable{i == 1}; }, test::views::iota(0, 3));
    EXPECT_TRUE(outcomes.at(0).has_value());
    EXPECT_TRUE(outcomes.at(2).has_value());
    try {
        outcomes.at(1).value();
        FAIL();
    } catch (const mp::SerializationError& error) {
        EXPECT_NE(std::string(error.what()).find("broken on arrival"), std::string::npos) << error.what();
        EXPECT_NE(std::string(error.what()).find("element 1"), std::string::npos) << error.what();
    }
}

TEST_F(PoolResults, an_element_whose_argument_cannot_be_rebuilt_fails_alone) {
    const std::vector<Unloadable> input{{false}, {true}, {false}};
    const auto outcomes = pool.try_map([](const Unloadable&) { return 1; }, input);
    EXPECT_TRUE(outcomes.at(0).has_value());
    EXPECT_THROW(outcomes.at(1).value(), mp::SerializationError);
    EXPECT_TRUE(outcomes.at(2).has_value());
}
#endif

}  // namespace pool_results_test
