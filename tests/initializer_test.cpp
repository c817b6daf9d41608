// SPDX-License-Identifier: MIT
// Initializers: what every worker runs first, and what becomes of a pool whose initializer fails.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/executor.hpp"
#include "procpool/pool.hpp"
#include "procpool/register_exception.hpp"
#include "procpool/thread_pool.hpp"
#include "support/processes.hpp"
#include "support/rounds.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace initializer_test {

namespace mp = procpool;

class LicenceMissing : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};
const bool registered = mp::register_exception<LicenceMissing>();

// What initializers tell the test, in memory shared by all processes.
struct record {
    std::atomic<int> begun;
    std::atomic<int> tasks;
    test::gate gate;
};
test::shared<record> seen;

class Initializer : public testing::Test {
protected:
    Initializer() { seen.reset(); }
};

int value_set = 0;  // by an initializer, in its worker

void set_value(int value) {
    seen->begun.fetch_add(1);
    value_set = value;
}
int get_value(int) {
    seen->tasks.fetch_add(1);
    return value_set;
}

void fail() {
    seen->begun.fetch_add(1);
    throw LicenceMissing("no licence");
}
void die_by_kill() {
    seen->begun.fetch_add(1);
    ::kill(::getpid(), SIGKILL);
}

// ---- that work

TEST_F(Initializer, runs_once_in_each_worker_before_its_first_task) {
    mp::Pool pool(3, set_value, 7);
    EXPECT_EQ(pool.map(get_value, test::views::iota(0, 60), {.chunksize = 1}), std::vector<int>(60, 7));
    EXPECT_TRUE(test::eventually([] { return seen->begun == 3; }));
}

TEST_F(Initializer, runs_in_replacements_too) {
    const auto begun = [](int count) { return test::eventually([=] { return seen->begun == count; }); };
    mp::Pool pool(2, set_value, 7);
    EXPECT_TRUE(begun(2));
    EXPECT_THROW(pool.apply([] { ::kill(::getpid(), SIGKILL); }), mp::WorkerDied);
    EXPECT_TRUE(begun(3));
    for (const long pid : test::workers()) ::kill(static_cast<pid_t>(pid), SIGKILL);
    EXPECT_EQ(pool.map(get_value, test::views::iota(0, 60), {.chunksize = 1}), std::vector<int>(60, 7));
    EXPECT_TRUE(begun(5));
}

TEST_F(Initializer, runs_once_for_each_worker_that_maxtasksperchild_replaces) {
    mp::Pool pool({.processes = 1, .maxtasksperchild = 2}, set_value, 7);
    EXPECT_EQ(pool.map(get_value, test::views::iota(0, 10), {.chunksize = 1}), std::vector<int>(10, 7));
    EXPECT_GE(seen->begun, 5);
    EXPECT_LE(seen->begun, 6);
}

