// SPDX-License-Identifier: MIT
// Calls that fail because the program has no memory left end: who waits for them is told, callbacks run.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <functional>
#include <new>
#include <utility>
#include <vector>

#include "procpool/executor.hpp"
#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace no_memory_test {

/// So many times operator new succeeds in this thread; less than 0: as often as one likes.
constinit thread_local long allocations_left = -1;

}  // namespace no_memory_test

[[gnu::noinline]] void* operator new(std::size_t size) {
    long& left = no_memory_test::allocations_left;
    void* const made = left == 0 ? nullptr : std::malloc(size);
    if (!made) throw std::bad_alloc();
    if (left > 0) --left;
    return made;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace no_memory_test {

namespace mp = procpool;

test::shared<test::gate> gate;

int wait_for_gate(int i) {
    gate->pass();
    return i;
}

/// Runs `act` with memory for so many objects. False if that was not enough.
bool with_memory_for(long objects, const std::function<void()>& act) {
    allocations_left = objects;
    try {
        act();
    } catch (const std::bad_alloc&) {
    }
    return std::exchange(allocations_left, -1) > 0;
}

template <class PoolType>
class NoMemory : public testing::Test {
protected:
    NoMemory() { gate.reset(); }

    /// Calls of all kinds, whose callbacks are counted.
    struct noted_calls {
        explicit noted_calls(PoolType& pool)
            : all(pool.map_async(wait_for_gate, test::views::iota(0, 4), {.chunksize = 1})) {
            note_end_of(all);
            for (int i = 0; i < 20; ++i) note_end_of(single.emplace_back(pool.apply_async(wait_for_gate, i)));
        }
        template <class T>
        void note_end_of(mp::AsyncResult<T>& call) {
            call.callback([this](const auto&) { ++callbacks; });
            // Nobody else ends the tasks of threads, for which a pool waits.
            call.error_callback([this](const std::exception_ptr&) { ++callbacks, gate->open(); });
        }
        void expect_end() {
            for (auto& call : single) EXPECT_TRUE(call.wait(test::patience));
            EXPECT_TRUE(all.wait(test::patience));
            EXPECT_EQ(callbacks, static_cast<int>(single.size() + 1));
        }

        std::atomic<int> callbacks{0};
        mp::AsyncResult<std::vector<int>> all;
        std::vector<mp::AsyncResult<int>> single;
    };
};
using pools = testing::Types<mp::Pool, mp::ThreadPool>;
TYPED_TEST_SUITE(NoMemory, pools);

TYPED_TEST(NoMemory, at_the_end_of_a_pool_leaves_no_call_without_an_end) {
    for (long objects = 0, enough = 0; !enough; ++objects) {
        gate.reset();
        TypeParam pool(1);
        typename TestFixture::noted_calls calls(pool);
        enough = with_memory_for(objects, [&] { pool.terminate(); });
        gate->open();
        pool.terminate();
        calls.expect_end();
        if (this->HasFailure()) FAIL() << "memory for " << objects << " objects";
    }
}

TYPED_TEST(NoMemory, while_a_call_is_waited_for_leaves_no_call_without_an_end) {
    for (long objects = 0, enough = 0; !enough; ++objects) {
        gate.reset();
        TypeParam pool(1);
        typename TestFixture::noted_calls calls(pool);
        gate->open();
        enough = with_memory_for(objects, [&] { calls.single.back().wait(); });
        calls.expect_end();
        if (this->HasFailure()) FAIL() << "memory for " << objects << " objects";
    }
}

TYPED_TEST(NoMemory, when_a_call_is_cancelled_leaves_no_call_without_an_end) {
    for (long objects = 0, enough = 0; !enough; ++objects) {
        gate.reset();
        TypeParam pool(1);
        typename TestFixture::noted_calls calls(pool);
        enough = with_memory_for(objects, [&] {
            calls.single.back().cancel();
            calls.all.cancel();
        });
        gate->open();
        calls.expect_end();
        if (this->HasFailure()) FAIL() << "memory for " << objects << " objects";
    }
}

TYPED_TEST(NoMemory, when_an_executor_withdraws_its_calls_leaves_none_without_an_end) {
    for (long objects = 0, enough = 0; !enough; ++objects) {
        gate.reset();
        mp::BasicExecutor<TypeParam> executor(1);
        std::vector<mp::Future<int>> futures;
        std::atomic<int> callbacks{0};
        for (int i = 0; i < 10; ++i) {
            futures.push_back(executor.submit(wait_for_gate, i));
            futures.back().add_done_callback([&](const mp::Future<int>&) { ++callbacks; });
        }
        enough = with_memory_for(objects, [&] { executor.shutdown(false, true); });
        gate->open();
        executor.shutdown();
        for (const auto& future : futures) EXPECT_TRUE(future.wait(test::patience));
        EXPECT_EQ(callbacks, 10);
        if (this->HasFailure()) FAIL() << "memory for " << objects << " objects";
    }
}

}  // namespace no_memory_test
