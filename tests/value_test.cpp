// SPDX-License-Identifier: MIT
// Value, Array, RawValue and RawArray, and memory under a name that Python shares.
#include "procpool/value.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "procpool/shared_memory.hpp"
#include "support/handles.hpp"

namespace value_test {

namespace mp = procpool;
using test::child_program;
using test::in_child;
using test::passed;

constexpr auto die = [] { ::kill(::getpid(), SIGKILL); };

// ---- Value

struct point {
    double x, y;
    bool operator==(const point&) const = default;
};

TEST(Value, is_seen_by_all_processes) {
    const mp::Value<point> value({1, 2});
    EXPECT_EQ(value.value(), (point{1, 2}));
    EXPECT_EQ(in_child([](const mp::Value<point>& mine) { return mine.set_value({3, 4}), 0; }, value), 0);
    EXPECT_EQ(value.value(), (point{3, 4}));
    EXPECT_EQ(mp::Value<int>().value(), 0);
}

TEST(Value, is_updated_by_one_process_at_a_time) {
    const mp::Value<long> count;
    const auto add = [](const mp::Value<long>& mine) {
        for (int i = 0; i < 5'000; ++i) mine.update([](long& number) { ++number; });
        for (int i = 0; i < 5'000; ++i) {
            const std::lock_guard lock(mine.get_lock());
            mine.set_value(mine.value() + 1);
        }
        return 0;
    };
    child_program first(passed(add, count)), second(passed(add, count));
    EXPECT_EQ(first.wait().exit_code, 0);
    EXPECT_EQ(second.wait().exit_code, 0);
    EXPECT_EQ(count.update([](long& number) { return number++; }), 20'000);
    EXPECT_EQ(count.value(), 20'001);
}

TEST(Value, is_as_it_was_when_an_update_throws_or_its_process_dies) {
    const mp::Value<point> value({1, 2});
    EXPECT_THROW(value.update([](point& changed) {
        changed.x = 7;
        throw std::range_error("no");
    }),
                 std::range_error);
    EXPECT_EQ(value.value(), (point{1, 2}));
    EXPECT_EQ(in_child(
                  [](const mp::Value<point>& mine) {
                      mine.update([](point& changed) {
                          changed.x = 7;
                          die();
                      });
                      return 0;
                  },
                  value),
              -1);
    EXPECT_EQ(value.value(), (point{1, 2}));
}

TEST(Value, tells_of_a_death_with_its_lock) {
    const mp::Value<int> value(5);
    EXPECT_EQ(in_child(
                  [](const mp::Value<int>& mine) {
                      mine.get_lock().acquire();
                      die();
                      return 0;
                  },
                  value),
              -1);
    EXPECT_THROW((void)value.value(), mp::LockOwnerDied);
    EXPECT_EQ(value.value(), 5);
}

TEST(RawValue, is_the_value_itself) {
    const mp::RawValue<long> value(4);
    EXPECT_EQ(
        in_child([](const mp::RawValue<long>& mine) { return ++std::atomic_ref(mine.value()), 0; }, value),
        0);
    EXPECT_EQ(value.value(), 5);
}

// ---- Array

TEST(Array, has_elements_that_all_processes_see_and_a_lock) {
    const auto array = mp::Array<int>::of({1, 2, 3});
    const auto add = [](const mp::Array<int>& mine) {
        for (int i = 0; i < 5'000; ++i) {
            const std::lock_guard lock(mine.get_lock());
            ++mine[0];
        }
        for (int i = 0; i < 5'000; ++i) mine.update([](std::span<int> all) { ++all[2]; });
        return 0;
    };
    child_program first(passed(add, array)), second(passed(add, array));
    EXPECT_EQ(first.wait().exit_code, 0);
    EXPECT_EQ(second.wait().exit_code, 0);
    EXPECT_EQ(std::vector<int>(array.begin(), array.end()), (std::vector{10'001, 2, 10'003}));
    EXPECT_EQ(array.update([](std::span<int> all) { return std::accumulate(all.begin(), all.end(), 0); }),
              20'006);
    EXPECT_EQ(mp::Array<double>(5).size(), 5u);
    EXPECT_EQ(mp::Array<int>::of(std::vector{4, 5}).at(1), 5);
    EXPECT_THROW((void)array.at(3), std::out_of_range);
    const mp::RawArray<int> elements = array.get_obj();
    EXPECT_EQ(elements.data(), &array[0]);
}

TEST(Array, tells_that_elements_may_be_half_changed) {
    const mp::Array<int> array(2);
    EXPECT_EQ(
        in_child([](const mp::Array<int>& mine) { return mine.update([](std::span<int>) { die(); }), 0; },
                 array),
        -1);
    EXPECT_THROW(array.update([](std::span<int>) {}), mp::LockOwnerDied);
    array.update([](std::span<int>) {});
}

TEST(Array, and_values_are_the_same_after_a_journey) {
    const std::tuple all{mp::Value<int>(1), mp::RawValue<char>('a'), mp::Array<int>::of({1, 2})};
    const auto arrived = test::returned(all);
    EXPECT_TRUE(std::get<0>(arrived) == std::get<0>(all));
    EXPECT_TRUE(std::get<1>(arrived) == std::get<1>(all));
    EXPECT_EQ(std::get<2>(arrived).begin(), std::get<2>(all).begin());
    EXPECT_TRUE(std::get<2>(arrived).get_lock() == std::get<2>(all).get_lock());
}

// ---- SharedMemory

std::string text_in(const mp::SharedMemory& memory, std::size_t size) {
    const auto bytes = memory.buf().first(size);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool is_there(const std::string& name) { return ::access(("/dev/shm/" + name).c_str(), F_OK) == 0; }

void write_to(const mp::SharedMemory& memory, std::string_view text) {
    std::ranges::copy(std::as_bytes(std::span(text)), memory.buf().begin());
}

TEST(SharedMemory, is_found_by_its_name_while_its_creator_lives) {
    std::string name;
    {
        const auto memory = mp::SharedMemory::create(100);
        name = memory.name();
        EXPECT_EQ(name.size(), 12u);
        EXPECT_TRUE(name.starts_with("psm_"));
        EXPECT_EQ(memory.size(), 100u);
        EXPECT_EQ(std::ranges::count(memory.buf(), std::byte{}), 100);
        child_program child(passed(
            [](const std::string& its_name) {
                mp::SharedMemory mine(its_name);
                write_to(mine, "hello");
                mine.close();
                return mine.buf().empty() ? 0 : 1;
            },
            name));
        EXPECT_EQ(child.wait().exit_code, 0);
        EXPECT_EQ(text_in(memory, 6), std::string("hello\0", 6));
        EXPECT_EQ(mp::SharedMemory("/" + name).name(), name);
    }
    EXPECT_THROW(mp::SharedMemory again(name), std::system_error);
    EXPECT_FALSE(is_there(name));
}

TEST(SharedMemory, is_not_removed_by_a_forked_child_that_drops_its_copy) {
    auto memory = mp::SharedMemory::create(10);
    child_program child([&] {
        const mp::SharedMemory dropped = std::move(memory);
        return 0;
    });
    EXPECT_EQ(child.wait().exit_code, 0);
    EXPECT_EQ(mp::SharedMemory(memory.name()).size(), 10u);
}

TEST(SharedMemory, stays_if_it_is_told_to) {
    std::string name;
    {
        auto memory = mp::SharedMemory::create(10);
        name = memory.name();
        memory.keep();
        write_to(memory, "stays");
    }
    mp::SharedMemory again(name);
    EXPECT_EQ(text_in(again, 5), "stays");
    again.unlink();
    EXPECT_EQ(text_in(again, 5), "stays");
    EXPECT_THROW(again.unlink(), std::system_error);
    EXPECT_FALSE(is_there(name));
}

TEST(SharedMemory, refuses_what_makes_no_sense) {
    EXPECT_THROW(mp::SharedMemory::create(0), std::invalid_argument);
    for (const std::string bad : {"a/b", "/", "..", "//a"}) {
        EXPECT_THROW(mp::SharedMemory::create(1, bad), std::invalid_argument) << bad;
        EXPECT_THROW(mp::SharedMemory{bad}, std::invalid_argument) << bad;
    }
    EXPECT_THROW(mp::SharedMemory::create(std::size_t{1} << 50), std::system_error);
    const auto memory = mp::SharedMemory::create(1, "procpool_test_" + std::to_string(::getpid()));
    try {
        mp::SharedMemory::create(1, memory.name());
        FAIL();
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::file_exists);
    }
}

/// What a Python program prints, without the end of the line.
std::string python(const std::string& program) {
    std::FILE* const output = ::popen(("/usr/bin/python3 -c '" + program + "' 2>&1").c_str(), "r");
    if (!output) return "no shell";
    std::string text;
    for (int c; (c = std::fgetc(output)) != EOF;) text.push_back(static_cast<char>(c));
    ::pclose(output);
    while (text.ends_with('\n')) text.pop_back();
    return text;
}

class SharedMemoryAndPython : public testing::Test {
protected:
    void SetUp() override {
        if (::access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "there is no Python";
    }
};

TEST_F(SharedMemoryAndPython, opens_what_is_made_here) {
    const auto memory = mp::SharedMemory::create(16);
    write_to(memory, "from C++");
    // Before 3.13 each program that opens a block removes it when it ends, unless it is told not to.
    EXPECT_EQ(python("from multiprocessing import shared_memory, resource_tracker\n"
                     "m = shared_memory.SharedMemory(\"" +
                     memory.name() +
                     "\")\n"
                     "resource_tracker.unregister(m._name, \"shared_memory\")\n"
                     "print(m.name, m.size, bytes(m.buf[:8]).decode())\n"
                     "m.buf[:6] = b\"Python\"\n"
                     "m.close()"),
              memory.name() + " 16 from C++");
    EXPECT_EQ(text_in(memory, 8), "Python++");
    EXPECT_EQ(mp::SharedMemory(memory.name()).size(), 16u);
}

TEST_F(SharedMemoryAndPython, makes_what_is_opened_here) {
    const std::string name = python(
        "from multiprocessing import shared_memory, resource_tracker\n"
        "m = shared_memory.SharedMemory(create=True, size=5000)\n"
        "resource_tracker.unregister(m._name, \"shared_memory\")\n"
        "m.buf[:5] = b\"hello\"\n"
        "print(m.name)\n"
        "m.close()");
    mp::SharedMemory memory(name);
    EXPECT_EQ(memory.name(), name);
    EXPECT_EQ(memory.size(), 5000u);
    EXPECT_EQ(text_in(memory, 5), "hello");
    memory.unlink();
}

}  // namespace value_test
