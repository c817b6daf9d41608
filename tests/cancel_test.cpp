// SPDX-License-Identifier: MIT
// Calls that are given up: cancel(), std::stop_token, fail_fast, an imap that is left half way.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "procpool/pool.hpp"
#include "support/processes.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"

namespace cancel_test {

namespace mp = procpool;
using namespace std::chrono_literals;

struct shared_state {
    std::atomic<int> begun{0};
    std::atomic<long> hanging{0};
};
test::shared<shared_state> state;

int count(int i) {
    state->begun.fetch_add(1);
    return i;
}
int hang(int) {
    state->begun.fetch_add(1);
    state->hanging.store(::getpid());
    for (;;) ::pause();
}
int hang_at_0(int i) { return i == 0 ? hang(i) : count(i); }

bool is_gone(long pid) { return test::look_at(pid).state == 'X'; }
bool somebody_hangs() {
    return test::eventually([] { return state->hanging.load() != 0; });
}

/// `count` numbers that can be read once, and nobody knows how many. The second half comes after the stop.
struct Unsized {
    int* next;
    int count;
    std::stop_token stop;
    struct iterator {
        using value_type = int;
        using difference_type = std::ptrdiff_t;
        int* next = nullptr;
        int count = 0;
        std::stop_token stop = {};
        int operator*() const { return *next; }
        iterator& operator++() {
            if (++*next == count / 2) test::eventually([&] { return stop.stop_requested(); });
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(std::default_sentinel_t) const { return *next == count; }
    };
    iterator begin() const { return {next, count, stop}; }
    std::default_sentinel_t end() const { return {}; }
};

class Cancel : public testing::Test {
protected:
    Cancel() { state.reset(); }
};

TEST_F(Cancel, ends_a_running_task_and_replaces_its_worker) {
    mp::Pool pool(1);
    auto result = pool.apply_async(hang, 1);
    ASSERT_TRUE(somebody_hangs());
    EXPECT_TRUE(result.cancel());
    EXPECT_TRUE(result.ready());
    EXPECT_THROW(result.get(), mp::TaskCancelled);
    EXPECT_TRUE(test::eventually([] { return is_gone(state->hanging); })) << "while nobody waits";
    EXPECT_EQ(pool.apply(count, 5), 5);
}

TEST_F(Cancel, takes_back_what_has_not_begun) {
    mp::Pool pool(1);
    for (int i = 0; i < 50; ++i) pool.apply(count, i);  // quick, so that many are sent ahead
    state->begun = 0;
    auto blocker = pool.apply_async(hang, 1);
    std::vector<mp::AsyncResult<int>> waiting;
    for (int i = 0; i < 30; ++i) waiting.push_back(pool.apply_async(count, i));
    ASSERT_TRUE(somebody_hangs());
    for (auto& one : waiting) EXPECT_TRUE(one.cancel());
    EXPECT_FALSE(is_gone(state->hanging)) << "only what was cancelled is ended";
    blocker.cancel();
    for (auto& one : waiting) EXPECT_THROW(one.get(), mp::TaskCancelled);
    EXPECT_EQ(pool.apply(count, 7), 7);
    EXPECT_EQ(state->begun.load(), 2) << "the blocker and the last";
}

TEST_F(Cancel, of_a_map_ends_all_its_elements_and_no_others) {
    mp::Pool pool(2);
    auto other = pool.apply_async(
        [](int i) {
            ::usleep(100'000);
            return i;
        },
        3);
    auto map = pool.map_async(hang, test::views::iota(0, 1000), {.chunksize = 10});
    ASSERT_TRUE(somebody_hangs());
    EXPECT_TRUE(map.cancel());
    EXPECT_THROW(map.get(), mp::TaskCancelled);
    EXPECT_TRUE(test::eventually([] { return is_gone(state->hanging); }));
    EXPECT_EQ(other.get(), 3);
    EXPECT_LE(state->begun.load(), 2);
    EXPECT_EQ(pool.map(count, test::views::iota(0, 3)), (std::vector{0, 1, 2}));
}

TEST_F(Cancel, of_a_result_that_is_there_does_nothing) {
    mp::Pool pool(1);
    auto result = pool.apply_async(count, 4);
    result.wait();
    EXPECT_FALSE(result.cancel());
    EXPECT_EQ(result.get(), 4);
    auto twice = pool.apply_async(hang, 1);
    EXPECT_TRUE(twice.cancel());
    EXPECT_FALSE(twice.cancel());
}

TEST_F(Cancel, runs_the_error_callback) {
    mp::Pool pool(1);
    auto result = pool.apply_async(hang, 1);
    std::atomic<bool> told{false};
    result.error_callback([&](const std::exception_ptr& error) {
        EXPECT_THROW(std::rethrow_exception(error), mp::TaskCancelled);
        told = true;
    });
    result.cancel();
    EXPECT_TRUE(test::eventually([&] { return told.load(); }));
}

TEST_F(Cancel, of_a_task_that_ignores_sigterm_kills_it_after_the_grace) {
    mp::Pool pool({.processes = 1, .terminate_grace = 20ms});
    auto result = pool.apply_async(
        [](int i) {
            ::signal(SIGTERM, SIG_IGN);
            return hang(i);
        },
        1);
    ASSERT_TRUE(somebody_hangs());
    result.cancel();
    EXPECT_TRUE(test::eventually([] { return is_gone(state->hanging); }));
    EXPECT_EQ(pool.apply(count, 1), 1);
}

TEST_F(Cancel, of_quick_work_keeps_the_worker) {
    mp::Pool pool(1);
    std::set<long> workers;
    for (int i = 0; i < 100; ++i) {
        pool.map_async(count, test::views::iota(0, 1000), {.chunksize = 1}).cancel();
        workers.insert(pool.apply([] { return static_cast<long>(::getpid()); }));
    }
    EXPECT_LT(workers.size(), 50u) << "where the machine is busy, some elements take longer than they should";
}

TEST_F(Cancel, at_any_moment_leaves_the_pool_usable) {
    mp::Pool pool(2);
    for (int i = 0; i < 200; ++i) {
        auto result = pool.map_async(
            [](int n) {
                ::usleep(static_cast<unsigned>(n % 7) * 100);
                return n;
            },
            test::views::iota(0, 50), {.chunksize = 1 + i % 5});
        ::usleep(static_cast<unsigned>(i * 37 % 3000));
        if (result.cancel()) {
            EXPECT_THROW(result.get(), mp::TaskCancelled);
        } else {
            EXPECT_EQ(result.get().size(), 50u);
        }
    }
    EXPECT_EQ(pool.map(count, test::views::iota(0, 3)), (std::vector{0, 1, 2}));
}

// ---- std::stop_token

/// Requests a stop as soon as `event()` returns.
template <class Event>
std::jthread stop_after(Event event, std::stop_source& source) {
    return std::jthread([event, &source] {
        event();
        source.request_stop();
    });
}

TEST_F(Cancel, by_a_stop_request_ends_a_blocking_map) {
    mp::Pool pool(2);
    std::stop_source source;
    const auto stopper = stop_after(somebody_hangs, source);
    EXPECT_THROW(pool.map(hang_at_0, test::views::iota(0, 100), {.stop = source.get_token()}),
                 mp::TaskCancelled);
    EXPECT_TRUE(test::eventually([] { return is_gone(state->hanging); }));
}

/// A result that counts in the program how many have arrived there.
struct Arriving {
    int value = 0;
    static inline std::atomic<int> arrived{0};
    template <class Archive>
    void save(Archive& archive) const {
        archive(value);
    }
    template <class Archive>
    void load(Archive& archive) {
        archive(value);
        ++arrived;
    }
};

TEST_F(Cancel, by_a_stop_request_keeps_what_try_map_has) {
    mp::Pool pool(2);
    std::stop_source source;
    Arriving::arrived = 0;
    const auto stopper = stop_after([] { test::eventually([] { return Arriving::arrived == 99; }); }, source);
    const auto outcomes =
        pool.try_map([](int i) { return Arriving{hang_at_0(i)}; }, test::views::iota(0, 100),
                     {.chunksize = 1, .stop = source.get_token()});
    EXPECT_THROW(outcomes[0].value(), mp::TaskCancelled);
    for (std::size_t i = 1; i < 100; ++i) EXPECT_EQ(outcomes[i].value().value, static_cast<int>(i));
}

TEST_F(Cancel, of_a_try_map_leaves_an_outcome_for_each_element_of_an_input_of_unknown_size) {
    mp::Pool pool(2);
    std::stop_source source;
    const auto stopper = stop_after(somebody_hangs, source);
    constexpr int count = 50'000;  // far more than is read ahead
    int next = 0;
    const auto outcomes = pool.try_map(hang_at_0, Unsized{&next, count, source.get_token()},
                                       {.chunksize = 1, .stop = source.get_token()});
    EXPECT_EQ(outcomes.size(), static_cast<std::size_t>(count));
    EXPECT_THROW(outcomes.back().value(), mp::TaskCancelled);
}

TEST_F(Cancel, by_a_stop_request_works_for_every_call) {
    mp::Pool pool(2);
    std::stop_source source;
    auto single = pool.apply_async({.stop = source.get_token()}, hang, 1);
    auto map = pool.map_async(hang, test::views::iota(0, 10), {.stop = source.get_token()});
    auto stream = pool.imap(hang, test::views::iota(0, 10), {.stop = source.get_token()});
    ASSERT_TRUE(somebody_hangs());
    source.request_stop();
    EXPECT_THROW(single.get(), mp::TaskCancelled);
    EXPECT_THROW(map.get(), mp::TaskCancelled);
    EXPECT_THROW(stream.next(), mp::TaskCancelled);
    EXPECT_EQ(pool.apply(count, 1), 1);
}

TEST_F(Cancel, by_a_stop_that_was_requested_before_runs_nothing) {
    mp::Pool pool(1);
    std::stop_source source;
    source.request_stop();
    EXPECT_THROW(pool.map(count, test::views::iota(0, 10), {.stop = source.get_token()}), mp::TaskCancelled);
    EXPECT_THROW(pool.map(count, std::vector<int>{}, {.stop = source.get_token()}), mp::TaskCancelled);
    EXPECT_EQ(state->begun.load(), 0);
}

TEST_F(Cancel, by_a_stop_request_after_the_end_does_nothing) {
    std::stop_source source;
    mp::AsyncResult<int> result = [&] {
        mp::Pool pool(1);
        auto one = pool.apply_async({.stop = source.get_token()}, count, 6);
        one.wait();
        return one;
    }();
    source.request_stop();
    EXPECT_EQ(result.get(), 6);
}

// ---- fail_fast

TEST_F(Cancel, fail_fast_drops_what_has_not_begun) {
    const auto fail_at_5 = [](int i) {
        if (i == 5) throw std::domain_error("five");
        return count(i);
    };
    // A pool for each: what runs when the first call ends goes on.
    EXPECT_THROW(
        mp::Pool(2).map(fail_at_5, test::views::iota(0, 100'000), {.chunksize = 1, .fail_fast = true}),
        std::domain_error);
    EXPECT_LT(state->begun.load(), 90'000);
    state->begun = 0;
    EXPECT_THROW(mp::Pool(2).map(fail_at_5, test::views::iota(0, 1000), {.chunksize = 1}), std::domain_error);
    EXPECT_EQ(state->begun.load(), 999) << "without it all others run, as in Python";
}

TEST_F(Cancel, fail_fast_in_try_map_tells_which_were_dropped) {
    mp::Pool pool(1);
    const auto outcomes = pool.try_map(
        [](int i) {
            if (i == 2) ::kill(::getpid(), SIGKILL);
            return i;
        },
        test::views::iota(0, 1000), {.chunksize = 1, .fail_fast = true});
    EXPECT_EQ(outcomes[0].value(), 0);
    EXPECT_THROW(outcomes[2].value(), mp::WorkerDied);
    EXPECT_THROW(outcomes[999].value(), mp::TaskCancelled);
}

TEST_F(Cancel, fail_fast_lets_running_elements_finish) {
    mp::Pool pool(2);
    const auto one_fails = [](int i) {
        if (i == 1) {
            somebody_hangs();
            throw std::domain_error("while the other runs");
        }
        state->hanging = 1;
        ::usleep(20'000);
        count(i);
    };
    EXPECT_THROW(pool.map(one_fails, test::views::iota(0, 2), {.chunksize = 1, .fail_fast = true}),
                 std::domain_error);
    pool.close();
    pool.join();
    EXPECT_EQ(state->begun.load(), 1);
}

// ---- imap

TEST_F(Cancel, leaving_an_imap_ends_what_runs_for_it) {
    mp::Pool pool(2);
    {
        auto results = pool.imap(hang_at_0, test::views::iota(0));
        ASSERT_TRUE(somebody_hangs());
    }
    EXPECT_TRUE(test::eventually([] { return is_gone(state->hanging); }));
    EXPECT_EQ(pool.apply(count, 1), 1);
}

}  // namespace cancel_test
