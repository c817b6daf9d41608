// SPDX-License-Identifier: MIT
// The failure matrix: two workers, twelve tasks of 20 ms of which number 3 misbehaves, then one more task.
// The other eleven have their results, the pool is usable, and number 3 says what happened.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "procpool/pool.hpp"
#include "support/processes.hpp"
#include "support/views.hpp"

namespace failure_matrix_test {

namespace mp = procpool;
using namespace std::chrono_literals;

/// A type that no worker's exception can be rebuilt as.
struct Unknown {
    std::string text = "unknown";
};

/// A number whose encoding fails on its way in one direction or the other.
struct Fragile {
    int value = 0;
    bool breaks = false;
    template <class Archive>
    void save(Archive& archive) const {
        if (breaks) throw std::length_error("it breaks");
        archive(value);
    }
    template <class Archive>
    void load(Archive& archive) {
        archive(value);
    }
};

int twenty_ms(int i) {
    ::usleep(20'000);
    return i;
}

template <class Error>
std::string text_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const Error& expected) {
        return expected.what();
    } catch (const std::exception& other) {
        ADD_FAILURE() << "another error: " << other.what();
    }
    return {};
}
bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// Eleven values, one Error that tells `part`, and a pool that goes on.
template <class Error, class Outcomes>
void expect_all_but_3(mp::Pool& pool, const Outcomes& outcomes, const std::string& part) {
    ASSERT_EQ(outcomes.size(), 12u);
    for (int i = 0; i < 12; ++i) {
        const auto& outcome = outcomes[static_cast<std::size_t>(i)];
        if (i == 3) {
            EXPECT_PRED2(contains, text_of<Error>(outcome.error()), part);
        } else {
            ASSERT_TRUE(outcome.has_value()) << text_of<Error>(outcome.error());
            EXPECT_EQ(*outcome, i);
        }
    }
    EXPECT_EQ(pool.apply(twenty_ms, 12), 12);
    EXPECT_TRUE(test::eventually([] { return test::workers().size() == 2; }));
}

// ---- a task that ends its worker

struct death {
    const char* name;
    void (*die)();
    const char* told_as;
};
#ifdef _WIN32
constexpr const char* told_as_segfault = "exception 0xC0000005 (access violation)";
#else
constexpr const char* told_as_segfault = "signal 11 (SIGSEGV)";
#endif
const std::array deaths{
    death{"sigkill", [] { ::kill(::getpid(), SIGKILL); }, "signal 9 (SIGKILL)"},
    death{"sigsegv",
          [] {
              ::signal(SIGSEGV, SIG_DFL);  // sanitizers have a handler
              ::raise(SIGSEGV);
          },
          told_as_segfault},
    death{"exit_0", [] { ::_exit(0); }, "exit code 0"},
    death{"exit_3", [] { std::exit(3); }, "exit code 3"},
};

class MatrixOfDeaths : public testing::TestWithParam<std::size_t> {};

TEST_P(MatrixOfDeaths, costs_one_element_and_the_pool_is_whole_again) {
    mp::Pool pool(2);
    const auto task = [which = GetParam()](int i) {
        if (i == 3) deaths[which].die();
        return twenty_ms(i);
    };
    const auto outcomes = pool.try_map(task, test::views::iota(0, 12), {.chunksize = 1});
    expect_all_but_3<mp::WorkerDied>(pool, outcomes, deaths[GetParam()].told_as);
}

INSTANTIATE_TEST_SUITE_P(Matrix, MatrixOfDeaths, testing::Range<std::size_t>(0, deaths.size()),
                         [](const auto& of) { return std::string(deaths[of.param].name); });

// ---- a task that throws, or whose values can't travel

TEST(Matrix, exception_outside_the_usual_hierarchy) {
    mp::Pool pool(2);
    const auto task = [](int i) {
        if (i == 3) throw 42;
        return twenty_ms(i);
    };
    expect_all_but_3<mp::RemoteError>(pool, pool.try_map(task, test::views::iota(0, 12), {.chunksize = 1}),
                                      "int");
}

