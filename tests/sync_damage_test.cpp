// SPDX-License-Identifier: MIT
// Processes that write where they should not: those who use the same objects get an error, and aren't killed.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cereal/types/string.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <random>
#include <string>
#include <vector>

#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "procpool/queue.hpp"
#include "procpool/shared_array.hpp"
#include "procpool/sync.hpp"
#include "procpool/value.hpp"
#include "support/handles.hpp"
#include "support/kills.hpp"
#include "support/processes.hpp"

namespace sync_damage_test {

namespace mp = procpool;
using namespace std::chrono_literals;
using test::in_child;
using test::passed;

// ---- files that are cut off

/// All memory files; what else is open is left alone, since it belongs to whoever runs the tests.
void truncate_descriptors() {
    for (const auto& [number, path] : test::descriptors_of(::getpid()))
        if (path.starts_with("/memfd:")) (void)!::ftruncate(number, 0);
}

TEST(Truncated, descriptors_of_a_task_do_not_harm_a_shared_array) {
    mp::Pool pool(1);
    const mp::SharedArray<int, 1> array({10'000});
    array[9'999] = 1;
    pool.apply([](const mp::SharedArray<int, 1>& mine) { truncate_descriptors(), ++mine[9'999]; }, array);
    EXPECT_EQ(array[9'999], 2);
    EXPECT_EQ(pool.apply([] { return 42; }), 42);
}

TEST(Truncated, descriptors_of_a_process_harm_no_object) {
    const mp::Queue<int> queue;
    const mp::Value<int> value(1);
    const mp::Lock lock;
    queue.put(1);
    EXPECT_EQ(in_child([](const auto&...) { return truncate_descriptors(), 0; }, queue, value, lock), 0);
    EXPECT_EQ(queue.get(0s), 1);
    EXPECT_EQ(value.value(), 1);
    EXPECT_TRUE(lock.try_lock());
    lock.unlock();
}

// ---- words that are overwritten

/// The memory of the newest object of some kind that this process has.
int file_of(const std::string& name) {
    int found = -1;
    for (const auto& [number, path] : test::descriptors_of(::getpid()))
        if (path.starts_with("/memfd:" + name)) found = std::max(found, number);
    return found;
}

/// Calls each call, of which any may fail.
template <class... Calls>
int call_all(const Calls&... calls) {
    const auto one = [](const auto& call) {
        try {
            call();
        } catch (const std::exception&) {
        }
    };
    (one(calls), ...);
    return 0;
}

/// Small ones, too, are nearer to what is right: they may be a process that lives, or a number of items.
enum class words { any, of_all_sizes };

/// Makes an object again and again, overwrites some words of its memory, and uses it in another process.
template <class Make, class Use>
void damage(const std::string& name, std::size_t size, words which, Make make, Use use) {
    const auto seed = std::random_device{}();
    std::mt19937_64 random(seed);
    for (int round = 0; round < test::kills() && !testing::Test::HasFailure(); ++round) {
        const auto object = make();
        const int file = file_of(name);
        ASSERT_GE(file, 0);
        for (auto number = random() % 4 + 1; number > 0; --number) {
            const std::uint64_t word = random() >> (which == words::any ? 0 : random() % 64);
            const auto at = static_cast<off_t>(random() % (size / sizeof word) * sizeof word);
            ASSERT_EQ(::pwrite(file, &word, sizeof word, at), static_cast<ssize_t>(sizeof word));
        }
        test::child_program child(passed([use](const auto& mine) { return use(mine); }, object));
        EXPECT_TRUE(test::eventually([&] { return test::look_at(child.pid()).state == 'Z'; }))
            << "it hangs; seed " << seed << ", round " << round;
        if (testing::Test::HasFailure()) return;
        const test::child_end end = child.wait();
        EXPECT_EQ(end.exit_code, 0) << "seed " << seed << ", round " << round << ", signal " << end.signal
                                    << "; " << end.errors;
    }
}

constexpr auto soon = 5ms;

TEST(Damaged, a_queue_is_an_error_for_those_who_use_it) {
    using procpool::detail::shared::record_queue;
    const auto use = [](const auto& mine) {
        const std::string item(100'000, 'x');
        return call_all([&] { (void)mine.try_put(item); }, [&] { (void)mine.try_get(); },
                        [&] { mine.put("", soon); }, [&] { (void)mine.get(soon); },
                        [&] { (void)mine.try_put(item); }, [&] { (void)mine.try_get(soon); },
                        [&] { (void)mine.qsize(); }, [&] { (void)mine.full(); });
    };
    for (const int maxsize : {0, 10})
        damage(
            "Queue", sizeof(record_queue), words::of_all_sizes,
            [maxsize] {
                const mp::Queue<std::string> queue(maxsize);
                for (int i = 0; i < 5; ++i) queue.put(std::string(static_cast<std::size_t>(i) * 1000, 'x'));
                (void)queue.get();
                return queue;
            },
            use);
}

TEST(Damaged, a_queue_does_not_keep_who_puts_for_ever) {
    using procpool::detail::shared::record_queue;
    for (const int maxsize : {0, 10})
        damage(
            "Queue", sizeof(record_queue), words::any,
            [maxsize] {
                const mp::Queue<int> queue(maxsize);
                for (int i = 0; i < 5; ++i) queue.put(i);
                return queue;
            },
            [](const auto& mine) { return call_all([&] { mine.put(1); }); });
}

TEST(Damaged, a_lock_is_an_error_for_those_who_use_it) {
    damage(
        "Lock", sizeof(procpool::detail::shared::lock_state), words::any, [] { return mp::Lock(); },
        [](const mp::Lock& mine) {
            return call_all([&] { mine.acquire(), mine.release(); },
                            [&] { (void)mine.acquire(soon), mine.release(); },
                            [&] { (void)mine.try_lock(); });
        });
    damage(
        "Value", sizeof(procpool::detail::shared::lock_state), words::any, [] { return mp::Value<long>(1); },
        [](const mp::Value<long>& mine) {
            return call_all([&] { mine.set_value(1); }, [&] { mine.update([](long& number) { ++number; }); });
        });
}

TEST(Damaged, a_lock_of_nobody_keeps_nobody) {
    const mp::Lock lock;
    const int file = file_of("Lock");
    constexpr std::uint32_t nobody = 0x3fff'fff0;
    ASSERT_EQ(::pwrite(file, &nobody, sizeof nobody, 0), 4);
    EXPECT_FALSE(lock.try_lock());
    EXPECT_THROW(lock.acquire(), mp::Error);
}

}  // namespace sync_damage_test
