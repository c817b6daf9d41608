// SPDX-License-Identifier: MIT
// Queues between processes.
#include "procpool/queue.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include <cereal/types/memory.hpp>

#include <algorithm>
#include <atomic>
#include <cereal/types/map.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "procpool/shared_array.hpp"
#include "support/arrays.hpp"
#include "support/handles.hpp"
#include "support/leftovers.hpp"

namespace queue_test {

namespace mp = procpool;
using namespace std::chrono_literals;
using test::in_child;
using test::passed;
using test::returned;
using test::time_of;

// ---- items

TEST(Queue, gives_items_in_the_order_in_which_they_were_put) {
    const mp::Queue<int> queue;
    for (int i = 0; i < 1000; ++i) queue.put(i);
    EXPECT_EQ(queue.qsize(), 1000);
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(queue.get(), i);
    EXPECT_TRUE(queue.empty());
}

template <class T>
void expect_to_come_through(const std::vector<T>& items) {
    const mp::Queue<T> queue;
    for (const T& item : items) queue.put(item);
    for (const T& item : items) EXPECT_EQ(queue.get(), item);
    EXPECT_EQ(in_child(
                  [](const mp::Queue<T>& there, const std::vector<T>& same) {
                      for (const T& item : same) there.put(item);
                      return 0;
                  },
                  queue, items),
              0);
    for (const T& item : items) EXPECT_EQ(queue.get(), item);
}

struct point {
    int x, y;
    bool operator==(const point&) const = default;
};

TEST(Queue, takes_all_that_a_task_could_take) {
    expect_to_come_through<std::uint8_t>({1, 2, 3});
    expect_to_come_through<point>({{1, 2}, {3, 4}});
    expect_to_come_through<std::string>({"", "a", std::string(1'000'000, 'x'), "end"});
    expect_to_come_through<std::vector<double>>({{}, {1.5}, std::vector<double>(200'000, 0.5), {2, 3}});
    expect_to_come_through<std::vector<std::string>>({{}, {"", "b"}, {std::string(100'000, 'y')}});
    expect_to_come_through<std::tuple<int, std::string>>({{1, "one"}, {2, ""}});
    expect_to_come_through<std::map<std::string, int>>({{{"a", 1}, {"b", 2}}, {}});
    expect_to_come_through<int (*)(int)>({std::abs});
}

struct only_movable {
    std::unique_ptr<int> value;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(value);
    }
};

TEST(Queue, gives_what_can_only_be_moved) {
    const mp::Queue<only_movable> queue;
    queue.put({std::make_unique<int>(3)});
    EXPECT_EQ(*queue.get().value, 3);
    EXPECT_FALSE(queue.try_get());
}

struct capricious {
    int value = 0;
    template <class Archive>
    void save(Archive& archive) const {
        if (value == 1) throw std::range_error("can't be saved");
        archive(value);
    }
    template <class Archive>
    void load(Archive& archive) {
        archive(value);
        if (value == 2) throw std::range_error("can't be loaded");
    }
};

TEST(Queue, an_item_that_cant_be_encoded_or_decoded_harms_no_other) {
    const mp::Queue<capricious> queue(3);
    queue.put({0});
    EXPECT_THROW(queue.put({1}), mp::SerializationError);
    queue.put({2});
    queue.put({3});
    EXPECT_EQ(queue.get().value, 0);
    EXPECT_THROW(queue.get(), mp::SerializationError);
    EXPECT_EQ(queue.get().value, 3);
    EXPECT_TRUE(queue.empty());
}

TEST(Queue, takes_queues) {
    const mp::Queue<std::pair<mp::Queue<int>, int>> queue;
    const mp::Queue<int> inner;
    queue.put({inner, 5});
    queue.get().first.put(7);
    EXPECT_EQ(inner.get(), 7);
}

// ---- waiting

TEST(Queue, without_an_item_is_Empty) {
    const mp::Queue<int> queue;
    EXPECT_THROW(queue.get_nowait(), mp::Empty);
    EXPECT_FALSE(queue.try_get());
    EXPECT_GE(time_of([&] { EXPECT_THROW(queue.get(20ms), mp::Empty); }), 20ms);
    EXPECT_GE(time_of([&] { EXPECT_FALSE(queue.try_get(20ms)); }), 20ms);
    EXPECT_THROW(queue.get(-1s), mp::Empty);
    queue.put(1);
    EXPECT_EQ(queue.get(0s), 1);
    queue.put(2);
    EXPECT_EQ(queue.get_nowait(), 2);
}

TEST(Queue, that_is_bounded_is_Full_at_its_size) {
    const mp::Queue<int> queue(2);
    EXPECT_FALSE(queue.full());
    queue.put(1);
    queue.put_nowait(2);
    EXPECT_TRUE(queue.full());
    EXPECT_THROW(queue.put_nowait(3), mp::Full);
    EXPECT_FALSE(queue.try_put(3));
    EXPECT_GE(time_of([&] { EXPECT_THROW(queue.put(3, 20ms), mp::Full); }), 20ms);
    EXPECT_EQ(queue.get(), 1);
    queue.put(3, 0s);
    EXPECT_EQ(queue.qsize(), 2);
    EXPECT_EQ(queue.get(), 2);
    EXPECT_EQ(queue.get(), 3);
}

TEST(Queue, wakes_those_who_wait_for_items) {
    const mp::Queue<int> in, out;
    const auto echo = [](const mp::Queue<int>& from, const mp::Queue<int>& to) {
        while (const int value = from.get()) to.put(value);
        return 0;
    };
    test::child_program first(passed(echo, in, out)), second(passed(echo, in, out));
    EXPECT_TRUE(test::falls_asleep(first));
    EXPECT_TRUE(test::falls_asleep(second));
    for (int i = 1; i <= 1000; ++i) {
        in.put(i);
        EXPECT_EQ(out.get(test::patience), i);
    }
    in.put(0);
    in.put(0);
    EXPECT_EQ(first.wait().exit_code, 0);
    EXPECT_EQ(second.wait().exit_code, 0);
}

TEST(Queue, wakes_those_who_wait_for_room) {
    const mp::Queue<int> queue(1);
    const auto put = [](const mp::Queue<int>& to) {
        for (int i = 0; i < 500; ++i) to.put(1);
        return 0;
    };
    test::child_program first(passed(put, queue)), second(passed(put, queue));
    EXPECT_TRUE(test::falls_asleep(first));
    EXPECT_TRUE(test::falls_asleep(second));
    int sum = 0;
    for (int i = 0; i < 1000; ++i) sum += queue.get(test::patience);
    EXPECT_EQ(sum, 1000);
    EXPECT_EQ(first.wait().exit_code, 0);
    EXPECT_EQ(second.wait().exit_code, 0);
}

TEST(Queue, that_is_idle_takes_no_time) {
    const mp::Queue<int> queue;
    timespec before{}, after{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    EXPECT_FALSE(queue.try_get(100ms));
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    EXPECT_LT((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1'000'000, 50);
}

TEST(Queue, calls_that_do_not_wait_return_though_others_wait) {
    const mp::Queue<int> queue(1);
    const mp::SharedArray<long, 1> calls({2});
    const auto counted = [](auto call, const mp::SharedArray<long, 1>& number, std::size_t which) {
        for (;;) {
            call();
            ++std::atomic_ref(number[which]);
        }
        return 0;
    };
    test::child_program getter(passed(
        [](const mp::Queue<int>& mine) {
            for (;;) (void)mine.get();
            return 0;
        },
        queue));
    test::child_program at_once(passed(
        [counted](const mp::Queue<int>& mine, const mp::SharedArray<long, 1>& number) {
            return counted([&] { (void)mine.try_get(); }, number, 0);
        },
        queue, calls));
    test::child_program in_time(passed(
        [counted](const mp::Queue<int>& mine, const mp::SharedArray<long, 1>& number) {
            return counted([&] { (void)mine.try_get(100us); }, number, 1);
        },
        queue, calls));
    for (int i = 0; i < 300 && !HasFailure(); ++i) {
        queue.put(i, test::patience);
        for (const std::size_t which : {0u, 1u}) {
            const std::atomic_ref number(calls[which]);
            const long before = number;
            ASSERT_TRUE(test::eventually([&] { return number > before + 1; }))
                << "it waits for the next item, after " << i;
        }
    }
}

// ---- many at once

TEST(Queue, brings_each_item_of_many_to_one_of_many) {
    const mp::Queue<std::vector<int>> queue;
    const mp::Queue<int> large_only(50);
    constexpr int number = 5'000;
    const auto make = [](const mp::Queue<std::vector<int>>& to, int first) {
        // From 4 bytes to 20 KB, so that they lie in all manners.
        for (int i = first; i < first + number; ++i) to.put(std::vector<int>(i % 50 == 0 ? 5'000u : 1u, i));
        return 0;
    };
    const auto use = [](const mp::Queue<std::vector<int>>& from, const mp::Queue<int>& seen) {
        for (;;) {
            const std::vector<int> item = from.get();
            if (item.empty()) return 0;
            if (std::ranges::count(item, item[0]) != std::ranges::ssize(item)) return 1;
            seen.put(item[0]);
        }
    };
    test::child_program first(passed(make, queue, 0)), second(passed(make, queue, number));
    test::child_program third(passed(use, queue, large_only)), fourth(passed(use, queue, large_only));
    std::vector<int> seen(2 * number), expected(2 * number);
    for (int& one : seen) one = large_only.get(test::patience);
    std::iota(expected.begin(), expected.end(), 0);
    std::ranges::sort(seen);
    EXPECT_EQ(seen, expected);
    queue.put({});
    queue.put({});
    for (auto* child : {&first, &second, &third, &fourth}) EXPECT_EQ(child->wait().exit_code, 0);
}

TEST(Queue, serves_threads_of_one_process) {
    const mp::Queue<std::string> queue(10);
    const auto put = [&] {
        for (int i = 0; i < 2'000; ++i) queue.put(std::to_string(i));
    };
    std::thread first(put), second(put);
    long sum = 0;
    for (int i = 0; i < 4'000; ++i) sum += std::stol(queue.get());
    first.join();
    second.join();
    EXPECT_EQ(sum, 2'000L * 1'999);
}

// ---- memory

std::uint64_t memory_of(const mp::Queue<std::vector<char>>&) {
    return test::memory_of_files("memfd:Queue") / 1024;
}

TEST(Queue, that_is_kept_short_stays_in_little_memory) {
    const mp::Queue<std::vector<char>> queue;
    const std::vector<char> small(100, 'a');
    for (int i = 0; i < 100'000; ++i) {
        queue.put(small);
        if (i > 10) (void)queue.get();
    }
    EXPECT_LT(memory_of(queue), 400u);
}

TEST(Queue, uses_its_memory_again_whatever_the_sizes) {
    const mp::Queue<std::vector<char>> queue;
    std::mt19937 dice(1);
    std::uint64_t in_queue = 0, most = 0;
    std::vector<std::size_t> sizes;
    std::size_t next = 0;
    for (int i = 0; i < 20'000; ++i) {
        const bool growing = i / 1000 % 2 == 0;
        if (growing || dice() % 2 == 0) {
            const std::size_t size = dice() % (dice() % 10 == 0 ? 50'000 : 500);
            queue.put(std::vector<char>(size, static_cast<char>(size)));
            sizes.push_back(size);
            in_queue += size + 40;
            most = std::max(most, in_queue);
        } else if (next < sizes.size()) {
            const std::vector<char> item = queue.get();
            ASSERT_EQ(item.size(), sizes[next]);
            ASSERT_EQ(std::ranges::count(item, static_cast<char>(item.size())), std::ranges::ssize(item));
            in_queue -= sizes[next++] + 40;
        }
    }
    EXPECT_LT(memory_of(queue) * 1024, 4 * most + (1 << 20));
}

TEST(Queue, gives_memory_back_when_it_is_empty) {
    const mp::Queue<std::vector<char>> queue;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 100; ++i) queue.put(std::vector<char>(1 << 20, static_cast<char>(i)));
        EXPECT_GE(memory_of(queue), 100u << 10);
        for (int i = 0; i < 100; ++i) ASSERT_EQ(queue.get().back(), static_cast<char>(i));
        EXPECT_LE(memory_of(queue), 20u << 10);
    }
}

// ---- the end

TEST(Queue, that_is_closed_refuses_its_process_only) {
    const mp::Queue<int> queue;
    queue.put(1);
    EXPECT_EQ(in_child(
                  [](const mp::Queue<int>& mine) {
                      const mp::Queue<int> copy = mine;
                      mine.close();
                      try {
                          copy.put(2);
                      } catch (const mp::QueueClosed&) {
                          return 0;
                      }
                      return 1;
                  },
                  queue),
              0);
    EXPECT_EQ(queue.get(), 1);
    queue.close();
    queue.join_thread();
    queue.cancel_join_thread();
    EXPECT_THROW(queue.get(), mp::QueueClosed);
    EXPECT_THROW((void)queue.try_get(), mp::QueueClosed);
    EXPECT_THROW(queue.put(1), mp::QueueClosed);
}

TEST(Queue, keeps_what_a_process_has_put_that_ended) {
    const mp::Queue<std::string> queue;
    EXPECT_EQ(in_child(
                  [](const mp::Queue<std::string>& mine) {
                      mine.put("here");
                      ::kill(::getpid(), SIGKILL);
                      return 0;
                  },
                  queue),
              -1);
    EXPECT_EQ(queue.get(1s), "here");
}

TEST(Queue, in_a_variable_of_a_forked_child_says_what_to_do) {
    const mp::Queue<int> queue;
    test::child_program child([&] {
        try {
            queue.put(1);
        } catch (const mp::Error& error) {
            return std::string(error.what()).find("pass it") != std::string::npos ? 0 : 1;
        }
        return 2;
    });
    EXPECT_EQ(child.wait().exit_code, 0);
}

// ---- items that are handles

TEST(Queue, brings_shared_arrays_which_their_sender_keeps_until_they_are_taken) {
    using array = mp::SharedArray<int, 1>;
    const mp::Queue<array> queue;
    const std::size_t before = test::mappings();
    queue.put(array::of({1, 2, 3}));
    EXPECT_EQ(test::mappings(), before + 1);
    EXPECT_EQ(in_child([](const mp::Queue<array>& mine) { return mine.get()[2] - 3; }, queue), 0);
    EXPECT_EQ(test::mappings(), before + 1);
    queue.put(array::of({4}));
    EXPECT_EQ(test::mappings(), before + 1);
    EXPECT_EQ(queue.get()[0], 4);
}

TEST(Queue, join_thread_waits_until_what_this_process_keeps_is_taken) {
    using array = mp::SharedArray<int, 1>;
    const mp::Queue<array> queue;
    const mp::Queue<int> go;
    test::child_program child(passed(
        [](const mp::Queue<array>& mine, const mp::Queue<int>& started) {
            mine.put(array::of({5}));
            mine.close();
            started.put(1);
            mine.join_thread();
            return 0;
        },
        queue, go));
    EXPECT_EQ(go.get(test::patience), 1);
    EXPECT_TRUE(test::falls_asleep(child));
    EXPECT_EQ(queue.get()[0], 5);
    EXPECT_EQ(child.wait().exit_code, 0);
}

TEST(Queue, an_item_whose_sender_is_gone_is_an_error_and_out_of_the_way) {
    using array = mp::SharedArray<int, 1>;
    const mp::Queue<array> queue;
    EXPECT_EQ(in_child([](const mp::Queue<array>& mine) { return mine.put(array::of({5})), 0; }, queue), 0);
    queue.put(array::of({6}));
    EXPECT_THROW(queue.get(), mp::SerializationError);
    EXPECT_EQ(queue.get()[0], 6);
}

// ---- the other queues

TEST(SimpleQueue, brings_items) {
    const mp::SimpleQueue<int> queue;
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(in_child([](const mp::SimpleQueue<int>& mine) { return mine.put(4), 0; }, queue), 0);
    EXPECT_FALSE(queue.empty());
    EXPECT_EQ(queue.get(), 4);
    queue.close();
    EXPECT_THROW(queue.put(1), mp::QueueClosed);
}

TEST(JoinableQueue, is_joined_when_all_items_are_done) {
    const mp::JoinableQueue<int> queue;
    queue.join();
    for (int i = 0; i < 100; ++i) queue.put(i);
    EXPECT_FALSE(queue.join(1ms));
    const auto work = [](const mp::JoinableQueue<int>& mine) {
        while (mine.get() >= 0) mine.task_done();
        mine.task_done();
        return 0;
    };
    test::child_program first(passed(work, queue)), second(passed(work, queue));
    queue.join();
    EXPECT_TRUE(queue.empty());
    queue.put(-1);
    queue.put(-1);
    EXPECT_TRUE(queue.join(test::patience));
    EXPECT_EQ(first.wait().exit_code, 0);
    EXPECT_EQ(second.wait().exit_code, 0);
}

TEST(JoinableQueue, refuses_that_more_is_done_than_was_taken) {
    const mp::JoinableQueue<int> queue(5);
    EXPECT_THROW(queue.task_done(), std::invalid_argument);
    queue.put(1);
    EXPECT_THROW(queue.task_done(), std::invalid_argument);
    (void)queue.get();
    queue.task_done();
    EXPECT_THROW(queue.task_done(), std::invalid_argument);
}

TEST(JoinableQueue, wakes_all_who_join) {
    const mp::JoinableQueue<int> queue;
    queue.put(1);
    const auto join = [](const mp::JoinableQueue<int>& mine) { return mine.join(), 0; };
    test::child_program first(passed(join, queue)), second(passed(join, queue));
    EXPECT_TRUE(test::falls_asleep(first));
    EXPECT_TRUE(test::falls_asleep(second));
    (void)queue.get();
    queue.task_done();
    EXPECT_EQ(first.wait().exit_code, 0);
    EXPECT_EQ(second.wait().exit_code, 0);
}

}  // namespace queue_test
