// SPDX-License-Identifier: MIT
// What map and its kin take as input, and how they cut it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cereal/types/memory.hpp>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <numeric>
#include <set>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "procpool/pool.hpp"
#include "support/shared.hpp"
#include "support/tested_pool.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace pool_inputs_test {

namespace mp = test::tested;

long cube(long x) { return x * x * x; }

/// A value that can only be moved.
struct Boxed {
    std::unique_ptr<int> content;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(content);
    }
};

/// The number 2 can't be serialised.
struct Fussy {
    int number = 0;
    template <class Archive>
    void save(Archive& archive) const {
        if (number == 2) throw std::domain_error("not me");
        archive(number);
    }
    template <class Archive>
    void load(Archive& archive) {
        archive(number);
    }
};

struct board {
    std::array<std::atomic<bool>, 128> begun{};
    test::gate gate;
};
test::shared<board> seen;

class PoolInputs : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
};

// ---- chunks: those of a worker's first chunk that are begun while its first element is held

/// Runs elements 0 to 99 on two workers, each of which is held by the first element that it gets, if that
/// is 0 or `second`. Returns which elements are begun once these two are.
template <class Range>
std::set<int> begun_when_both_are_held(Range&& hundred, int second, mp::MapOptions options) {
    seen.reset();
    const auto task = [second](int i) {
        seen->begun[static_cast<std::size_t>(i)] = true;
        if (i == 0 || i == second) seen->gate.pass();
        return i;
    };
    mp::Pool pool(2);
    auto result = pool.map_async(task, hundred, options);
    EXPECT_TRUE(
        test::eventually([&] { return seen->begun[0] && seen->begun[static_cast<std::size_t>(second)]; }));
    std::set<int> begun;
    for (int i = 0; i < 100; ++i)
        if (seen->begun[static_cast<std::size_t>(i)]) begun.insert(i);
    seen->gate.open();
    std::vector<int> expected(100);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(result.get(), expected);
    return begun;
}

/// The same of an input whose size is not known before it is read.
std::set<int> begun_of_unknown_size(int second) {
    std::ostringstream numbers;
    for (int i = 0; i < 100; ++i) numbers << i << ' ';
    std::istringstream text(numbers.str());
    return begun_when_both_are_held(test::views::istream<int>(text), second, {});
}

#if PROCPOOL_TEST_PROCESSES
TEST_F(PoolInputs, no_worker_has_more_than_one_element_before_it_is_known_how_long_they_take) {
    EXPECT_EQ(begun_when_both_are_held(test::views::iota(0, 100), 1, {}), (std::set{0, 1}));
    EXPECT_EQ(begun_of_unknown_size(1), (std::set{0, 1}));
}
#else
TEST_F(PoolInputs, threads_have_four_chunks_each) {
    EXPECT_EQ(begun_when_both_are_held(test::views::iota(0, 100), 13, {}), (std::set{0, 13}));
    EXPECT_EQ(begun_of_unknown_size(13), (std::set{0, 13}));
}
#endif

TEST_F(PoolInputs, chunks_have_the_size_that_is_asked_for) {
    EXPECT_EQ(begun_when_both_are_held(test::views::iota(0, 100), 5, {.chunksize = 5}), (std::set{0, 5}));
}

TEST_F(PoolInputs, elements_of_a_chunk_run_in_one_worker) {
    constexpr std::size_t count = 10'000;
    std::ostringstream numbers;
    for (std::size_t i = 0; i < count; ++i) numbers << i << ' ';
    const auto pid = [](std::size_t) { return ::gettid(); };
    for (const int workers : {1, 2, 3}) {
        mp::Pool pool(workers);
        std::istringstream text(numbers.str());
        constexpr std::size_t chunk = 300;
        const auto of_known_size =
            pool.map(pid, test::views::iota(std::size_t{0}, count), {.chunksize = chunk});
        const auto of_unknown_size =
            pool.map(pid, test::views::istream<std::size_t>(text), {.chunksize = chunk});
        for (const auto* const pids : {&of_known_size, &of_unknown_size})
            for (std::size_t i = 0; i < count; ++i) ASSERT_EQ((*pids)[i], (*pids)[i / chunk * chunk]) << i;
    }
}

