// SPDX-License-Identifier: MIT
// Large arguments and results: they travel through shared memory, which the pool takes no longer than needed.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cereal/types/vector.hpp>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "support/leftovers.hpp"
#include "support/pool_memory.hpp"
#include "support/processes.hpp"
#include "support/sanitizers.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace large_data_test {

namespace mp = procpool;

constexpr std::size_t mib = 1 << 20;

/// Bytes of memory that the shared memory of this process's pools takes.
std::size_t pool_memory() { return test::memory_of_files("memfd:procpool "); }

std::vector<std::uint32_t> numbers(std::size_t bytes, std::uint32_t seed) {
    std::vector<std::uint32_t> values(bytes / sizeof(std::uint32_t));
    std::iota(values.begin(), values.end(), seed);
    return values;
}
std::vector<std::vector<std::uint32_t>> inputs(std::size_t count, std::size_t bytes) {
    std::vector<std::vector<std::uint32_t>> all;
    for (std::size_t i = 0; i < count; ++i) all.push_back(numbers(bytes, static_cast<std::uint32_t>(i)));
    return all;
}

std::vector<std::uint32_t> doubled(std::vector<std::uint32_t> values) {
    for (std::uint32_t& value : values) value *= 2;
    return values;
}

test::shared<std::atomic<int>> times;

// ---- there and back