TEST(Matrix, exception_that_the_parent_cannot_rebuild) {
    mp::Pool pool(2);
    const auto task = [](int i) {
        if (i == 3) throw Unknown();
        return twenty_ms(i);
    };
    expect_all_but_3<mp::RemoteError>(pool, pool.try_map(task, test::views::iota(0, 12), {.chunksize = 1}),
                                      "Unknown");
}

TEST(Matrix, result_that_cannot_be_serialised) {
    mp::Pool pool(2);
    const auto task = [](int i) { return Fragile{twenty_ms(i), i == 3}; };
    const auto outcomes = pool.try_map(task, test::views::iota(0, 12), {.chunksize = 1});
    std::vector<mp::Outcome<int>> numbers;
    for (const auto& outcome : outcomes)
        numbers.push_back(outcome.has_value() ? mp::Outcome<int>(outcome->value)
                                              : mp::Outcome<int>(outcome.error()));
    expect_all_but_3<mp::SerializationError>(pool, numbers, "it breaks");
}

TEST(Matrix, argument_whose_serialisation_throws) {
    mp::Pool pool(2);
    std::vector<Fragile> inputs;
    for (int i = 0; i < 12; ++i) inputs.push_back({i, i == 3});
    const auto task = [](const Fragile& argument) { return twenty_ms(argument.value); };
    expect_all_but_3<mp::SerializationError>(pool, pool.try_map(task, inputs, {.chunksize = 1}), "it breaks");
}

TEST(Matrix, task_that_never_ends) {
    mp::Pool pool(2);
    const auto task = [](int i) {
        while (i == 3) ::pause();
        return twenty_ms(i);
    };
    const auto outcomes = pool.try_map(task, test::views::iota(0, 12), {.chunksize = 1, .timeout = 1s});
    expect_all_but_3<mp::TaskTimeout>(pool, outcomes, "limit of 1000 ms");
}

// ---- around the tasks

TEST(Matrix, initializer_that_throws_fails_all_at_once_with_its_error) {
    mp::Pool pool(2, [] { throw std::domain_error("not today"); });
    EXPECT_THROW(pool.map(twenty_ms, test::views::iota(0, 12)), std::domain_error);
    EXPECT_THROW(pool.apply(twenty_ms, 12), std::domain_error);
}

TEST(Matrix, callback_that_throws_touches_nothing_else) {
    std::atomic<int> reported{0};
    mp::Pool pool({.processes = 2, .error_handler = [&](const std::exception_ptr&) { ++reported; }});
    std::vector<mp::AsyncResult<int>> results;
    for (int i = 0; i < 12; ++i) {
        results.push_back(pool.apply_async(twenty_ms, i));
        results.back().callback([i](int) {
            if (i == 3) throw std::logic_error("in a callback");
        });
    }
    for (int i = 0; i < 12; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)].get(), i);
    EXPECT_EQ(reported.load(), 1);
    EXPECT_EQ(pool.apply(twenty_ms, 12), 12);
}

TEST(Matrix, idle_worker_that_is_killed_is_noticed_by_nobody) {
    mp::Pool pool(2);
    const long victim = test::workers().at(0);
    ::kill(static_cast<pid_t>(victim), SIGKILL);
    EXPECT_EQ(pool.map(twenty_ms, test::views::iota(0, 12)).size(), 12u);
    EXPECT_EQ(pool.apply(twenty_ms, 12), 12);
}

TEST(Matrix, busy_workers_of_a_killed_program_are_gone) {
    test::signal_pipe busy;
    test::child_program program([writer = busy.sending_end()] {
        mp::Pool pool(8);
        pool.map(
            [writer](int) {
                test::signal_pipe::send_to(writer);
                for (;;) ::pause();
            },
            test::views::iota(0, 8), {.chunksize = 1});
        return 0;
    });
    EXPECT_TRUE(busy.receive(8));
    const auto start = std::chrono::steady_clock::now();
    program.send(SIGKILL);
    EXPECT_EQ(program.wait().signal, SIGKILL);  // and waits until nobody holds its standard error open
    EXPECT_LT(std::chrono::steady_clock::now() - start, test::patience);
}

}  // namespace failure_matrix_test
