// SPDX-License-Identifier: MIT
// Results whose load() uses the pool that they come from, while it is rebuilding them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "procpool/executor.hpp"
#include "procpool/pool.hpp"
#include "support/processes.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace result_that_calls_test {

namespace mp = procpool;

int twice(int i) { return 2 * i; }

/// What load() does in the program, where results are rebuilt.
std::function<void()> in_load;

struct caller {
    int number = 0;

    template <class Archive>
    void save(Archive& archive) const {
        archive(number);
    }
    template <class Archive>
    void load(Archive& archive) {
        archive(number);
        if (!procpool::worker_index() && in_load) std::exchange(in_load, nullptr)();
    }
};
caller make(int number) { return {number}; }

class ResultThatCalls : public testing::Test {
protected:
    void TearDown() override { in_load = nullptr; }

    std::optional<mp::Pool> pool{2};

    /// What it says to whoever waits for the pool in a load(), which `call` does.
    template <class Call>
    std::string refusal_of(Call call) {
        in_load = call;
        try {
            pool->apply(make, 1);
        } catch (const mp::SerializationError& error) {
            return error.what();
        }
        return "(not thrown)";
    }
};

TEST_F(ResultThatCalls, is_refused_to_wait_for_its_own_pool) {
    const std::string sentence = "can't wait for the pool that is rebuilding it";
    EXPECT_NE(refusal_of([this] { pool->apply(twice, 1); }).find(sentence), std::string::npos);
    EXPECT_NE(refusal_of([this] { pool->map(twice, test::views::iota(0, 100)); }).find(sentence),
              std::string::npos);
    EXPECT_NE(refusal_of([this] {
                  for ([[maybe_unused]] const int x : pool->imap(twice, test::views::iota(0, 100))) {
                  }
              }).find(sentence),
              std::string::npos);
    EXPECT_EQ(pool->apply(make, 7).number, 7);
    EXPECT_EQ(refusal_of([this] {
                  pool->close();
                  pool->join();
              }).find("(not"),
              std::string::npos);
    EXPECT_THROW(pool->apply(make, 7), mp::PoolNotRunning);
}

TEST_F(ResultThatCalls, may_start_calls_and_cancel_them) {
    std::optional<mp::AsyncResult<int>> later, cancelled;
    in_load = [&] {
        later = pool->apply_async(twice, 4);
        cancelled = pool->apply_async(twice, 5);
        cancelled->cancel();
    };
    EXPECT_EQ(pool->apply(make, 7).number, 7);
    EXPECT_EQ(later->get(), 8);
    EXPECT_TRUE(cancelled->ready());
}

TEST_F(ResultThatCalls, may_use_another_pool) {
    mp::Pool other(1);
    int result = 0;
    in_load = [&] { result = other.apply(twice, 4); };
    EXPECT_EQ(pool->apply(make, 7).number, 7);
    EXPECT_EQ(result, 8);
}

TEST_F(ResultThatCalls, may_terminate_its_pool) {
    const auto workers = test::workers();
    ASSERT_EQ(workers.size(), 2u);
    in_load = [this] { pool->terminate(); };
    EXPECT_THROW(pool->map(make, test::views::iota(0, 1000), {.chunksize = 1}), mp::PoolTerminated);
    EXPECT_THROW(pool->apply(twice, 1), mp::PoolNotRunning);
    EXPECT_TRUE(test::eventually([] { return test::workers().empty(); }));
    pool->join();
}

TEST_F(ResultThatCalls, may_terminate_its_pool_in_a_thread_of_that) {
    in_load = [this] { pool->terminate(); };
    auto result = pool->apply_async(make, 7);
    // Nobody waits: the pool's own thread rebuilds it.
    EXPECT_TRUE(test::eventually([&] { return result.ready() && test::workers().empty(); }));
    EXPECT_THROW(result.get(), mp::PoolTerminated);
}

TEST_F(ResultThatCalls, may_destroy_its_pool) {
    auto result = pool->apply_async(make, 7);
    in_load = [this] { pool.reset(); };
    EXPECT_THROW(result.get(), mp::PoolTerminated);
    EXPECT_TRUE(test::eventually([] { return test::workers().empty(); }));

    // The pool's own thread rebuilds it, which can't wait for its own end: another one does.
    const auto before = test::descriptors_of(::getpid()).size();
    pool.emplace(2);
    in_load = [this] { pool.reset(); };
    (void)pool->apply_async(make, 7);
    EXPECT_TRUE(test::eventually([&] { return test::descriptors_of(::getpid()).size() == before; }));
}

TEST_F(ResultThatCalls, of_an_executor_is_refused_to_wait_for_it) {
    mp::ProcessPoolExecutor executor(1);
    std::string told;
    in_load = [&] {
        auto future = executor.submit(twice, 4);
        try {
            future.result();
        } catch (const mp::Error& error) {
            told = error.what();
        }
    };
    EXPECT_EQ(executor.submit(make, 7).result().number, 7);
    EXPECT_NE(told.find("can't wait for the pool that is rebuilding it"), std::string::npos) << told;
}

}  // namespace result_that_calls_test
