// SPDX-License-Identifier: MIT
// Waits that end before what they wait for: by a hook of the waiting thread, by a stop token.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <numeric>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/as_completed.hpp"
#include "procpool/executor.hpp"
#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "procpool/wait_hook.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace interrupted_wait_test {

namespace mp = procpool;
using namespace std::chrono_literals;

struct board {
    std::atomic<int> count{0};
    test::gate gate;
};
test::shared<board> seen;

int twice(int i) { return 2 * i; }
int waits(int i) {
    ++seen->count;
    seen->gate.pass();
    return i;
}

/// The same; and 10,000 of them take seconds also when the gate is open.
int waits_and_rests(int i) {
    waits(i);
    ::usleep(1000);
    return i;
}

/// What Ctrl-C is to an interpreter.
struct interrupted {};

template <class PoolType>
class InterruptedWait : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
    void TearDown() override { seen->gate.open(); }

    /// Interrupts `call`, which waits.
    template <class Call>
    static void expect_interrupted(Call call) {
        const mp::WaitHook hook([] { throw interrupted(); }, 2ms);
        EXPECT_THROW(call(), interrupted);
    }
};
using pools = testing::Types<mp::Pool, mp::ThreadPool>;
TYPED_TEST_SUITE(InterruptedWait, pools);

TYPED_TEST(InterruptedWait, for_a_result_leaves_the_call_alone) {
    TypeParam pool(2);
    auto one = pool.apply_async(waits, 3);
    auto many = pool.map_async(waits, test::views::iota(0, 100));
    this->expect_interrupted([&] { one.get(); });
    this->expect_interrupted([&] { one.wait(); });
    this->expect_interrupted([&] { one.get(1h); });
    this->expect_interrupted([&] { one.exception(); });
    this->expect_interrupted([&] { many.get(); });
    EXPECT_FALSE(one.ready());
    seen->gate.open();
    EXPECT_EQ(one.get(), 3);
    EXPECT_EQ(many.get().size(), 100u);
}

TYPED_TEST(InterruptedWait, for_a_stream_loses_no_result) {
    TypeParam pool(2);
    auto results = pool.imap(waits, test::views::iota(0, 100));
    this->expect_interrupted([&] { results.next(); });
    this->expect_interrupted([&] { results.begin(); });
    seen->gate.open();
    for (int i = 0; i < 100; ++i) EXPECT_EQ(results.next(), i);
    EXPECT_EQ(results.next(), std::nullopt);
}

TYPED_TEST(InterruptedWait, of_a_join_can_be_repeated) {
    TypeParam pool(2);
    auto result = pool.apply_async(waits, 3);
    pool.close();
    this->expect_interrupted([&] { pool.join(); });
    seen->gate.open();
    pool.join();
    EXPECT_EQ(result.get(), 3);
}