TEST_F(Initializer, takes_arguments_of_any_size_and_number) {
    const auto add_up = [](const std::vector<int>& numbers, const std::string& text, int one) {
        set_value(static_cast<int>(numbers.size() + text.size()) + one);
    };
    mp::Pool pool(2, add_up, std::vector<int>(100'000, 1), std::string(50'000, 'x'), 1);
    EXPECT_EQ(pool.map(get_value, test::views::iota(0, 4)), std::vector<int>(4, 150'001));
}

// ---- that throw

TEST_F(Initializer, whose_exception_is_the_error_of_every_later_call_as_its_own_type) {
    mp::Pool pool(2, fail);
    const auto numbers = test::views::iota(0, 20);
    for (int round = 0; round < 3; ++round) {
        EXPECT_THROW(pool.apply(get_value, 1), LicenceMissing);
        EXPECT_THROW(pool.map(get_value, numbers), LicenceMissing);
        EXPECT_THROW(pool.map_async(get_value, numbers).get(), LicenceMissing);
        EXPECT_THROW(pool.imap(get_value, numbers).next(), LicenceMissing);
        EXPECT_THROW(pool.imap_unordered(get_value, numbers).next(), LicenceMissing);
    }
    EXPECT_LE(seen->begun, 2);  // nobody was started again
    EXPECT_EQ(seen->tasks, 0);  // in a worker that is not set up
}

TEST_F(Initializer, whose_exception_tells_that_it_was_the_initializer) {
    mp::Pool pool(1, fail);
    try {
        pool.apply(get_value, 1);
        FAIL();
    } catch (const LicenceMissing& error) {
        EXPECT_STREQ(error.what(), "no licence");
        try {
            std::rethrow_if_nested(error);
            FAIL();
        } catch (const mp::RemoteError& origin) {
            EXPECT_GT(origin.pid(), 0);
            EXPECT_EQ(origin.index(), std::nullopt);
            EXPECT_NE(std::string(origin.what()).find("in the initializer"), std::string::npos);
        }
    }
}

TEST_F(Initializer, that_fails_after_calls_were_made_ends_them_all) {
    mp::Pool pool(2, [] {
        seen->gate.pass();
        fail();
    });
    auto call = pool.apply_async(get_value, 1);
    auto map = pool.map_async(get_value, test::views::iota(0, 100));
    auto results = pool.imap(get_value, test::views::iota(0, 100));
    seen->gate.open();
    EXPECT_THROW(call.get(), LicenceMissing);
    EXPECT_THROW(map.get(), LicenceMissing);
    for (int i = 0; i < 4; ++i) EXPECT_THROW(results.next(), LicenceMissing);
    EXPECT_EQ(seen->tasks, 0);
}

TEST_F(Initializer, that_fails_during_try_map_gives_each_element_its_error) {
    constexpr std::size_t many = 200'000;
    mp::Pool pool(2, [] {
        seen->gate.pass();
        fail();
    });
    std::thread opener([] { seen->gate.open(); });
    std::size_t failed = 0;
    try {
        const auto outcomes =
            pool.try_map(get_value, test::views::iota(0, static_cast<int>(many)), {.chunksize = 10});
        EXPECT_EQ(outcomes.size(), many);
        for (const auto& outcome : outcomes) {
            if (outcome.error()) ++failed;
            if (!outcome.has_value()) {
                EXPECT_THROW(outcome.value(), LicenceMissing);
            }
        }
    } catch (const LicenceMissing&) {
        failed = many;  // before the call could begin
    }
    opener.join();
    EXPECT_EQ(failed, many);
}

TEST_F(Initializer, that_fails_in_one_worker_only_fails_the_pool_while_others_work) {
    for (int round = 0; round < 20; ++round) {
        seen.reset();
        mp::Pool pool(2, [] {
            if (mp::worker_index() == 1u) {
                seen->gate.pass();
                fail();
            }
        });
        std::thread opener([] {
            EXPECT_TRUE(test::eventually([] { return seen->tasks > 0; }));
            seen->gate.open();
        });
        try {
            // Results of the other worker may still come while the outcomes are read here.
            const auto outcomes = pool.try_map(
                [](int i) {
                    seen->tasks.fetch_add(1);
                    return std::to_string(i);
                },
                test::views::iota(0, 20'000), {.chunksize = 1});
            EXPECT_EQ(outcomes.size(), 20'000u);
            int i = 0;
            for (const auto& outcome : outcomes) {
                EXPECT_NE(outcome.has_value(), outcome.error() != nullptr);
                if (outcome.has_value()) {
                    EXPECT_EQ(*outcome, std::to_string(i));
                }
                ++i;
            }
        } catch (const LicenceMissing&) {
        }
        opener.join();
        // The other worker may have run all of it before this one fails.
        const bool has_failed = test::eventually([&] {
            try {
                pool.apply(get_value, 1);
                return false;
            } catch (const LicenceMissing&) {
                return true;
            }
        });
        EXPECT_TRUE(has_failed);
    }
}

void pass_gate() {
    seen->begun.fetch_add(1);
    seen->gate.pass();
    seen->tasks.fetch_add(1);
}

TEST_F(Initializer, is_let_finish_by_close_and_join) {
    mp::Pool pool({.processes = 2}, pass_gate);
    pool.close();
    const auto joined = std::async(std::launch::async, [&] { pool.join(); });
    EXPECT_TRUE(test::eventually([] { return seen->begun == 2; }));
    EXPECT_EQ(joined.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
    seen->gate.open();
    joined.wait();
    EXPECT_EQ(seen->tasks, 2);
}

TEST_F(Initializer, is_let_finish_at_the_end_of_an_executors_block) {
    {
        const mp::ProcessPoolExecutor executor({.max_workers = 3}, set_value, 5);
    }
    EXPECT_EQ(seen->begun, 3);
}

TEST_F(Initializer, runs_in_a_worker_that_is_let_go_at_once) {
    for (int round = 1; round <= test::rounds(20); ++round) {
        mp::Pool pool({.processes = 2}, set_value, 5);
        pool.close();
        pool.join();
        EXPECT_EQ(seen->begun, 2 * round);
    }
}

TEST_F(Initializer, that_never_succeeds_does_not_keep_join_waiting) {
    mp::Pool pool({.processes = 1, .restart_limit = 2}, die_by_kill);
    pool.close();
    pool.join();
    EXPECT_TRUE(test::workers().empty());
}

TEST_F(Initializer, is_ended_by_terminate) {
    mp::Pool pool({.processes = 1}, pass_gate);
    pool.close();
    pool.terminate();
    pool.join();
    EXPECT_EQ(seen->tasks, 0);
}

TEST_F(Initializer, that_fails_leaves_close_join_and_terminate_usable) {
    mp::Pool closed(2, fail);
    closed.close();
    closed.join();
    mp::Pool terminated(2, fail);
    EXPECT_THROW(terminated.apply(get_value, 1), LicenceMissing);
    terminated.terminate();
    terminated.join();
    EXPECT_THROW(terminated.apply(get_value, 1), mp::PoolNotRunning);
}

TEST_F(Initializer, that_throws_no_std_exception_fails_calls_with_its_type_name) {
    mp::Pool pool(2, [] { throw 42; });
    try {
        pool.apply(get_value, 1);
        FAIL();
    } catch (const mp::RemoteError& error) {
        EXPECT_EQ(error.type_name(), "int");
    }
}

// ---- that die

TEST_F(Initializer, that_always_dies_fails_calls_after_a_few_restarts) {
    mp::Pool pool(2, die_by_kill);
    for (int round = 0; round < 3; ++round) {
        try {
            pool.map(get_value, test::views::iota(0, 10));
            FAIL();
        } catch (const mp::WorkerDied& death) {
            EXPECT_EQ(death.signal(), SIGKILL);
            EXPECT_EQ(death.index(), std::nullopt);
            const std::string text = death.what();
            EXPECT_NE(text.find("initializer"), std::string::npos) << text;
            EXPECT_NE(text.find("signal 9 (SIGKILL)"), std::string::npos) << text;
        }
    }
    EXPECT_EQ(seen->tasks, 0);
    EXPECT_LE(seen->begun, 20) << "a storm of restarts";
    // Nobody goes on with it later.
    EXPECT_TRUE(test::eventually([] { return test::workers().empty(); }));
    const int before = seen->begun;
    EXPECT_THROW(pool.apply(get_value, 1), mp::WorkerDied);
    EXPECT_EQ(seen->begun, before);
}

TEST_F(Initializer, that_exits_fails_calls_with_its_exit_code) {
    mp::Pool pool(2, [] { ::_exit(5); });
    try {
        pool.apply(get_value, 1);
        FAIL();
    } catch (const mp::WorkerDied& death) {
        EXPECT_EQ(death.exit_code(), 5);
        EXPECT_EQ(death.index(), std::nullopt);
    }
}

TEST_F(Initializer, that_dies_in_the_first_workers_only_does_not_hurt) {
    mp::Pool pool(2, [] {
        if (seen->begun.fetch_add(1) < 3) ::kill(::getpid(), SIGKILL);
        value_set = 7;
    });
    EXPECT_EQ(pool.map(get_value, test::views::iota(0, 40), {.chunksize = 1}), std::vector<int>(40, 7));
    EXPECT_TRUE(test::eventually([] { return test::workers().size() == 2; }));
    EXPECT_LE(seen->begun, 5);
}

// ---- that can't be sent

struct unsendable {
    template <class Archive>
    void save(Archive&) const {
        throw std::runtime_error("not this one");
    }
    template <class Archive>
    void load(Archive&) {}
};

TEST_F(Initializer, argument_that_can_not_be_serialised_is_the_constructors_error) {
    try {
        mp::Pool pool(2, [](const unsendable&) {}, unsendable{});
        FAIL();
    } catch (const mp::SerializationError& error) {
        EXPECT_NE(std::string(error.what()).find("not this one"), std::string::npos) << error.what();
    }
}

TEST_F(Initializer, that_captures_a_pointer_is_refused_by_the_constructor) {
    int here = 1;
    EXPECT_THROW(mp::Pool(2, [pointer = &here] { ++*pointer; }), mp::SerializationError);
}

// ---- that wait until the options are known to make sense

struct notes_copies {
    template <class Archive>
    void save(Archive&) const {
        ++saved;
    }
    template <class Archive>
    void load(Archive&) {}
    static inline int saved = 0;
};

TEST_F(Initializer, arguments_are_not_encoded_if_an_option_is_wrong) {
    const auto begin = [](const notes_copies&) {};
    EXPECT_THROW(mp::Pool({.processes = -1}, begin, notes_copies{}), std::invalid_argument);
    EXPECT_THROW(mp::Pool({.processes = 1, .restart_limit = -1}, begin, notes_copies{}),
                 std::invalid_argument);
    EXPECT_EQ(notes_copies::saved, 0);
    const mp::Pool pool({.processes = 1}, begin, notes_copies{});
    EXPECT_EQ(notes_copies::saved, 1);
}

TEST_F(Initializer, arguments_are_not_moved_into_a_pool_of_threads_if_an_option_is_wrong) {
    const auto begin = [](const std::vector<int>&) {};
    std::vector<int> numbers{1, 2, 3};
    EXPECT_THROW(mp::ThreadPool({.processes = 0}, begin, std::move(numbers)), std::invalid_argument);
    EXPECT_THROW(mp::ThreadPoolExecutor({.max_tasks_per_child = 1}, begin, std::move(numbers)),
                 std::invalid_argument);
    EXPECT_EQ(numbers.size(), 3u);  // NOLINT(bugprone-use-after-move): that is the point
    const mp::ThreadPool pool({.processes = 1}, begin, std::move(numbers));
    EXPECT_TRUE(numbers.empty());  // NOLINT(bugprone-use-after-move): that is the point
}

}  // namespace initializer_test
