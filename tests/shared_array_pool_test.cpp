// SPDX-License-Identifier: MIT
// SharedArray as the tasks of a pool use it.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cereal/types/string.hpp>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "procpool/shared_array.hpp"
#include "support/array_holders.hpp"
#include "support/arrays.hpp"
#include "support/shared.hpp"
#include "support/temporary_folder.hpp"
#include "support/wait.hpp"

namespace shared_array_pool_test {

namespace mp = procpool;
using table = mp::SharedArray<int, 2>;

// ---- tasks

std::vector<int> first_numbers(int count) {
    std::vector<int> numbers(static_cast<std::size_t>(count));
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
}

void fill_row(const table& array, int row) {
    for (int& element : array[row]) element = row + 1;
}
void fill_row_by_value(table array, int row) { fill_row(array, row); }
int sum_of(const table& array) { return std::accumulate(array.begin(), array.end(), 0); }
table make_table(int i) {
    table array({2, 3});
    std::ranges::fill(array, i);
    return array;
}
table pass_back(table array, int i) {
    ++array(i, 0);
    return array;
}

bool is_filled(const table& array) {
    for (std::size_t row = 0; row < array.shape()[0]; ++row)
        for (const int element : array[row])
            if (element != static_cast<int>(row) + 1) return false;
    return true;
}

class shared_array_in_a_pool : public test::arrays {};

TEST_F(shared_array_in_a_pool, made_before_the_pool_is_filled_in_place) {
    const table array({200, 30});
    mp::Pool pool(2);
    pool.map(mp::partial(fill_row, array), first_numbers(200));
    EXPECT_TRUE(is_filled(array));
}

TEST_F(shared_array_in_a_pool, made_after_the_pool_is_filled_in_place) {
    mp::Pool pool(2);
    const table array({200, 30});
    pool.map(mp::partial(fill_row, array), first_numbers(200), {.chunksize = 1});
    EXPECT_TRUE(is_filled(array));
}

TEST_F(shared_array_in_a_pool, is_an_argument_by_value_or_by_reference) {
    mp::Pool pool(2);
    const table array({4, 30});
    pool.apply(fill_row, array, 0);
    pool.apply(fill_row_by_value, array, 1);
    std::vector<std::tuple<table, int>> rest{{array, 2}, {array, 3}};
    pool.starmap(fill_row, rest);
    EXPECT_TRUE(is_filled(array));
    EXPECT_EQ(pool.apply(sum_of, array), 30 * (1 + 2 + 3 + 4));
}

TEST_F(shared_array_in_a_pool, many_are_the_elements_of_a_map) {
    mp::Pool pool(2);
    std::vector<table> tables;
    for (int i = 0; i < 50; ++i) tables.push_back(make_table(i));
    const std::vector<int> sums = pool.map(sum_of, tables);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(sums[static_cast<std::size_t>(i)], 6 * i);
}

TEST_F(shared_array_in_a_pool, made_by_workers_comes_back_as_a_result) {
    mp::Pool pool(2);
    std::vector<table> made = pool.map(make_table, first_numbers(100), {.chunksize = 3});
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(made[static_cast<std::size_t>(i)].shape(), (std::array<std::size_t, 2>{2, 3}));
        EXPECT_EQ(made[static_cast<std::size_t>(i)](1, 2), i);
    }
    EXPECT_TRUE(test::eventually([] { return test::array_descriptors_below() == 0; }))
        << test::array_descriptors_below() << " left in workers";
    pool.terminate();
    EXPECT_EQ(made[99](1, 2), 99);
}

TEST_F(shared_array_in_a_pool, made_by_workers_outlives_workers_that_are_replaced) {
    mp::Pool pool({.processes = 2, .maxtasksperchild = 1});
    const std::vector<table> made = pool.map(make_table, first_numbers(100), {.chunksize = 1});
    for (int i = 0; i < 100; ++i) EXPECT_EQ(made[static_cast<std::size_t>(i)](1, 2), i);
}

TEST_F(shared_array_in_a_pool, made_by_workers_comes_back_through_imap) {
    mp::Pool pool(2);
    int i = 0;
    for (const table& array : pool.imap(make_table, first_numbers(100))) {
        EXPECT_EQ(array(0, 0), i++);
    }
    EXPECT_EQ(i, 100);
}

TEST_F(shared_array_in_a_pool, passed_back_by_a_task_is_the_same_memory) {
    mp::Pool pool(2);
    const table array({2, 2});
    const table same = pool.apply(pass_back, array, 1);
    EXPECT_EQ(same.data(), array.data());
    EXPECT_EQ(array(1, 0), 1);
}

