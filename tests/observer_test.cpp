// SPDX-License-Identifier: MIT
// Observers: what they are told of calls, elements and workers, in which order, and what they may do.
#include "procpool/observer.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/executor.hpp"
#include "procpool/parallel.hpp"
#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "support/rounds.hpp"
#include "support/shared.hpp"
#include "support/wait.hpp"

namespace observer_test {

namespace mp = procpool;
using namespace std::chrono_literals;
using outcome = mp::element_outcome;

struct board {
    std::atomic<int> count{0};
    test::gate gate;
};
test::shared<board> seen;

// ---- tasks

int twice(int i) { return 2 * i; }
int takes_5_ms(int i) {
    const auto until = std::chrono::steady_clock::now() + 5ms;
    while (std::chrono::steady_clock::now() < until) {
    }
    return i;
}
int waits(int i) {
    ++seen->count;
    seen->gate.pass();
    return i;
}
int throws_if_odd(int i) {
    if (i % 2 != 0) throw std::domain_error("odd");
    return i;
}
int dies_of_3(int i) {
    if (i == 3) ::raise(SIGKILL);
    return i;
}
int throws_first(int i) {
    if (seen->count++ == 0) throw std::domain_error("the first attempt");
    return i;
}
int sleeps_long(int i) {
    if (i == 1) ::sleep(60);
    return i;
}
std::string doubled(const std::string& text) { return text + text; }

std::vector<int> numbers(int count) {
    std::vector<int> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

// ---- what is told

/// Notes everything, and checks the order as it comes.
class recorder : public mp::Observer {
public:
    struct call {
        mp::CallInfo info;
        std::optional<mp::CallEnd> end;
        std::vector<mp::ElementBegin> begins;
        std::vector<mp::ElementEnd> ends;
        std::uint64_t given = 0;

        const mp::ElementEnd& end_of(std::uint64_t index) const {
            const auto at = std::find_if(ends.begin(), ends.end(), [&](const auto& one) {
                return one.index == index && !one.runs_again;
            });
            if (at == ends.end()) throw std::out_of_range("its end was not told");
            return *at;
        }
    };

    explicit recorder(std::chrono::nanoseconds text_from = 1ms) { set_text_from(text_from); }

    void call_begins(const mp::CallInfo& info) override {
        const std::lock_guard lock(mutex_);
        EXPECT_FALSE(calls_.contains(info.id)) << "begins twice";
        calls_[info.id].info = info;
    }
    void elements_given(const mp::CallInfo& info, const mp::ElementsGiven& some) override {
        const std::lock_guard lock(mutex_);
        of(info).given += some.count;
        EXPECT_GT(some.count, 0u);
    }
    void elements_begin(const mp::CallInfo& info, std::span<const mp::ElementBegin> some) override {
        const std::lock_guard lock(mutex_);
        EXPECT_FALSE(some.empty());
        for (const mp::ElementBegin& one : some) {
            EXPECT_GE(one.begun, info.begun);
            EXPECT_TRUE(run_.emplace(info.id, one.index).second)
                << "element " << one.index << " begins twice";
            of(info).begins.push_back(one);
        }
    }
    void elements_end(const mp::CallInfo& info, std::span<const mp::ElementEnd> some) override {
        const std::lock_guard lock(mutex_);
        EXPECT_FALSE(some.empty());
        largest_batch_ = std::max(largest_batch_, some.size());
        for (const mp::ElementEnd& one : some) {
            EXPECT_LE(one.begun, one.ended);
            EXPECT_LE(one.ended, std::chrono::steady_clock::now());
            if (one.worker) {
                EXPECT_EQ(run_.erase({info.id, one.index}), 1u) << "element " << one.index << " never began";
            }
            of(info).ends.push_back(one);
        }
    }
    void call_ends(const mp::CallInfo& info, const mp::CallEnd& end) override {
        const std::lock_guard lock(mutex_);
        of(info).end = end;
        EXPECT_GE(end.ended, info.begun);
        if (!end.error) {
            for (const auto& one : run_) EXPECT_NE(one.first, info.id) << "an element hasn't ended";
        }
        std::erase_if(run_, [&](const auto& one) { return one.first == info.id; });
    }
    void worker_starts(const mp::WorkerStart& start) override {
        const std::lock_guard lock(mutex_);
        EXPECT_LE(start.asked, start.began);
        starts_.push_back(start);
    }
    void worker_ends(const mp::WorkerEnd& end) override {
        const std::lock_guard lock(mutex_);
        worker_ends_.push_back(end);
    }

    std::vector<call> calls() const {
        const std::lock_guard lock(mutex_);
        std::vector<call> all;
        for (const auto& one : calls_) all.push_back(one.second);
        return all;
    }
    call only_call() const {
        const auto all = calls();
        if (all.size() != 1) throw std::out_of_range("not one call, but " + std::to_string(all.size()));
        return all.front();
    }
    std::vector<mp::WorkerStart> starts() const {
        const std::lock_guard lock(mutex_);
        return starts_;
    }
    std::vector<mp::WorkerEnd> worker_ends() const {
        const std::lock_guard lock(mutex_);
        return worker_ends_;
    }
    std::size_t largest_batch() const {
        const std::lock_guard lock(mutex_);
        return largest_batch_;
    }

private:
    call& of(const mp::CallInfo& info) {
        call& one = calls_[info.id];
        EXPECT_EQ(one.info.id, info.id) << "told before its begin";
        EXPECT_FALSE(one.end) << "told after its end";
        return one;
    }

    mutable std::mutex mutex_;
    std::map<std::uint64_t, call> calls_;
    std::set<std::pair<std::uint64_t, std::uint64_t>> run_;
    std::vector<mp::WorkerStart> starts_;
    std::vector<mp::WorkerEnd> worker_ends_;
    std::size_t largest_batch_ = 0;
};

template <class PoolType>
class AnyObserved : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
    const std::shared_ptr<recorder> told = std::make_shared<recorder>();
    mp::PoolOptions options() const { return {.processes = 2, .observers = {told}}; }
};
using pools = testing::Types<mp::Pool, mp::ThreadPool>;
TYPED_TEST_SUITE(AnyObserved, pools);

TYPED_TEST(AnyObserved, call_and_each_element_begin_and_end_once) {
    TypeParam pool(this->options());
    pool.map(twice, numbers(100), {.name = "doubling"});
    const auto call = this->told->only_call();
    EXPECT_EQ(call.info.name, "doubling");
    EXPECT_EQ(call.info.elements, 100u);
    ASSERT_TRUE(call.end) << "a call returns when observers were told of its end";
    EXPECT_EQ(call.end->succeeded, 100u);
    EXPECT_EQ(call.end->failed, 0u);
    EXPECT_FALSE(call.end->error);
    std::set<std::uint64_t> ended;
    for (const auto& one : call.ends) {
        EXPECT_EQ(one.outcome, outcome::returned);
        EXPECT_LT(*one.worker, 2u);
        ended.insert(one.index);
    }
    EXPECT_EQ(ended.size(), 100u);
    EXPECT_EQ(call.begins.size(), 100u);
}

TYPED_TEST(AnyObserved, each_kind_of_call_is_told) {
    TypeParam pool(this->options());
    pool.apply(twice, 1);
    pool.map(twice, std::vector<int>());
    EXPECT_EQ(pool.map_async(twice, numbers(3)).get().size(), 3u);
    int sum = 0;
    for (const int result : pool.imap(twice, numbers(4))) sum += result;
    EXPECT_EQ(sum, 12);
    pool.close();
    pool.join();
    std::vector<std::uint64_t> sizes;
    for (const auto& call : this->told->calls()) {
        EXPECT_TRUE(call.end);
        EXPECT_EQ(call.info.elements, call.ends.size());
        sizes.push_back(call.ends.size());
    }
    EXPECT_EQ(sizes, (std::vector<std::uint64_t>{1, 0, 3, 4}));
}

TYPED_TEST(AnyObserved, times_are_those_of_the_task_alone) {
    TypeParam pool(this->options());
    const auto before = std::chrono::steady_clock::now();
    pool.map(takes_5_ms, numbers(6));
    std::map<std::uint32_t, std::chrono::nanoseconds> busy;
    for (const auto& one : this->told->only_call().ends) {
        EXPECT_GE(one.run_time(), 5ms);
        EXPECT_GE(one.begun, before);
        busy[*one.worker] += one.run_time();
    }
    // A worker runs one after the other.
    for (const auto& one : busy) EXPECT_LE(one.second, std::chrono::steady_clock::now() - before);
}

TYPED_TEST(AnyObserved, a_slow_element_is_told_while_it_runs) {
    TypeParam pool(this->options());
    auto result = pool.map_async(waits, numbers(2), {.chunksize = 1});
    EXPECT_TRUE(test::eventually([&] {
        const auto calls = this->told->calls();
        return calls.size() == 1 && calls.front().begins.size() == 2;
    }));
    EXPECT_TRUE(this->told->only_call().ends.empty());
    seen->gate.open();
    result.wait();
    EXPECT_EQ(this->told->only_call().ends.size(), 2u);
}

TYPED_TEST(AnyObserved, exceptions_are_failures) {
    TypeParam pool(this->options());
    EXPECT_THROW(pool.map(throws_if_odd, numbers(10)), std::domain_error);
    const auto call = this->told->only_call();
    EXPECT_EQ(call.end->succeeded, 5u);
    EXPECT_EQ(call.end->failed, 5u);
    EXPECT_EQ(call.end_of(3).outcome, outcome::threw);
    EXPECT_EQ(call.end_of(4).outcome, outcome::returned);
}

TYPED_TEST(AnyObserved, workers_start_and_end_with_the_pool) {
    {
        TypeParam pool(this->options());
        pool.apply(twice, 1);
    }
    std::set<std::uint32_t> started, ended;
    for (const auto& one : this->told->starts()) started.insert(one.index);
    for (const auto& one : this->told->worker_ends()) {
        ended.insert(one.index);
        EXPECT_EQ(one.reason, mp::worker_end::pool_ended);
    }
    EXPECT_EQ(started.size(), 2u);
    EXPECT_EQ(ended.size(), 2u);
}

TYPED_TEST(AnyObserved, a_calls_own_observer_is_told_of_that_call_only) {
    TypeParam pool(2);
    pool.map(twice, numbers(10));
    pool.map(twice, numbers(20), {.observers = {this->told}});
    pool.apply(mp::TaskOptions{.name = "one", .observers = {this->told}}, twice, 1);
    pool.map(twice, numbers(10));
    const auto calls = this->told->calls();
    ASSERT_EQ(calls.size(), 2u);
    EXPECT_EQ(calls[0].ends.size(), 20u);
    EXPECT_EQ(calls[1].info.name, "one");
}

TYPED_TEST(AnyObserved, one_that_has_the_pool_and_the_call_is_told_once) {
    TypeParam pool(this->options());
    pool.add_observer(this->told);
    pool.map(twice, numbers(20), {.observers = {this->told}});
    EXPECT_EQ(this->told->only_call().ends.size(), 20u);
}

TYPED_TEST(AnyObserved, one_that_is_added_is_told_of_what_begins_later) {
    TypeParam pool(2);
    auto first = pool.map_async(waits, numbers(2));
    pool.add_observer(this->told);
    auto second = pool.map_async(twice, numbers(5));
    seen->gate.open();
    first.wait();
    second.wait();
    EXPECT_EQ(this->told->only_call().ends.size(), 5u);
}

TYPED_TEST(AnyObserved, null_is_refused) {
    TypeParam pool(1);
    EXPECT_THROW(pool.add_observer(nullptr), std::invalid_argument);
    EXPECT_THROW(pool.map(twice, numbers(1), {.observers = {nullptr}}), std::invalid_argument);
    EXPECT_THROW(TypeParam(mp::PoolOptions{.processes = 1, .observers = {nullptr}}), std::invalid_argument);
}

TYPED_TEST(AnyObserved, a_cancelled_call_ends_with_its_error) {
    TypeParam pool(this->options());
    std::stop_source stop;
    auto result = pool.map_async(waits, numbers(50), {.chunksize = 1, .stop = stop.get_token()});
    EXPECT_TRUE(test::eventually([] { return seen->count > 0; }));
    stop.request_stop();
    seen->gate.open();
    EXPECT_THROW(result.get(), mp::TaskCancelled);
    const auto call = this->told->only_call();
    ASSERT_TRUE(call.end);
    EXPECT_TRUE(call.end->error);
}

TYPED_TEST(AnyObserved, a_terminated_pool_ends_its_calls) {
    TypeParam pool(this->options());
    auto result = pool.map_async(waits, numbers(50), {.chunksize = 1});
    EXPECT_TRUE(test::eventually([] { return seen->count > 0; }));
    seen->gate.open();
    pool.terminate();
    const auto call = this->told->only_call();
    ASSERT_TRUE(call.end);
    EXPECT_EQ(this->told->worker_ends().size(), 2u);
}

TYPED_TEST(AnyObserved, ends_are_told_before_results_are_ready_whoever_drives) {
    TypeParam pool(this->options());
    const auto call_often = [&] {
        for (int i = 0; i < test::rounds(200); ++i) {
            const auto mine = std::make_shared<recorder>();
            pool.map(twice, numbers(20), {.chunksize = 2, .observers = {mine}});
            ASSERT_TRUE(mine->only_call().end);
            ASSERT_EQ(mine->only_call().ends.size(), 20u);
        }
    };
    std::thread other(call_often), third(call_often);
    call_often();
    other.join();
    third.join();
}

// ---- what an observer may do

struct throwing : mp::Observer {
    void elements_end(const mp::CallInfo&, std::span<const mp::ElementEnd>) override {
        ++calls;
        throw std::domain_error("an observer's own problem");
    }
    std::atomic<int> calls{0};
};

TYPED_TEST(AnyObserved, one_that_throws_is_told_no_more_and_its_error_once) {
    std::vector<std::string> errors;
    mp::PoolOptions with = this->options();
    with.error_handler = [&](std::exception_ptr error) {
        try {
            std::rethrow_exception(error);
        } catch (const std::exception& problem) {
            errors.push_back(problem.what());
        }
    };
    const auto bad = std::make_shared<throwing>();
    with.observers.insert(with.observers.begin(), bad);
    TypeParam pool(std::move(with));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(pool.map(twice, numbers(100)).size(), 100u);
    EXPECT_EQ(bad->calls, 1);
    EXPECT_EQ(errors, std::vector<std::string>{"an observer's own problem"});
    EXPECT_EQ(this->told->calls().size(), 3u) << "the others go on";
}

/// Uses the pool from each of its functions.
template <class PoolType>
struct meddling : mp::Observer {
    void use() {
        PoolType* const used = pool;
        if (!used) return;
        EXPECT_NE(used->state(), mp::pool_state::failed);
        if (used->state() != mp::pool_state::running) return;
        EXPECT_EQ(used->apply(twice, 4), 8);
        EXPECT_EQ(used->map(twice, numbers(10)).size(), 10u);
        ++uses;
    }
    void call_begins(const mp::CallInfo&) override { use(); }
    void elements_end(const mp::CallInfo&, std::span<const mp::ElementEnd>) override { use(); }
    void call_ends(const mp::CallInfo&, const mp::CallEnd&) override { use(); }
    std::atomic<PoolType*> pool{nullptr};
    std::atomic<int> uses{0};
};

TYPED_TEST(AnyObserved, may_use_the_pool_and_isnt_told_of_that) {
    const auto user = std::make_shared<meddling<TypeParam>>();
    mp::PoolOptions with = this->options();
    with.observers.push_back(user);
    TypeParam pool(std::move(with));
    user->pool = &pool;
    std::thread other([&] {
        for (int i = 0; i < test::rounds(20); ++i) pool.map(twice, numbers(5));
    });
    for (int i = 0; i < test::rounds(20); ++i) pool.map(twice, numbers(5));
    other.join();
    EXPECT_GE(user->uses, 4);
    user->pool = nullptr;  // or the last uses might come when it is closed
    pool.close();
    pool.join();
    EXPECT_EQ(this->told->calls().size(), 2u * static_cast<unsigned>(test::rounds(20)));
}

TYPED_TEST(AnyObserved, is_let_go_of_with_the_pool) {
    std::weak_ptr<recorder> watched;
    {
        const auto own = std::make_shared<recorder>();
        watched = own;
        TypeParam pool(mp::PoolOptions{.processes = 1, .observers = {own}});
        pool.map(twice, numbers(3), {.observers = {own}});
    }
    EXPECT_TRUE(test::eventually([&] { return watched.expired(); }));
}

TEST(ObservedExecutor, tells_futures_and_parallel_loops) {
    const auto told = std::make_shared<recorder>();
    {
        mp::ProcessPoolExecutor executor(mp::PoolOptions{.processes = 2, .observers = {told}});
        EXPECT_EQ(executor.submit(twice, 3).result(), 6);
        EXPECT_EQ(executor.submit(mp::TaskOptions{.name = "named"}, twice, 3).result(), 6);
    }
    EXPECT_EQ(told->calls().size(), 2u);
    EXPECT_EQ(told->calls().back().info.name, "named");
    mp::Parallel parallel(2, {.name = "loop", .observers = {told}});
    EXPECT_EQ(parallel(numbers(10) | mp::delayed(twice)).size(), 10u);
    EXPECT_EQ(told->calls().size(), 3u);
    EXPECT_EQ(told->calls().back().ends.size(), 10u);
    EXPECT_EQ(told->calls().back().info.name, "loop");
}

// ---- processes

class ObservedPool : public AnyObserved<mp::Pool> {};

TEST_F(ObservedPool, a_worker_that_is_killed_ends_its_element_and_is_replaced) {
    mp::Pool pool(options());
    EXPECT_THROW(pool.map(dies_of_3, numbers(20)), mp::WorkerDied);
    const auto call = told->only_call();
    EXPECT_EQ(call.end->succeeded, 19u);
    EXPECT_EQ(call.end_of(3).outcome, outcome::worker_died);
    ASSERT_TRUE(
        test::eventually([&] { return told->worker_ends().size() == 1 && told->starts().size() == 3; }));
    const auto end = told->worker_ends().front();
    EXPECT_EQ(end.reason, mp::worker_end::died);
    EXPECT_EQ(end.index, *call.end_of(3).worker);
    EXPECT_NE(end.how.find("SIGKILL"), std::string::npos) << end.how;
    EXPECT_GT(end.peak_memory, 0u);
    EXPECT_EQ(told->starts().back().index, end.index);
}

TEST_F(ObservedPool, a_calls_observer_is_told_of_deaths_meanwhile) {
    mp::Pool pool(2);
    EXPECT_THROW(pool.map(dies_of_3, numbers(20), {.observers = {told}}), mp::WorkerDied);
    EXPECT_EQ(told->worker_ends().size(), 1u);
}

TEST_F(ObservedPool, each_attempt_is_told) {
    mp::Pool pool(options());
    EXPECT_THROW(pool.map(dies_of_3, numbers(5), {.retries = 2}), mp::WorkerDied);
    std::vector<std::pair<std::uint32_t, bool>> attempts;
    for (const auto& one : told->only_call().ends)
        if (one.index == 3) attempts.emplace_back(one.attempt, one.runs_again);
    EXPECT_EQ(attempts, (std::vector<std::pair<std::uint32_t, bool>>{{1u, true}, {2u, true}, {3u, false}}));
    EXPECT_EQ(told->only_call().end->failed, 1u);
}

TEST_F(ObservedPool, an_attempt_that_threw_is_told_apart_from_the_one_that_returned) {
    mp::Pool pool(options());
    pool.map(throws_first, numbers(1), {.retries = 1, .retry_exceptions = true});
    const auto ends = told->only_call().ends;
    ASSERT_EQ(ends.size(), 2u);
    EXPECT_EQ(ends[0].outcome, outcome::threw);
    EXPECT_TRUE(ends[0].runs_again);
    EXPECT_EQ(ends[1].outcome, outcome::returned);
    EXPECT_EQ(ends[1].attempt, 2u);
}

TEST_F(ObservedPool, a_time_limit_is_told_as_such) {
    mp::Pool pool(options());
    EXPECT_THROW(pool.map(sleeps_long, numbers(3), {.timeout = 50ms}), mp::TaskTimeout);
    const auto call = told->only_call();
    EXPECT_EQ(call.end_of(1).outcome, outcome::timed_out);
    EXPECT_GE(call.end_of(1).run_time(), 50ms);
    EXPECT_TRUE(test::eventually([&] { return told->worker_ends().size() == 1; }));
    EXPECT_EQ(told->worker_ends().front().reason, mp::worker_end::ended);
}

TEST_F(ObservedPool, a_worker_that_has_run_its_share_is_finished) {
    mp::Pool pool(mp::PoolOptions{.processes = 1, .maxtasksperchild = 2, .observers = {told}});
    pool.map(twice, numbers(4), {.chunksize = 1});
    ASSERT_TRUE(test::eventually([&] { return told->worker_ends().size() == 2; }));
    for (const auto& one : told->worker_ends()) EXPECT_EQ(one.reason, mp::worker_end::finished) << one.how;
}

TEST_F(ObservedPool, quick_elements_come_in_batches_and_none_is_lost) {
    constexpr int count = 30'000;
    mp::Pool pool(options());
    pool.map(twice, numbers(count));
    pool.map(twice, numbers(count), {.chunksize = 10'000});
    for (const auto& call : told->calls()) {
        EXPECT_EQ(call.ends.size(), static_cast<std::size_t>(count));
        std::int64_t last = 0;
        std::set<std::uint64_t> indices;
        for (const auto& one : call.ends) {
            indices.insert(one.index);
            last = std::max(last, one.ended.time_since_epoch().count());
            EXPECT_GT(one.begun, call.info.begun);
        }
        EXPECT_EQ(indices.size(), static_cast<std::size_t>(count));
        EXPECT_LE(last, call.end->ended.time_since_epoch().count());
    }
    EXPECT_GT(told->largest_batch(), 10u);
}

TEST_F(ObservedPool, arguments_are_told_as_text_and_in_bytes) {
    const auto all = std::make_shared<recorder>(0ns);
    mp::Pool pool(mp::PoolOptions{.processes = 2, .observers = {all}});
    pool.map(doubled, std::vector<std::string>{"a", "bb", std::string(100'000, 'c')});
    pool.starmap([](int a, double b) { return a * b; }, std::vector<std::pair<int, double>>{{1, 2.5}});
    const auto calls = all->calls();
    EXPECT_EQ(calls[0].end_of(1).arguments, "\"bb\"");
    EXPECT_EQ(calls[0].end_of(1).argument_bytes, sizeof(std::uint64_t) + 2);
    EXPECT_EQ(calls[0].end_of(1).result_bytes, sizeof(std::uint64_t) + 4);
    EXPECT_GE(calls[0].end_of(2).argument_bytes, 100'000u);
    EXPECT_LT(calls[0].end_of(2).argument_bytes, 101'000u);
    EXPECT_GE(calls[0].end_of(2).result_bytes, 200'000u);
    EXPECT_EQ(calls[1].end_of(0).arguments, "1, 2.500000");
    EXPECT_EQ(calls[1].end_of(0).argument_bytes, sizeof(int) + sizeof(double));
}

TEST_F(ObservedPool, quick_elements_have_no_text) {
    mp::Pool pool(options());
    pool.map(twice, numbers(3));
    for (const auto& one : told->only_call().ends)
        EXPECT_TRUE(one.run_time() >= 1ms || one.arguments.empty()) << one.arguments;
}

TEST_F(ObservedPool, what_may_be_secret_is_not_quoted) {
    const auto all = std::make_shared<recorder>(0ns);
    mp::Pool pool(mp::PoolOptions{.processes = 1, .quote_arguments = false, .observers = {all}});
    pool.map(doubled, std::vector<std::string>{"secret"});
    EXPECT_EQ(all->only_call().end_of(0).arguments, "...");
}

struct refuses_to_be_sent {
    int i = 0;
    template <class Archive>
    void serialize(Archive& archive) {
        if (i == 1) throw std::domain_error("not this one");
        archive(i);
    }
};
int number_of(const refuses_to_be_sent& one) { return one.i; }

TEST_F(ObservedPool, what_cant_be_encoded_ends_without_a_worker) {
    mp::Pool pool(options());
    EXPECT_THROW(pool.map(number_of, std::vector<refuses_to_be_sent>{{0}, {1}, {2}}), mp::SerializationError);
    const auto call = told->only_call();
    EXPECT_EQ(call.end_of(1).outcome, outcome::not_sent);
    EXPECT_FALSE(call.end_of(1).worker);
    EXPECT_EQ(call.end->failed, 1u);
}

TEST_F(ObservedPool, calls_in_a_row_are_all_told) {
    constexpr int count = 2'000;
    mp::Pool pool(options());
    std::vector<mp::AsyncResult<int>> results;
    for (int i = 0; i < count; ++i) results.push_back(pool.apply_async(twice, i));
    for (auto& one : results) one.wait();
    pool.close();
    pool.join();
    std::size_t elements = 0;
    for (const auto& call : told->calls()) {
        EXPECT_TRUE(call.end);
        elements += call.ends.size();
    }
    EXPECT_EQ(elements, static_cast<std::size_t>(count));
}

TEST_F(ObservedPool, deaths_by_chance_lose_no_end) {
    mp::Pool pool(options());
    for (int i = 0; i < test::rounds(20); ++i) {
        auto result = pool.map_async(takes_5_ms, numbers(20), {.chunksize = 1, .retries = 1000});
        for (int kills = 0; kills < 3; ++kills) {
            const auto workers = pool.workers();
            const long pid = workers[static_cast<std::size_t>(kills) % workers.size()].pid;
            if (pid > 0) ::kill(static_cast<pid_t>(pid), SIGKILL);
            std::this_thread::sleep_for(2ms);
        }
        result.get();
    }
    for (const auto& call : told->calls()) {
        EXPECT_EQ(call.end->succeeded, 20u);
        std::set<std::uint64_t> ended;
        for (const auto& one : call.ends) EXPECT_TRUE(one.runs_again || ended.insert(one.index).second);
        EXPECT_EQ(ended.size(), 20u);
    }
}

}  // namespace observer_test