TEST(LargeData, of_all_sizes_around_the_threshold_arrives_whole) {
    mp::Pool pool(2);
    for (const std::size_t bytes : {60'000u, 65'532u, 65'536u, 65'540u, 200'000u, 1u << 20, 5'000'000u}) {
        const auto all = inputs(9, bytes);
        const auto results = pool.map(doubled, all);
        ASSERT_EQ(results.size(), all.size());
        for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(results[i], doubled(all[i])) << bytes;
    }
}

TEST(LargeData, of_all_calls_arrives_whole) {
    mp::Pool pool(2);
    const std::string text(3 * mib, 't');
    EXPECT_EQ(pool.apply([](const std::string& s) { return s + "!"; }, text), text + "!");
    const std::vector<std::tuple<std::size_t, std::string, std::vector<int>>> tuples{
        {1, text, {1, 2}}, {2, "short", std::vector<int>(mib, 5)}, {3, text, std::vector<int>(mib, 6)}};
    EXPECT_EQ(pool.starmap([](std::size_t n, const std::string& s,
                              const std::vector<int>& v) { return n + s.size() + v.size(); },
                           tuples),
              (std::vector<std::size_t>{1 + 3 * mib + 2, 2 + 5 + mib, 3 + 3 * mib + mib}));
    std::size_t n = 0;
    for (const auto& result : pool.imap(doubled, inputs(20, mib))) EXPECT_EQ(result[1], 2 * (n++ + 1));
    EXPECT_EQ(n, 20u);
}

TEST(LargeData, is_sent_once_while_another_worker_has_nothing_to_do) {
    std::ifstream file("/proc/self/io");
    if (!file) GTEST_SKIP() << "this kernel doesn't count what a process writes";
    const auto written = [] {
        std::ifstream counts("/proc/self/io");
        std::string name;
        for (std::size_t count = 0; counts >> name >> count;)
            if (name == "wchar:") return count;
        return std::size_t{0};
    };
    mp::Pool pool(mp::PoolOptions{.processes = 2, .arena_limit = 0});
    const std::string text(8 * mib, 't');
    const auto count = [](const std::string& s) { return std::count(s.begin(), s.end(), 't'); };
    const std::size_t before = written();
    for (int i = 0; i < 4; ++i)  // from the second on it is known that each takes long
        EXPECT_EQ(pool.apply(count, text), std::ssize(text));
    EXPECT_LT(written() - before, 5 * text.size());
}

TEST(LargeData, of_many_small_parts_arrives_whole) {
    using words = std::vector<std::string>;
    const std::vector<words> all(4, words(20'000, std::string(100, 'w')));
    const auto longer = [](words values) {
        for (std::string& value : values) value += '!';
        return values;
    };
    for (const std::size_t limit : {std::size_t{0}, 100 * mib}) {
        mp::Pool pool(mp::PoolOptions{.processes = 2, .arena_limit = limit});
        const auto results = pool.map(longer, all);
        EXPECT_EQ(pool_memory() > 2 * mib, limit > 0) << pool_memory();
        EXPECT_EQ(results, std::vector(4, longer(all[0])));
        EXPECT_EQ(pool.apply(longer, all[0]), longer(all[0]));
    }
}

std::uint32_t last_initializer_argument = 0;

TEST(LargeData, for_an_initializer_is_there_once_for_all_workers) {
    mp::Pool pool(
        4, [](const std::vector<std::uint32_t>& values) { last_initializer_argument = values.back(); },
        numbers(8 * mib, 1));
    const std::uint32_t last = 8 * mib / sizeof(std::uint32_t);
    EXPECT_EQ(pool.map([](int) { return last_initializer_argument; }, test::views::iota(0, 8)),
              std::vector(8, last));
    EXPECT_GT(pool_memory(), 8 * mib);
    EXPECT_LT(pool_memory(), 10 * mib);
    EXPECT_THROW(pool.apply([] { ::raise(SIGKILL); }), mp::WorkerDied);
    EXPECT_EQ(pool.map([](int) { return last_initializer_argument; }, test::views::iota(0, 8)),
              std::vector(8, last))
        << "it is there for new workers, too";
}

TEST(LargeData, goes_through_the_pipes_where_shared_memory_is_not_wanted_or_used_up) {
    for (const std::size_t limit : {std::size_t{0}, std::size_t{100'000}, 3 * mib}) {
        mp::Pool pool(mp::PoolOptions{.processes = 2, .arena_limit = limit});
        const auto all = inputs(12, 2 * mib);
        const auto results = pool.map(doubled, all);
        for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(results[i], doubled(all[i]));
        EXPECT_LE(pool_memory(), 3 * limit + mib);
    }
}

TEST(LargeData, goes_through_the_pipes_where_a_process_may_not_address_so_much) {
    if (test::sanitized) GTEST_SKIP() << "sanitizers reserve terabytes";
    test::child_program child([] {
        const rlimit most{rlim_t{2} << 30, rlim_t{2} << 30};
        if (::setrlimit(RLIMIT_AS, &most) != 0) return 1;
        mp::Pool pool(2);
        const auto all = inputs(6, mib);
        const auto results = pool.map(doubled, all);
        return results.size() == 6 && results[5] == doubled(all[5]) ? 0 : 2;
    });
    const auto end = child.wait();
    EXPECT_EQ(end.exit_code, 0) << end.errors;
}

TEST(LargeData, of_a_pool_in_a_task_arrives_whole) {
    mp::Pool pool(2);
    const auto results = pool.map(
        [](const std::vector<std::uint32_t>& values) {
            mp::Pool inner(1);
            return inner.map(doubled, std::vector{values, values})[1];
        },
        inputs(2, mib));
    EXPECT_EQ(results[1], doubled(numbers(mib, 1)));
}

struct half_sendable {
    std::vector<int> values;

    template <class Archive>
    void save(Archive& archive) const {
        archive(values);
        if (values[0] == 13) throw std::runtime_error("unlucky");
    }
    template <class Archive>
    void load(Archive& archive) {
        archive(values);
    }
};

TEST(LargeData, that_can_not_be_sent_leaves_no_trace) {
    mp::Pool pool(2);
    std::vector<half_sendable> all(6, half_sendable{std::vector<int>(mib, 1)});
    all[3].values[0] = 13;
    const auto outcomes = pool.try_map([](const half_sendable& one) { return one.values.size(); }, all);
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(outcomes[i].has_value(), i != 3);
}

// ---- memory

TEST(LargeData, takes_memory_for_what_is_on_its_way_only) {
    mp::Pool pool(2);
    std::size_t most = 0;
    pool.map([](const std::vector<std::uint32_t>& values) { return values.size(); },
             test::views::iota(0, 200) | test::views::transform([&](int i) {
                 most = std::max(most, pool_memory());
                 return numbers(mib, static_cast<std::uint32_t>(i));
             }),
             {.chunksize = 50});
    EXPECT_LT(most, 50 * mib);
}

TEST(LargeData, memory_is_given_back_when_the_pool_is_idle) {
    mp::Pool pool(2);
    const auto all = inputs(10, 8 * mib);
    pool.map(doubled, all);
    EXPECT_GT(pool_memory(), 8 * mib);
    EXPECT_TRUE(test::eventually([] { return pool_memory() < mib; })) << pool_memory();
    EXPECT_EQ(pool.map(doubled, all)[9], doubled(all[9]));
}

TEST(LargeData, memory_of_a_bound_argument_is_given_back) {
    mp::Pool pool(2);
    pool.map(
        mp::partial([](const std::vector<std::uint32_t>& bound, int i) { return bound[0] + unsigned(i); },
                    numbers(20 * mib, 1)),
        test::views::iota(0, 10));
    EXPECT_TRUE(test::eventually([] { return pool_memory() < mib; })) << pool_memory();
}

TEST(LargeData, memory_of_a_dead_worker_is_given_back) {
    mp::Pool pool(2);
    const auto die_with_results = [](const std::vector<std::uint32_t>& values) {
        if (values[0] == 7) ::raise(SIGKILL);
        return values;
    };
    const auto outcomes = pool.try_map(die_with_results, inputs(16, 4 * mib));
    for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(outcomes[i].has_value(), i != 7) << i;
    EXPECT_TRUE(test::eventually([] { return pool_memory() < mib; })) << pool_memory();
}

// ---- death

TEST(LargeData, that_is_finished_survives_its_worker) {
    mp::Pool pool(1);
    // The worker has all of them, and sends nothing before it dies: they are too quick.
    for (int round = 0; round < 5; ++round) {
        const auto outcomes = pool.try_map(
            [](int i) {
                if (i == 3) ::raise(SIGKILL);
                return numbers(100'000, static_cast<std::uint32_t>(i));
            },
            std::vector{0, 1, 2, 3, 4}, {.chunksize = 5});
        for (std::size_t i = 0; i < 5; ++i) {
            if (i == 3) {
                EXPECT_THROW(outcomes[i].value(), mp::WorkerDied);
            } else {
                EXPECT_EQ(outcomes[i].value(), numbers(100'000, static_cast<std::uint32_t>(i)));
            }
        }
    }
}

TEST(LargeData, is_there_for_another_try) {
    mp::Pool pool(2);
    times.reset();
    const auto results = pool.map(
        [](const std::vector<std::uint32_t>& values) {
            if (values[0] == 2 && ++*times < 3) ::raise(SIGKILL);
            return doubled(values);
        },
        inputs(5, mib), {.retries = 5});
    for (std::uint32_t i = 0; i < 5; ++i) EXPECT_EQ(results[i], doubled(numbers(mib, i)));
}

TEST(LargeData, survives_the_zygote) {
    mp::Pool pool(2);
    EXPECT_EQ(pool.map(doubled, inputs(4, mib)).size(), 4u);
    const auto zygote = pool.apply([] { return ::getppid(); });
    if (mp::get_start_method() != mp::start_method::spawn) ::kill(zygote, SIGKILL);
    const auto all = inputs(8, mib);
    const auto outcomes = pool.try_map(doubled, all, {.retries = 3});
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(outcomes[i].value(), doubled(all[i]));
}

// ---- sent once

/// Counts how often it arrives.
struct counted {
    std::vector<std::uint32_t> values;

    template <class Archive>
    void save(Archive& archive) const {
        archive(values);
    }
    template <class Archive>
    void load(Archive& archive) {
        archive(values);
        ++*times;
    }
};

TEST(LargeData, that_is_bound_comes_to_each_worker_once) {
    mp::Pool pool(2);
    times.reset();
    const counted bound{numbers(10 * mib, 5)};
    const auto results =
        pool.map(mp::partial([](const counted& all, std::size_t i) { return all.values[i]; }, bound),
                 test::views::iota(std::size_t{0}, std::size_t{1000}), {.chunksize = 10});
    EXPECT_EQ(results[999], 5u + 999u);
    EXPECT_LE(*times, 2);
}

// ---- views

TEST(LargeData, taken_as_a_span_is_seen_where_it_lies) {
    mp::Pool pool(2);
    const auto look = [](std::span<const std::uint32_t> values) {
        return std::tuple(test::is_in_pool_memory(values.data()),
                          reinterpret_cast<std::uintptr_t>(values.data()) % 64,
                          std::accumulate(values.begin(), values.end(), std::uint64_t{0}));
    };
    const auto all = inputs(5, mib);
    const auto seen = pool.map(look, all);
    for (std::size_t i = 0; i < all.size(); ++i)
        EXPECT_EQ(seen[i], std::tuple(true, std::uintptr_t{0},
                                      std::accumulate(all[i].begin(), all[i].end(), std::uint64_t{0})));
}

double weighted(double factor, std::span<const double> values, std::string_view text,
                const std::vector<double>& owned) {
    if (!test::is_in_pool_memory(values.data()) || !test::is_in_pool_memory(text.data()) ||
        test::is_in_pool_memory(owned.data()))
        return -1;
    return factor * std::accumulate(values.begin(), values.end(), 0.0) + static_cast<double>(text.size()) +
           owned.back();
}

TEST(LargeData, taken_as_views_among_other_arguments_is_seen_where_it_lies) {
    mp::Pool pool(2);
    const std::vector<double> ones(mib, 1);
    const std::string text(mib, 'x');
    const double expected = 2.0 * mib + mib + 1;
    EXPECT_EQ(pool.apply(weighted, 2, ones, text, ones), expected);
    const std::vector<std::tuple<double, std::vector<double>, std::string, std::vector<double>>> tuples(
        3, {2, ones, text, ones});
    EXPECT_EQ(pool.starmap(weighted, tuples), std::vector(3, expected));
    EXPECT_EQ(pool.map(mp::partial(
                           [](const std::string& bound, std::string_view view) {
                               return test::is_in_pool_memory(view.data()) ? bound.size() + view.size() : 0;
                           },
                           std::string("ab")),
                       std::vector{text}),
              std::vector{2 + mib});
}

TEST(LargeData, small_views_are_right_wherever_they_lie) {
    mp::Pool pool(2);
    std::vector<std::tuple<std::string, std::vector<double>>> tuples;
    std::vector<double> expected;
    for (std::size_t i = 0; i < 500; ++i) {
        tuples.emplace_back(std::string(i % 17, 'x'), std::vector<double>(i % 31, 0.5));
        expected.push_back(static_cast<double>(i % 17) + 0.5 * static_cast<double>(i % 31));
    }
    EXPECT_EQ(pool.starmap(
                  [](std::string_view text, std::span<const double> values) {
                      return static_cast<double>(text.size()) +
                             std::accumulate(values.begin(), values.end(), 0.0);
                  },
                  tuples),
              expected);
}

TEST(LargeData, that_a_task_writes_to_although_it_may_only_look_costs_its_worker_alone) {
    mp::Pool pool(2);
    const auto outcomes = pool.try_map(
        [](std::span<const std::uint32_t> values) {
            ::signal(SIGSEGV, SIG_DFL);
            if (values[0] == 1) const_cast<std::uint32_t&>(values[5]) = 0;
            return values[5];
        },
        inputs(4, mib));
    for (std::size_t i = 0; i < 4; ++i) {
        if (i == 1) {
            EXPECT_THROW(outcomes[i].value(), mp::WorkerDied);
        } else {
            EXPECT_EQ(outcomes[i].value(), i + 5);
        }
    }
}

}  // namespace large_data_test
