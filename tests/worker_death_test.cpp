// SPDX-License-Identifier: MIT
// Death of a worker, whatever its cause, costs the element that it ran and nothing else.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <functional>
#include <future>
#include <numeric>
#include <optional>
#include <ostream>
#include <ranges>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "procpool/pool.hpp"
#include "support/processes.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace worker_death_test {

namespace mp = procpool;

// ---- ways to die

/// How it is told.
struct end {
    int signal;  // by its number on Linux
    std::optional<int> exit_code;
    const char* text;
};
const end by_kill{SIGKILL, {}, "signal 9 (SIGKILL)"};
#ifdef _WIN32
const end by_segfault{SIGSEGV, static_cast<int>(0xC0000005), "exception 0xC0000005 (access violation)"},
    by_full_stack{SIGSEGV, static_cast<int>(0xC00000FD), "exception 0xC00000FD (stack overflow)"},
    by_abort{6, static_cast<int>(0xC0000409), "exception 0xC0000409 (abort, or a damaged stack)"};
#else
const end by_segfault{SIGSEGV, {}, "signal 11 (SIGSEGV)"}, by_full_stack = by_segfault,
                                                           by_abort{SIGABRT, {}, "signal 6 (SIGABRT)"};
#endif
end by_exit(int code, const char* text) { return {0, code, text}; }

struct way_to_die {
    const char* name;
    void (*die)();
    end told;

    friend void PrintTo(const way_to_die& way, std::ostream* to) { *to << way.name; }
};

// Sanitizers catch the signal and would end the process in a way of their own.
void raise_segfault() {
    ::signal(SIGSEGV, SIG_DFL);
    ::raise(SIGSEGV);
}
void call_terminate() {
    ::close(STDERR_FILENO);  // its message would only disturb
    std::terminate();
}
int overflow(int depth) {
    volatile char frame[16 * 1024];
    for (std::size_t i = 0; i < sizeof frame; i += 1024) frame[i] = static_cast<char>(depth);
    return depth < 0 ? 0 : overflow(depth + 1) + frame[0];
}
void overflow_the_stack() {
    ::signal(SIGSEGV, SIG_DFL);
    overflow(1);
}

const std::array ways{
    way_to_die{"sigkill", [] { ::kill(::getpid(), SIGKILL); }, by_kill},
    way_to_die{"sigsegv", raise_segfault, by_segfault},
    way_to_die{"abort", [] { std::abort(); }, by_abort},
    way_to_die{"exit_0_at_once", [] { ::_exit(0); }, by_exit(0, "exit code 0")},
    way_to_die{"exit_3", [] { std::exit(3); }, by_exit(3, "exit code 3")},
    way_to_die{"terminate", call_terminate, by_abort},
    way_to_die{"stack_overflow", overflow_the_stack, by_full_stack},
    way_to_die{"pthread_exit", [] { ::pthread_exit(nullptr); }, by_exit(0, "exit code 0")},
};

// ---- what tasks tell the test, in memory shared by all processes

using counters = std::array<std::atomic<int>, 1000>;
test::shared<counters> executions;  // of each element
test::shared<std::atomic<long>> last_victim;

class WorkerDeath : public testing::Test {
protected:
    WorkerDeath() {
        executions.reset();
        last_victim.reset();
    }
    static int times(std::size_t element) { return executions->at(element).load(); }
    void forget_executions() { executions.reset(); }
};

class EachWayToDie : public WorkerDeath, public testing::WithParamInterface<way_to_die> {};
INSTANTIATE_TEST_SUITE_P(Worker, EachWayToDie, testing::ValuesIn(ways),
                         [](const auto& way) { return std::string(way.param.name); });

void count(int element) { executions->at(static_cast<std::size_t>(element)).fetch_add(1); }

void die_by_kill() { ::kill(::getpid(), SIGKILL); }