TEST_F(PoolInputs, a_chunk_may_be_bigger_than_the_input) {
    mp::Pool pool(2);
    EXPECT_EQ(pool.map(cube, std::vector<int>{1, 2, 3}, {.chunksize = 1'000'000'000}),
              (std::vector<long>{1, 8, 27}));
}

// ---- kinds of ranges

TEST_F(PoolInputs, ranges_of_all_kinds) {
    mp::Pool pool(2);
    const std::vector<long> cubes{1, 8, 27};
    std::vector<int> vector{1, 2, 3};
    const std::vector<int>& constant = vector;
    int array[] = {1, 2, 3};
    EXPECT_EQ(pool.map(cube, vector), cubes);
    EXPECT_EQ(pool.map(cube, constant), cubes);
    EXPECT_EQ(pool.map(cube, array), cubes);
    EXPECT_EQ(pool.map(cube, std::array{1, 2, 3}), cubes);
    EXPECT_EQ(pool.map(cube, std::list{1, 2, 3}), cubes);
    EXPECT_EQ(pool.map(cube, std::deque{1, 2, 3}), cubes);
    EXPECT_EQ(pool.map(cube, std::set{3, 1, 2}), cubes);
    EXPECT_EQ(pool.map(cube, std::span(vector).first(2)), (std::vector<long>{1, 8}));
    EXPECT_EQ(pool.map(cube, test::views::iota(1, 4)), cubes);
#if PROCPOOL_TESTS_ALL_VIEWS
    EXPECT_EQ(pool.map(cube, test::views::iota(1) | test::views::take(3)), cubes);
    EXPECT_EQ(pool.map(cube, vector | test::views::reverse), (std::vector<long>{27, 8, 1}));
    EXPECT_EQ(pool.map(cube, vector | test::views::filter([](int i) { return i != 2; })),
              (std::vector<long>{1, 27}));
    EXPECT_EQ(pool.map(cube, vector | test::views::transform([](int i) { return i + 1; })),
              (std::vector<long>{8, 27, 64}));
#endif
    EXPECT_EQ(vector, (std::vector{1, 2, 3})) << "the input stays as it was";
}

TEST_F(PoolInputs, a_single_pass_range_of_unknown_size_is_read_once) {
    mp::Pool pool(2);
    std::istringstream words("the quick brown fox");
    const auto size = [](const std::string& word) { return word.size(); };
    EXPECT_EQ(pool.map(size, test::views::istream<std::string>(words)),
              (std::vector<std::size_t>{3, 5, 5, 3}));
    std::istringstream again("the quick brown fox");
    EXPECT_EQ(pool.map(size, test::views::istream<std::string>(again), {.chunksize = 3}),
              (std::vector<std::size_t>{3, 5, 5, 3}));
}

TEST_F(PoolInputs, strings_are_ranges_of_characters) {
    mp::Pool pool(1);
    EXPECT_EQ(pool.map([](char c) { return static_cast<char>(c + 1); }, std::string("HAL")),
              (std::vector{'I', 'B', 'M'}));
}

TEST_F(PoolInputs, vectors_of_bool) {
    mp::Pool pool(2);
    std::vector<bool> bits{true, false, true};
    const auto flip = [](bool bit) { return bit ? 10 : 20; };
    EXPECT_EQ(pool.map(flip, bits), (std::vector{10, 20, 10}));
    EXPECT_EQ(pool.map(flip, std::as_const(bits)), (std::vector{10, 20, 10}));
}

#if PROCPOOL_TEST_PROCESSES
TEST_F(PoolInputs, views_of_strings_travel_as_strings) {
    mp::Pool pool(1);
    const std::vector<std::string_view> views{"one", "three", ""};
    EXPECT_EQ(pool.map([](const std::string& text) { return text + "!"; }, views),
              (std::vector<std::string>{"one!", "three!", "!"}));
    EXPECT_EQ(pool.map([](std::string_view text) { return text.size(); }, views),
              (std::vector<std::size_t>{3, 5, 0}));
}

TEST_F(PoolInputs, spans_travel_as_vectors) {
    mp::Pool pool(1);
    const std::vector<int> numbers{1, 2, 3, 4};
    const std::vector<std::span<const int>> halves{std::span(numbers).first(1), std::span(numbers).last(3)};
    EXPECT_EQ(pool.map([](const std::vector<int>& half) { return half.size(); }, halves),
              (std::vector<std::size_t>{1, 3}));
}
#endif

TEST_F(PoolInputs, tuples_of_references_as_a_zip_makes_them) {
    mp::Pool pool(2);
    std::vector<int> counts{1, 2, 3};
    const std::vector<std::string> words{"a", "b", "c"};
    const auto zip = test::views::iota(std::size_t{0}, counts.size()) |
                     test::views::transform([&](std::size_t i) { return std::tie(counts[i], words[i]); });
    const auto repeat = [](int count, const std::string& word) {
        std::string text;
        while (count-- > 0) text += word;
        return text;
    };
    EXPECT_EQ(pool.starmap(repeat, zip), (std::vector<std::string>{"a", "bb", "ccc"}));
#if PROCPOOL_TEST_PROCESSES
    std::vector<Boxed> boxes(1);
    boxes[0].content = std::make_unique<int>(5);
    const std::vector<int> numbers{1, 2, 3};
    const std::vector<std::tuple<Boxed&, std::span<const int>, std::string_view>> views{
        {boxes[0], numbers, "text"}};
    const auto total = [](const Boxed& box, const std::vector<int>& some, const std::string& text) {
        return static_cast<std::size_t>(*box.content) + some.size() + text.size();
    };
    EXPECT_EQ(pool.starmap(total, views), std::vector<std::size_t>{12});
#endif
}

TEST_F(PoolInputs, elements_that_can_only_be_moved_stay_where_they_are) {
    mp::Pool pool(2);
    std::vector<Boxed> boxes;
    for (int i = 0; i < 5; ++i) boxes.push_back({std::make_unique<int>(i)});
#if PROCPOOL_TEST_PROCESSES
    const auto open = [](Boxed box) { return *box.content; };  // of a copy that was made on the way
#else
    const auto open = [](const Boxed& box) { return *box.content; };
#endif
    EXPECT_EQ(pool.map(open, boxes), (std::vector{0, 1, 2, 3, 4}));
    EXPECT_EQ(*boxes[4].content, 4);
    const auto made = test::views::iota(0, 3) |
                      test::views::transform([](int i) { return Boxed{std::make_unique<int>(i)}; });
    EXPECT_EQ(pool.map(open, made), (std::vector{0, 1, 2}));
    EXPECT_EQ(pool.apply(open, Boxed{std::make_unique<int>(9)}), 9);
}

TEST_F(PoolInputs, containers_and_pairs_are_elements_as_well) {
    mp::Pool pool(2);
    const std::vector<std::pair<int, std::vector<std::string>>> input{{1, {"a"}}, {2, {}}, {3, {"b", "c"}}};
    const auto total = [](const std::pair<int, std::vector<std::string>>& one) {
        return one.first + static_cast<int>(one.second.size());
    };
    EXPECT_EQ(pool.map(total, input), (std::vector{2, 2, 5}));
}

// ---- sizes

TEST_F(PoolInputs, nothing_gives_nothing_at_once) {
    mp::Pool pool(1);
    auto busy = pool.apply_async([] { seen->gate.pass(); });
    EXPECT_EQ(pool.map(cube, std::vector<int>{}), std::vector<long>{}) << "though the only worker is busy";
    EXPECT_TRUE(pool.try_map(cube, std::vector<int>{}).empty());
    EXPECT_TRUE(pool.map_async(cube, test::views::empty<int>).ready());
    std::istringstream empty;
    EXPECT_TRUE(pool.map(cube, test::views::istream<int>(empty)).empty());
    pool.map([](int) {}, std::vector<int>{});
    bool called = false;
    pool.map_async(cube, std::vector<int>{}).callback([&](const auto&) { called = true; }).wait();
    EXPECT_FALSE(called) << "Python does not call it either";
    seen->gate.open();
    busy.get();
}

TEST_F(PoolInputs, a_million_elements) {
    mp::Pool pool(2);
    const std::vector<long> results = pool.map(cube, test::views::iota(0, 1'000'000));
    ASSERT_EQ(results.size(), 1'000'000u);
    for (std::size_t i = 0; i < results.size(); i += 997) ASSERT_EQ(results[i], cube(static_cast<long>(i)));
    EXPECT_EQ(results.back(), cube(999'999));
}

TEST_F(PoolInputs, long_elements_several_to_a_chunk) {
    constexpr std::size_t megabyte = 1 << 20;
    mp::Pool pool(2);
    std::vector<std::string> input;
    for (std::size_t i = 0; i < 12; ++i) input.emplace_back(megabyte + i, static_cast<char>('a' + i));
    const auto reverse = [](std::string text) {
        text.front() = '<';
        text.back() = '>';
        return text;
    };
    const std::vector<std::string> results = pool.map(reverse, input, {.chunksize = 3});
    ASSERT_EQ(results.size(), input.size());
    for (std::size_t i = 0; i < input.size(); ++i) {
        ASSERT_EQ(results[i].size(), megabyte + i);
        EXPECT_EQ(results[i].front(), '<');
        EXPECT_EQ(results[i].back(), '>');
        EXPECT_EQ(results[i].find_first_not_of(static_cast<char>('a' + i), 1), megabyte + i - 1);
    }
}

// ---- ranges that fail

TEST_F(PoolInputs, what_the_range_throws_comes_out_and_the_pool_goes_on) {
    mp::Pool pool(2);
    const auto breaks_at = [](int n) {
        return test::views::iota(0, 100) | test::views::transform([n](int i) {
                   if (i == n) throw std::range_error("broken");
                   return i;
               });
    };
    for (const int n : {0, 1, 50, 99}) {
        EXPECT_THROW(pool.map(cube, breaks_at(n)), std::range_error) << n;
        EXPECT_THROW((void)pool.map_async(cube, breaks_at(n), {.chunksize = 3}), std::range_error) << n;
        EXPECT_THROW((void)pool.try_map(cube, breaks_at(n), {.chunksize = 1}), std::range_error) << n;
    }
    EXPECT_EQ(pool.map(cube, test::views::iota(1, 4)), (std::vector<long>{1, 8, 27}));
    pool.close();
    pool.join();  // nothing of the broken calls is waited for
}

TEST_F(PoolInputs, a_range_may_fail_before_its_first_element) {
    mp::Pool pool(1);
    std::istringstream text("no number");
    text.exceptions(std::ios::failbit);
    EXPECT_THROW(pool.map(cube, test::views::istream<int>(text)), std::ios::failure);
    text.clear();
    EXPECT_THROW((void)pool.imap(cube, test::views::istream<int>(text)), std::ios::failure);
    EXPECT_EQ(pool.apply(cube, 2), 8);
    pool.close();
    pool.join();
}

#if PROCPOOL_TEST_PROCESSES
TEST_F(PoolInputs, an_element_that_cannot_be_serialised_fails_alone) {
    mp::Pool pool(2);
    const std::vector<Fussy> input{{0}, {1}, {2}, {3}};
    const auto number = [](const Fussy& one) { return one.number; };
    for (const std::ptrdiff_t chunk : {1, 2, 4}) {
        const auto outcomes = pool.try_map(number, input, {.chunksize = chunk});
        ASSERT_EQ(outcomes.size(), 4u);
        for (const std::size_t good : {0u, 1u, 3u}) EXPECT_EQ(outcomes[good].value(), static_cast<int>(good));
        EXPECT_THROW(outcomes[2].value(), mp::SerializationError);
    }
    EXPECT_THROW(pool.map(number, input), mp::SerializationError);
    EXPECT_THROW(pool.apply(number, Fussy{2}), mp::SerializationError);
    EXPECT_THROW(pool.apply_async(number, Fussy{2}).get(), mp::SerializationError)
        << "get() tells, not the call";
    EXPECT_EQ(pool.apply(number, Fussy{3}), 3);
}
#endif

}  // namespace pool_inputs_test