struct named_table {
    std::string name;
    table values;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(name, values);
    }
};
int sum_of_named(const named_table& named) { return sum_of(named.values); }

TEST_F(shared_array_in_a_pool, travels_inside_of_a_struct) {
    mp::Pool pool(2);
    EXPECT_EQ(pool.apply(sum_of_named, named_table{"n", make_table(3)}), 18);
}

std::optional<table> of_this_worker;
void take_table(const table& array) { of_this_worker = array; }
void fill_row_of_this_worker(int row) { fill_row(*of_this_worker, row); }

TEST_F(shared_array_in_a_pool, reaches_replaced_workers_through_the_initializer) {
    const table array({50, 3});
    mp::Pool pool({.processes = 2, .maxtasksperchild = 5}, take_table, array);
    pool.map(fill_row_of_this_worker, first_numbers(50), {.chunksize = 1});
    EXPECT_TRUE(is_filled(array));
}

void fill_row_and_die_at(const table& array, int last, int row) {
    fill_row(array, row);
    if (row == last) ::raise(SIGKILL);
}

TEST_F(shared_array_in_a_pool, keeps_what_a_worker_wrote_before_it_died) {
    mp::Pool pool(2);
    const table array({20, 30});
    const auto outcomes = pool.try_map(mp::partial(fill_row_and_die_at, array, 7), first_numbers(20));
    EXPECT_EQ(std::ranges::count_if(outcomes, [](const auto& outcome) { return !outcome.has_value(); }), 1);
    EXPECT_TRUE(is_filled(array));
}

TEST_F(shared_array_in_a_pool, is_freed_while_the_pool_goes_on) {
    mp::Pool pool(2);
    table array({20, 30});
    const std::string name = test::name_of_only(array);
    ASSERT_FALSE(name.empty());
    pool.map(mp::partial(fill_row, array), first_numbers(20));
    pool.apply(fill_row, array, 0);
    EXPECT_GE(test::holders(name), 1);
    array = {};
    EXPECT_TRUE(test::eventually([&] { return test::holders(name) == 0; }))
        << test::holders(name) << " processes hold it";
    EXPECT_TRUE(test::eventually([] { return test::array_descriptors_below() == 0; }));
    EXPECT_EQ(pool.apply(sum_of, make_table(1)), 6);
}

TEST_F(shared_array_in_a_pool, is_freed_after_a_task_that_failed) {
    mp::Pool pool(2);
    std::string name;
    {
        const table array({20, 30});
        name = test::name_of_only(array);
        ASSERT_FALSE(name.empty());
        const auto outcomes = pool.try_map(mp::partial(fill_row_and_die_at, array, 7), first_numbers(20));
        EXPECT_THROW(pool.apply([](const table& given, int row) { return given.at(row, 0); }, array, 20),
                     std::out_of_range);
    }
    EXPECT_TRUE(test::eventually([&] { return test::holders(name) == 0; }));
    EXPECT_TRUE(test::eventually([] { return test::array_descriptors_below() == 0; }))
        << test::array_descriptors_below();
}

// ---- read-only

TEST(shared_array_in_tasks, of_const_elements_can_only_be_read_there) {
    mp::SharedArray<int, 1> numbers({100});
    numbers.fill(7);
    mp::Pool pool(2);
    const mp::SharedArray<const int, 1> shown = numbers;
    const auto write_at_3 = [](const mp::SharedArray<const int, 1>& array, int i) {
        ::signal(SIGSEGV, SIG_DFL);  // sanitizers have a handler
        if (i == 3) const_cast<int&>(array(0)) = 0;
        return array(i);
    };
    const auto outcomes =
        pool.try_map(mp::partial(write_at_3, shown), std::vector{0, 1, 2, 3, 4, 5}, {.chunksize = 1});
    for (std::size_t i = 0; i < 6; ++i) {
        if (i == 3) {
            EXPECT_THROW(outcomes[i].value(), mp::WorkerDied);
        } else {
            EXPECT_EQ(outcomes[i].value(), 7);
        }
    }
    EXPECT_EQ(numbers(0), 7);
    numbers(1) = 8;
    EXPECT_EQ(pool.apply(write_at_3, shown, 1), 8) << "it is the same memory";
    EXPECT_EQ(pool.apply([](const mp::SharedArray<int, 1>& array) { return array(1) = 9; }, numbers), 9);
    EXPECT_EQ(shown(1), 9);
}