int counted(int element) {
    count(element);
    return 3 * element;
}
int counted_or_die(int element, bool deadly, void (*die)() = die_by_kill) {
    count(element);
    if (deadly) {
        last_victim->store(::getpid());
        die();
    }
    return 3 * element;
}
int die_at_each_seventh(int element) { return counted_or_die(element, element % 7 == 3); }

/// The WorkerDied in `error`; any other error goes through.
mp::WorkerDied death_in(const std::exception_ptr& error) {
    if (!error) throw std::logic_error("nobody died");
    try {
        std::rethrow_exception(error);
    } catch (const mp::WorkerDied& death) {
        return death;
    }
}
template <class Call>
mp::WorkerDied death_by(Call call) {
    try {
        call();
    } catch (const mp::WorkerDied& death) {
        return death;
    }
    throw std::logic_error("nobody died");
}

/// All workers are there, and work.
void expect_full_strength(mp::Pool& pool) {
    EXPECT_TRUE(test::eventually([&] { return test::workers().size() == pool.size(); }))
        << test::workers().size() << " workers left of " << pool.size();
    EXPECT_EQ(pool.map(std::negate<>(), test::views::iota(1, 4)), (std::vector{-1, -2, -3}));
}

const std::array<mp::MapOptions, 4> chunkings{
    mp::MapOptions{.chunksize = 1}, {.chunksize = 3}, {.chunksize = 100}, {}};

// ---- each way

TEST_P(EachWayToDie, in_a_task_costs_that_element_alone_at_any_chunksize) {
    mp::Pool pool(3);
    const auto task =
        mp::partial([](void (*die)(), int i) { return counted_or_die(i, i == 57, die); }, GetParam().die);
    for (const auto& options : chunkings) {
        forget_executions();
        const auto outcomes = pool.try_map(task, test::views::iota(0, 120), options);
        ASSERT_EQ(outcomes.size(), 120u);
        for (std::size_t i = 0; i < outcomes.size(); ++i) {
            EXPECT_EQ(times(i), 1) << "element " << i;
            if (i != 57) {
                EXPECT_EQ(outcomes[i].value(), 3 * static_cast<int>(i));
            }
        }
        const mp::WorkerDied death = death_in(outcomes[57].error());
        EXPECT_EQ(death.signal(), GetParam().told.signal);
        EXPECT_EQ(death.exit_code(), GetParam().told.exit_code);
        EXPECT_EQ(death.pid(), last_victim->load());
        EXPECT_EQ(death.index(), 57u);
        const std::string text = death.what();
        EXPECT_NE(text.find(GetParam().told.text), std::string::npos) << text;
        EXPECT_NE(text.find("element 57"), std::string::npos) << text;
        EXPECT_NE(text.find(std::to_string(death.pid())), std::string::npos) << text;
    }
    expect_full_strength(pool);
}

TEST_P(EachWayToDie, of_every_element_fails_them_all_and_leaves_the_pool_usable) {
    mp::Pool pool(2);
    const auto task =
        mp::partial([](void (*die)(), int i) { return counted_or_die(i, true, die); }, GetParam().die);
    for (const auto& outcome : pool.try_map(task, test::views::iota(0, 12), {.chunksize = 4}))
        EXPECT_EQ(death_in(outcome.error()).signal(), GetParam().told.signal);
    for (std::size_t i = 0; i < 12; ++i) EXPECT_EQ(times(i), 1);
    expect_full_strength(pool);
}

TEST_P(EachWayToDie, in_apply_is_the_error_of_that_call) {
    mp::Pool pool(2);
    auto other = pool.apply_async(counted, 1);
    const mp::WorkerDied death = death_by([&] { pool.apply(GetParam().die); });
    EXPECT_EQ(death.signal(), GetParam().told.signal);
    EXPECT_EQ(death.exit_code(), GetParam().told.exit_code);
    EXPECT_EQ(other.get(), 3);
    expect_full_strength(pool);
}