TYPED_TEST(InterruptedWait, for_a_call_without_a_handle_gives_it_up) {
    TypeParam pool(2);
    // Threads can't be ended: their tasks must be let go.
    const auto interrupt = [] {
        if (seen->count < 2) return;
        if constexpr (std::is_same_v<TypeParam, mp::ThreadPool>) seen->gate.open();
        throw interrupted();
    };
    {
        const mp::WaitHook hook(interrupt, 2ms);
        std::vector<int> input(10'000);
        std::iota(input.begin(), input.end(), 0);
        EXPECT_THROW(pool.map(waits_and_rests, input, {.chunksize = 1}), interrupted);
        EXPECT_LT(seen->count, 10'000);
    }
    seen.reset();
    ++seen->count;
    {
        const mp::WaitHook hook(interrupt, 2ms);
        EXPECT_THROW(pool.apply(waits, 1), interrupted);
    }
    EXPECT_EQ(pool.map(twice, std::vector{1, 2, 3}), (std::vector{2, 4, 6}));
}

TYPED_TEST(InterruptedWait, for_futures_leaves_them_alone) {
    mp::BasicExecutor<TypeParam> executor(2), other(1);
    const std::vector<mp::Future<int>> both{executor.submit(waits, 3), executor.submit(waits, 4)};
    const std::vector<mp::Future<int>> of_two{both[0], other.submit(waits, 5)};
    this->expect_interrupted([&] { both[0].result(); });
    this->expect_interrupted([&] { both[0].wait(); });
    this->expect_interrupted([&] { mp::wait(both); });
    this->expect_interrupted([&] { mp::wait(of_two); });
    auto completed = mp::as_completed(of_two);
    this->expect_interrupted([&] { completed.begin(); });
    this->expect_interrupted([&] { executor.shutdown(); });
    seen->gate.open();
    EXPECT_EQ(both[0].result() + both[1].result() + of_two[1].result(), 3 + 4 + 5);
}

TYPED_TEST(InterruptedWait, goes_on_after_a_hook_that_only_looks) {
    TypeParam pool(2);
    int calls = 0;
    std::thread::id caller;
    const mp::WaitHook hook(
        [&] {
            caller = std::this_thread::get_id();
            EXPECT_EQ(pool.apply(twice, 4), 8) << "it may use the pool";
            if (++calls == 5) seen->gate.open();
        },
        2ms);
    EXPECT_EQ(pool.apply(waits, 3), 3);
    EXPECT_GE(calls, 5);
    EXPECT_EQ(caller, std::this_thread::get_id());
}

TYPED_TEST(InterruptedWait, is_the_newest_hooks_and_its_own_threads) {
    TypeParam pool(2);
    int outer = 0, inner = 0;
    auto result = pool.apply_async(waits, 3);
    const mp::WaitHook hook(
        [&] {
            ++outer;
            throw interrupted();
        },
        1ms);
    {
        const mp::WaitHook newest(
            [&] {
                ++inner;
                throw interrupted();
            },
            1ms);
        EXPECT_THROW(result.wait(), interrupted);
    }
    EXPECT_EQ(outer, 0);
    EXPECT_EQ(inner, 1);
    std::thread([&] { EXPECT_FALSE(result.wait(20ms)); }).join();
    EXPECT_EQ(outer, 0);
    EXPECT_THROW(result.wait(), interrupted);
    EXPECT_EQ(outer, 1);
    seen->gate.open();
}

/// What a thread runs of others while it waits is none of its own waits.
thread_local bool runs_others_code = false;
struct others_code {
    others_code() { runs_others_code = true; }
    others_code(const others_code&) = delete;
    others_code& operator=(const others_code&) = delete;
    ~others_code() { runs_others_code = false; }
};
/// Waits for another pool, long enough for a hook of this thread to be due.
int waits_elsewhere(mp::ThreadPool& other) {
    const others_code here;
    return other.apply([] {
        std::this_thread::sleep_for(10ms);
        return 7;
    });
}
/// Counts its calls there.
auto intruder(std::atomic<int>& intrusions) {
    return [&] {
        if (runs_others_code) ++intrusions;
    };
}

TYPED_TEST(InterruptedWait, calls_no_hook_in_a_callback_that_its_thread_runs) {
    mp::ThreadPool other(1);
    std::atomic<int> intrusions{0}, results{0};
    TypeParam pool(1);
    const mp::WaitHook hook(intruder(intrusions), 1ms);
    for (int i = 0; i < 5; ++i) {
        auto call = pool.apply_async(twice, 4);
        call.callback([&](int) { results += waits_elsewhere(other); });
        EXPECT_EQ(call.get(), 8);
    }
    EXPECT_EQ(intrusions, 0);
    EXPECT_EQ(results, 5 * 7);
}

TYPED_TEST(InterruptedWait, calls_a_hook_that_takes_as_long_as_its_interval_beside_the_work) {
    // In the pool's only thread, which has to do the work for which it waits.
    mp::ThreadPool pool(1);
    const auto slow = [] { std::this_thread::sleep_for(2ms); };
    auto call = pool.apply_async([&] {
        const mp::WaitHook hook(slow, 0ms);
        return pool.apply(twice, 4);
    });
    ASSERT_TRUE(call.wait(test::patience));
    EXPECT_EQ(call.get(), 8);
    TypeParam tested(1);
    const mp::WaitHook hook(slow, 0ms);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(tested.apply(twice, i), 2 * i);
}

mp::ThreadPool* pool_of_load = nullptr;

/// Waits for a pool when it is rebuilt in the program.
struct waits_when_loaded {
    int value = 0;
    template <class Archive>
    void save(Archive& archive) const {
        archive(value);
    }
    template <class Archive>
    void load(Archive& archive) {
        archive(value);
        if (pool_of_load) value += waits_elsewhere(*pool_of_load);
    }
};

TEST(InterruptedWaitHook, is_not_called_while_its_thread_rebuilds_results) {
    mp::Pool pool(1);  // before the other, which its worker doesn't know
    mp::ThreadPool other(1);
    pool_of_load = &other;
    std::atomic<int> intrusions{0};
    const mp::WaitHook hook(intruder(intrusions), 1ms);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(pool.apply([] { return waits_when_loaded{1}; }).value, 8);
    pool_of_load = nullptr;
    EXPECT_EQ(intrusions, 0);
}

TEST(InterruptedWaitHook, is_not_called_in_a_task_that_its_thread_runs_while_it_waits) {
    mp::ThreadPool pool(1), other(1);
    std::atomic<int> intrusions{0};
    EXPECT_EQ(pool.apply([&] {
        const mp::WaitHook hook(intruder(intrusions), 1ms);
        return pool.apply([&] { return waits_elsewhere(other); });
    }),
              7);
    EXPECT_EQ(intrusions, 0);
}

TYPED_TEST(InterruptedWait, for_a_stop_token_leaves_the_call_alone) {
    TypeParam pool(2);
    mp::BasicExecutor<TypeParam> executor(1);
    auto result = pool.apply_async(waits, 3);
    const auto future = executor.submit(waits, 4);
    std::stop_source before;
    before.request_stop();
    EXPECT_FALSE(result.wait(before.get_token()));
    EXPECT_FALSE(future.wait(before.get_token()));
    for (int i = 0; i < 2; ++i) {
        std::stop_source stop;
        std::jthread stopper([&] {
            test::eventually([] { return seen->count == 2; });
            stop.request_stop();
        });
        EXPECT_FALSE(i == 0 ? result.wait(stop.get_token()) : future.wait(stop.get_token()));
    }
    seen->gate.open();
    std::stop_source never;
    EXPECT_TRUE(result.wait(never.get_token()));
    EXPECT_TRUE(future.wait(never.get_token()));
    EXPECT_TRUE(result.wait(before.get_token())) << "it is there";
    EXPECT_EQ(result.get() + future.result(), 7);
}

}  // namespace interrupted_wait_test