long read_or_write(const mp::SharedArray<const int, 1>& numbers, int i) {
    ::signal(SIGSEGV, SIG_DFL);  // sanitizers have a handler
    if (i == 3) const_cast<int&>(numbers(0)) = 0;
    return std::accumulate(numbers.begin(), numbers.end(), 0L) + i;
}

/// Element 3 crashes its worker, all others see the numbers 0 to 99.
void expect_only_to_be_read(const mp::SharedArray<const int, 1>& numbers) {
    mp::Pool pool(2);
    const auto outcomes = pool.try_map(mp::partial(read_or_write, numbers), first_numbers(8));
    for (std::size_t i = 0; i < 8; ++i) {
        if (i == 3) {
            EXPECT_THROW(outcomes[i].value(), mp::WorkerDied);
        } else {
            EXPECT_EQ(outcomes[i].value(), 4950 + static_cast<long>(i));
        }
    }
    EXPECT_EQ(numbers(0), 0);
    EXPECT_EQ(numbers(99), 99);
}

TEST_F(shared_array_in_a_pool, made_by_share_can_only_be_read_there) {
    std::vector<int> numbers = first_numbers(100);
    expect_only_to_be_read(mp::share(numbers));
}

TEST_F(shared_array_in_a_pool, mapped_from_a_file_can_only_be_read_there) {
    const test::temporary_folder folder;
    const std::string path = folder.path("numbers");
    std::vector<int> numbers = first_numbers(100);
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(numbers.data()), 100 * sizeof(int));
    expect_only_to_be_read(mp::SharedArray<const int, 1>::map_file(path, {100}));
    std::vector<int> after(100);
    std::ifstream(path, std::ios::binary).read(reinterpret_cast<char*>(after.data()), 100 * sizeof(int));
    EXPECT_EQ(after, numbers);
}

TEST_F(shared_array_in_a_pool, shared_by_a_task_comes_back_as_a_result) {
    mp::Pool pool(2);
    const auto made = pool.apply([](int count) { return mp::share(first_numbers(count)); }, 100);
    EXPECT_EQ(made(99), 99);
}

TEST_F(shared_array_in_a_pool, of_huge_pages_is_filled_in_place) {
    mp::Pool pool(2);
    const table array({200, 3000}, {.huge_pages = true});
    pool.map(mp::partial(fill_row, array), first_numbers(200));
    EXPECT_TRUE(is_filled(array));
}

// ---- memory

struct readers {
    std::atomic<int> arrived{0};
    test::gate gate;
};
test::shared<readers> all_readers;

/// Bytes of arrays that count as this process's, those that it shares divided by the number of sharers.
std::size_t proportional_size_of_arrays() {
    std::ifstream maps("/proc/self/smaps");
    bool in_array = false;
    std::size_t sum = 0;
    for (std::string line; std::getline(maps, line);) {
        std::size_t kib = 0;
        if (line.find('-') < line.find(' ')) in_array = line.find("procpool-array") != std::string::npos;
        if (in_array && std::sscanf(line.c_str(), "Pss: %zu kB", &kib) == 1) sum += kib * 1024;
    }
    return sum;
}

std::size_t read_with_all_others(const mp::SharedArray<const int, 1>& array, int) {
    const int sum = std::accumulate(array.begin(), array.end(), 0);
    ++all_readers->arrived;
    all_readers->gate.pass();
    return sum == 0 ? proportional_size_of_arrays() : 0;
}

TEST_F(shared_array_in_a_pool, takes_its_memory_once_however_many_workers_read_it) {
    constexpr int workers = 8;
    constexpr std::size_t size = std::size_t{64} << 20;
    all_readers.reset();
    mp::Pool pool(workers);
    const auto array = mp::share(std::vector<int>(size / sizeof(int)));
    auto result =
        pool.map_async(mp::partial(read_with_all_others, array), first_numbers(workers), {.chunksize = 1});
    ASSERT_TRUE(test::eventually([] { return all_readers->arrived == workers; }));
    const std::size_t own = proportional_size_of_arrays();
    all_readers->gate.open();
    const auto shares = result.get();
    const std::size_t all = std::accumulate(shares.begin(), shares.end(), own);
    EXPECT_GT(all, size / 2);  // a worker that is done already leaves its share to the others
    EXPECT_LT(all, size + size / 20);
}

}  // namespace shared_array_pool_test