// ---- while idle

TEST_F(WorkerDeath, of_idle_workers_is_noticed_by_nobody) {
    mp::Pool pool(3);
    for (const int signal : {SIGKILL, SIGTERM, SIGABRT}) {
        expect_full_strength(pool);
        const std::vector<long> before = test::workers();
        for (const long pid : before) ::kill(static_cast<pid_t>(pid), signal);
        const auto are_replaced = [&] {
            const auto now = test::workers();
            return now.size() == 3 && std::ranges::find_first_of(now, before) == now.end();
        };
        EXPECT_TRUE(test::eventually(are_replaced));  // though nobody calls the pool
        expect_full_strength(pool);
    }
}

TEST_F(WorkerDeath, of_idle_workers_just_before_a_map_costs_nothing) {
    mp::Pool pool(2);
    for (int round = 0; round < 20; ++round) {
        forget_executions();
        for (const long pid : test::workers()) ::kill(static_cast<pid_t>(pid), SIGKILL);
        const auto results = pool.map(counted, test::views::iota(0, 50), {.chunksize = 5});
        for (int i = 0; i < 50; ++i) {
            EXPECT_EQ(results[static_cast<std::size_t>(i)], 3 * i);
            EXPECT_EQ(times(static_cast<std::size_t>(i)), 1);
        }
    }
}

// ---- which elements it costs

TEST_F(WorkerDeath, many_times_in_one_map_costs_just_those_elements) {
    mp::Pool pool(3);
    for (const auto& options : chunkings) {
        forget_executions();
        const auto outcomes = pool.try_map(die_at_each_seventh, test::views::iota(0, 210), options);
        for (std::size_t i = 0; i < 210; ++i) {
            EXPECT_EQ(times(i), 1) << "element " << i;
            if (i % 7 == 3) {
                EXPECT_EQ(death_in(outcomes[i].error()).index(), i);
            } else {
                EXPECT_EQ(outcomes[i].value(), 3 * static_cast<int>(i));
            }
        }
    }
    expect_full_strength(pool);
}

TEST_F(WorkerDeath, and_errors_among_many_quick_elements_cost_just_these) {
    mp::Pool pool(2);
    const auto task = [](int i) {
        if (i % 9973 == 17) ::kill(::getpid(), SIGKILL);
        if (i % 997 == 5) throw std::out_of_range(std::to_string(i));
        return 3 * i;
    };
    for (const auto& options : chunkings) {
        const auto outcomes = pool.try_map(task, test::views::iota(0, 30'000), options);
        ASSERT_EQ(outcomes.size(), 30'000u);
        for (std::size_t i = 0; i < outcomes.size(); ++i) {
            if (i % 9973 == 17)
                EXPECT_EQ(death_in(outcomes[i].error()).index(), i);
            else if (i % 997 == 5)
                EXPECT_THROW(outcomes[i].value(), std::out_of_range) << i;
            else
                ASSERT_EQ(outcomes[i].value(), 3 * static_cast<int>(i));
        }
    }
    expect_full_strength(pool);
}

TEST_F(WorkerDeath, keeps_results_that_waited_in_the_outbox) {
    mp::Pool pool(1);  // so quick that nothing is sent before the death
    const auto outcomes = pool.try_map([](int i) { return counted_or_die(i, i == 900); },
                                       test::views::iota(0, 1000), {.chunksize = 1000});
    for (std::size_t i = 0; i < 1000; ++i) {
        EXPECT_EQ(times(i), 1) << "element " << i;
        EXPECT_EQ(outcomes[i].has_value(), i != 900);
        EXPECT_EQ(outcomes[i].value_or(-1), i == 900 ? -1 : 3 * static_cast<int>(i));
    }
}

TEST_F(WorkerDeath, keeps_results_and_errors_of_different_sizes_in_the_outbox) {
    mp::Pool pool(2);
    const auto task = [](int i) {
        counted_or_die(i, i % 50 == 49);
        if (i % 10 == 5) throw std::out_of_range(std::to_string(i));
        // Some are too big for the outbox.
        return std::string(i % 40 == 7 ? 300'000u : static_cast<std::size_t>(i), 'x');
    };
    const auto outcomes = pool.try_map(task, test::views::iota(0, 200), {.chunksize = 100});
    for (std::size_t i = 0; i < 200; ++i) {
        EXPECT_EQ(times(i), 1);
        if (i % 50 == 49)
            EXPECT_EQ(death_in(outcomes[i].error()).index(), i);
        else if (i % 10 == 5)
            EXPECT_THROW(outcomes[i].value(), std::out_of_range);
        else
            EXPECT_EQ(outcomes[i].value().size(), i % 40 == 7 ? 300'000u : i);
    }
}

TEST_F(WorkerDeath, at_any_moment_leaves_each_element_a_value_or_that_death) {
    mp::Pool pool(2);
    const auto task = [](int i) {
        count(i);
        ::signal(SIGALRM, SIG_DFL);
        ::ualarm(static_cast<useconds_t>(1 + i * 7919 % 1500), 0);
        return std::vector<int>(static_cast<std::size_t>(i * 104729 % 100'000), i);
    };
    const auto outcomes = pool.try_map(task, test::views::iota(0, 300), {.chunksize = 10});
    for (std::size_t i = 0; i < 300; ++i) {
        EXPECT_LE(times(i), 1);
        if (outcomes[i].has_value()) {
            EXPECT_EQ(times(i), 1);
            EXPECT_EQ(*outcomes[i], std::vector<int>(i * 104729 % 100'000, static_cast<int>(i)));
        } else {
            EXPECT_EQ(death_in(outcomes[i].error()).signal(), SIGALRM);
        }
    }
    // The last alarms may still kill an idle worker.
    EXPECT_EQ(pool.map(std::negate<>(), std::vector{1}), (std::vector{-1}));
}

/// Tells when it has been encoded: what its worker does next is to write it.
struct big_result {
    std::string text;
    template <class Archive>
    void save(Archive& archive) const {
        archive(text);
        last_victim->store(::getpid());
    }
    template <class Archive>
    void load(Archive& archive) {
        archive(text);
    }
};

TEST_F(WorkerDeath, in_the_midst_of_writing_a_big_result_is_that_elements_error) {
    const test::signal_pipe start, release;
    mp::Pool pool({.processes = 2, .arena_limit = 0});
    std::promise<void> holding;
    // While this callback waits, the pool's own thread can't read what workers write.
    auto first =
        pool.apply_async([reader = start.receiving_end()] { test::signal_pipe::receive_from(reader); });
    first.callback([&] {
        holding.set_value();
        release.receive();
    });
    start.send();
    holding.get_future().wait();
    auto big = pool.apply_async([] { return big_result{std::string(10 << 20, 'x')}; });
    const auto is_stuck = [] { return last_victim->load() != 0 && test::look_at(*last_victim).state == 'S'; };
    EXPECT_TRUE(test::eventually(is_stuck));  // its pipe is full
    ::kill(static_cast<pid_t>(*last_victim), SIGKILL);
    release.send();
    EXPECT_EQ(death_by([&] { big.get(); }).pid(), *last_victim);
    EXPECT_EQ(pool.apply([] { return big_result{std::string(10 << 20, 'x')}; }).text.size(), 10u << 20);
    expect_full_strength(pool);
}

// ---- in each kind of call

TEST_F(WorkerDeath, ends_map_and_starmap_with_the_error_after_all_others_ran) {
    mp::Pool pool(2);
    EXPECT_EQ(death_by([&] { pool.map(die_at_each_seventh, test::views::iota(0, 10)); }).index(), 3u);
    EXPECT_EQ(death_by([&] { pool.map_async(die_at_each_seventh, test::views::iota(10, 16)).get(); }).index(),
              0u);
    const auto pairs = [](int from) {
        return test::views::iota(from, from + 6) |
               test::views::transform([](int i) { return std::pair(i, i % 7 == 3); });
    };
    const auto task = [](int i, bool deadly) { return counted_or_die(i, deadly); };
    EXPECT_EQ(death_by([&] { pool.starmap(task, pairs(20)); }).index(), 4u);
    EXPECT_EQ(death_by([&] { pool.starmap_async(task, pairs(26)).get(); }).index(), 5u);
    EXPECT_EQ(death_in(pool.try_starmap(task, pairs(34))[4].error()).index(), 4u);
    for (std::size_t i = 0; i < 40; ++i) EXPECT_EQ(times(i), i < 16 || (i >= 20 && i < 32) || i >= 34) << i;
}

TEST_F(WorkerDeath, in_imap_is_thrown_at_its_place_and_iteration_goes_on) {
    mp::Pool pool(2);
    for (const std::ptrdiff_t chunk : {1, 4}) {
        forget_executions();
        auto results = pool.imap(die_at_each_seventh, test::views::iota(0, 30), {.chunksize = chunk});
        for (int i = 0; i < 30; ++i) {
            if (i % 7 == 3)
                EXPECT_EQ(death_by([&] { results.next(); }).index(), static_cast<std::uint64_t>(i));
            else
                EXPECT_EQ(results.next(), 3 * i);
        }
        EXPECT_EQ(results.next(), std::nullopt);
        for (std::size_t i = 0; i < 30; ++i) EXPECT_EQ(times(i), 1);
    }
}

TEST_F(WorkerDeath, in_imap_unordered_takes_the_place_of_one_result) {
    mp::Pool pool(2);
    auto results = pool.imap_unordered(die_at_each_seventh, test::views::iota(0, 30), {.chunksize = 3});
    int values = 0, deaths = 0, sum = 0;
    for (;;) {
        try {
            const auto next = results.next();
            if (!next) break;
            ++values;
            sum += *next;
        } catch (const mp::WorkerDied& death) {
            EXPECT_EQ(death.index().value() % 7, 3u);
            ++deaths;
        }
    }
    EXPECT_EQ(values, 26);
    EXPECT_EQ(deaths, 4);
    EXPECT_EQ(sum, 3 * (29 * 30 / 2 - (3 + 10 + 17 + 24)));
}

TEST_F(WorkerDeath, in_one_threads_job_does_not_touch_anothers) {
    mp::Pool pool(3);
    std::atomic<bool> stop{false};
    std::thread other([&] {
        while (!stop)
            EXPECT_EQ(pool.map(std::negate<>(), test::views::iota(0, 50), {.chunksize = 2}).back(), -49);
    });
    for (int round = 0; round < 10; ++round) {
        forget_executions();
        const auto outcomes = pool.try_map(die_at_each_seventh, test::views::iota(0, 35), {.chunksize = 5});
        for (std::size_t i = 0; i < 35; ++i) {
            EXPECT_EQ(outcomes[i].has_value(), i % 7 != 3);
            EXPECT_EQ(times(i), 1);
        }
    }
    stop = true;
    other.join();
}

TEST_F(WorkerDeath, and_maxtasksperchild_go_together) {
    mp::Pool pool({.processes = 2, .maxtasksperchild = 3});
    for (const auto& options : chunkings) {
        forget_executions();
        const auto outcomes = pool.try_map(die_at_each_seventh, test::views::iota(0, 63), options);
        for (std::size_t i = 0; i < 63; ++i) {
            EXPECT_EQ(outcomes[i].has_value(), i % 7 != 3);
            EXPECT_EQ(times(i), 1) << "element " << i;
        }
    }
    expect_full_strength(pool);
}

}  // namespace worker_death_test
