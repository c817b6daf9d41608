// SPDX-License-Identifier: MIT
// What a task writes by mistake into its worker's pipes, or into the memory that the worker shares with the
// pool, costs the elements that ran there and nothing else; and the pool never waits for what can't come.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <limits>
#include <new>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/worker/black_box.hpp"
#include "procpool/pool.hpp"
#include "support/processes.hpp"
#include "support/rounds.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace stray_writes_test {

namespace mp = procpool;
namespace wire = procpool::detail::wire;
namespace worker = procpool::detail::worker;

using counters = std::array<std::atomic<int>, 1000>;
test::shared<counters> executions;  // of each element
test::shared<test::gate> never_opened;
test::shared<std::atomic<long>> program;

constexpr int guilty = 5;

// ---- where a task finds what is none of its business

using std::filesystem::perms;
struct descriptor {
    int number;
    std::string what;
    perms access;
};

std::vector<descriptor> pipes_of(long process) {
    std::vector<descriptor> found;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/fd")) {
        std::error_code gone;
        const std::string what = std::filesystem::read_symlink(entry, gone);
        const perms access =
            entry.symlink_status(gone).permissions() & (perms::owner_read | perms::owner_write);
        if (what.starts_with("pipe:")) found.push_back({std::stoi(entry.path().filename()), what, access});
    }
    return found;
}

/// The worker's end of one of its pipes, of which the program has the other end.
int pipe_end(perms access) {
    const auto others = pipes_of(*program);
    for (const descriptor& mine : pipes_of(::getpid()))
        if (mine.access == access && std::ranges::any_of(others, [&](const descriptor& one) {
                return one.what == mine.what && one.access != access;
            }))
            return mine.number;
    throw std::logic_error("this worker has no such pipe");
}

worker::black_box& black_box() {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        unsigned long begin = 0;
        unsigned long end = 0;
        if (line.find("memfd:procpool") == std::string::npos ||
            std::sscanf(line.c_str(), "%lx-%lx", &begin, &end) != 2)
            continue;
        // NOLINTNEXTLINE(performance-no-int-to-ptr)
        if (end - begin == worker::slot_memory) return *reinterpret_cast<worker::black_box*>(begin);
    }
    throw std::logic_error("this worker has no black box");
}

void send_up(const std::string& bytes) {
    if (::write(pipe_end(perms::owner_write), bytes.data(), bytes.size()) !=
        static_cast<ssize_t>(bytes.size()))
        throw std::logic_error("the pipe takes no more");
}

/// As many bytes of a frame, and the rest never comes.
std::string beginning_of_a_frame(std::size_t bytes, std::uint64_t sequence, std::uint64_t length = 1 << 20) {
    const wire::result_header header{.sequence = sequence, .stride = sizeof(int), .length = length};
    return std::string(reinterpret_cast<const char*>(&header), sizeof header).substr(0, bytes);
}

// ---- the calls

void count(int element) { executions->at(static_cast<std::size_t>(element)).fetch_add(1); }

/// What the guilty element does; it may wait there for ever.
using deed = void (*)(int);

int run(deed act, int parameter, int element) {
    count(element);
    if (element == guilty) act(parameter);
    return 3 * element;
}

class StrayWrites : public testing::Test {
protected:
    StrayWrites() {
        executions.reset();
        *program = ::getpid();
    }

    /// The outcomes of elements 0 to 19; if the call doesn't end it fails.
    static std::vector<mp::Outcome<int>> outcomes(mp::Pool& pool, deed act, int parameter = 0,
                                                  const mp::MapOptions& options = {}) {
        std::promise<void> over;
        std::thread watch([&, end = over.get_future()] {
            if (end.wait_for(test::patience) == std::future_status::ready) return;
            ADD_FAILURE() << "the call hangs";
            pool.terminate();
        });
        std::vector<mp::Outcome<int>> found;
        try {
            found = pool.try_map(mp::partial(run, act, parameter), test::views::iota(0, size), options);
        } catch (const std::exception& error) {
            ADD_FAILURE() << error.what();
        }
        over.set_value();
        watch.join();
        return found;
    }
    static void expect_values_or_deaths(const std::vector<mp::Outcome<int>>& found) {
        ASSERT_EQ(found.size(), static_cast<std::size_t>(size));
        for (std::size_t i = 0; i < found.size(); ++i) {
            if (found[i])
                EXPECT_EQ(*found[i], 3 * static_cast<int>(i));
            else
                EXPECT_THROW(found[i].value(), mp::WorkerDied) << i;
        }
    }
    static void expect_each_ran_once() {
        for (std::size_t i = 0; i < size; ++i) EXPECT_EQ(executions->at(i).load(), 1) << i;
    }
    /// One that has begun may die before it does anything.
    static void expect_none_ran_twice(const std::vector<mp::Outcome<int>>& found) {
        for (std::size_t i = 0; i < found.size(); ++i) {
            EXPECT_LE(executions->at(i).load(), 1) << i;
            EXPECT_TRUE(executions->at(i) == 1 || !found[i]) << i;
        }
    }
    /// The guilty element, and no other. @return what its error says
    static std::string expect_one_death(const std::vector<mp::Outcome<int>>& found) {
        expect_values_or_deaths(found);
        expect_each_ran_once();
        for (std::size_t i = 0; i < found.size(); ++i)
            EXPECT_EQ(found[i].has_value(), i != static_cast<std::size_t>(guilty)) << i;
        try {
            found.at(guilty).value();
        } catch (const mp::WorkerDied& death) {
            EXPECT_EQ(death.index(), static_cast<std::size_t>(guilty));
            return death.what();
        } catch (const std::exception& other) {
            ADD_FAILURE() << other.what();
        }
        return {};
    }
    static void expect_use(mp::Pool& pool) {
        executions.reset();
        for (const auto& one : outcomes(pool, [](int) {})) EXPECT_TRUE(one.has_value());
        expect_each_ran_once();
    }

    static constexpr int size = 20;
};

const std::array<mp::MapOptions, 3> chunkings{mp::MapOptions{}, {.chunksize = 1}, {.chunksize = 20}};
constexpr std::array beginnings{1, 4, 8, 39, 40, 100};

std::string beginning(int bytes) {
    std::string made = beginning_of_a_frame(static_cast<std::size_t>(bytes), guilty);
    made.resize(static_cast<std::size_t>(bytes), 'x');
    return made;
}

// ---- the pipe of results

TEST_F(StrayWrites, garbage_costs_the_element_that_runs_and_no_finished_one) {
    for (const mp::MapOptions& options : chunkings) {
        mp::Pool pool(1);
        executions.reset();
        const std::string text = expect_one_death(
            outcomes(pool, [](int) { send_up("hello\n"), never_opened->pass(); }, 0, options));
        EXPECT_NE(text.find("killed by the pool"), std::string::npos) << text;
        expect_use(pool);
    }
}

TEST_F(StrayWrites, garbage_that_begins_like_a_frame_costs_the_element_that_runs) {
    for (const int bytes : beginnings) {
        mp::Pool pool(1);
        executions.reset();
        const std::string text = expect_one_death(
            outcomes(pool, [](int length) { send_up(beginning(length)), never_opened->pass(); }, bytes));
        EXPECT_NE(text.find("killed by the pool"), std::string::npos) << bytes << ": " << text;
    }
}

TEST_F(StrayWrites, garbage_of_an_element_that_ends_loses_no_result) {
    for (const int bytes : beginnings)
        for (const mp::MapOptions& options : chunkings) {
            mp::Pool pool(2);
            executions.reset();
            const auto found = outcomes(pool, [](int length) { send_up(beginning(length)); }, bytes, options);
            expect_values_or_deaths(found);
            expect_none_ran_twice(found);
            EXPECT_LE(std::ranges::count_if(found, [](const auto& one) { return !one; }), 1) << bytes;
            expect_use(pool);
        }
}

TEST_F(StrayWrites, garbage_and_then_death_cost_that_element_alone) {
    for (const int bytes : beginnings) {
        mp::Pool pool(1);
        executions.reset();
        expect_one_death(outcomes(pool, [](int length) { send_up(beginning(length)), ::_exit(3); }, bytes,
                                  {.chunksize = 20}));
    }
}

TEST_F(StrayWrites, an_element_that_sends_garbage_is_tried_again_and_no_other) {
    mp::Pool pool(1);
    const auto found = outcomes(pool,
                                [](int) {
                                    if (executions->at(guilty) == 1) send_up("hello\n"), never_opened->pass();
                                },
                                0, {.retries = 1});
    for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_TRUE(found[i].has_value());
        EXPECT_EQ(executions->at(i).load(), i == guilty ? 2 : 1) << i;
    }
}

TEST_F(StrayWrites, a_worker_that_closes_its_pipe_of_results_is_ended_and_its_element_says_why) {
    mp::Pool pool(1);
    const std::string text = expect_one_death(
        outcomes(pool, [](int) { ::close(pipe_end(perms::owner_write)), never_opened->pass(); }));
    EXPECT_NE(text.find("killed by the pool"), std::string::npos) << text;
    expect_use(pool);
}

// The zygote tells of no end any more then.
TEST_F(StrayWrites, garbage_and_the_death_of_the_zygote_make_no_call_hang) {
    constexpr int orders = 3;
    for (int round = 0; round < test::rounds(10) * orders; ++round) {
        mp::Pool pool(1);
        executions.reset();
        const auto found =
            outcomes(pool,
                     [](int order) {
                         ::prctl(PR_SET_PDEATHSIG, order == 2 ? 0 : SIGKILL);  // it may outlive the zygote
                         if (order == 0) ::kill(::getppid(), SIGKILL);
                         send_up("hello\n");
                         if (order != 0) ::kill(::getppid(), SIGKILL);
                         ::usleep(200'000);
                         ::_exit(3);
                     },
                     round % orders, {.chunksize = 1});
        expect_values_or_deaths(found);
        EXPECT_FALSE(found.at(guilty).has_value());
        expect_use(pool);
        if (HasFailure()) FAIL() << "round " << round;
    }
}

// ---- who is not corrupt

std::vector<std::string> many_parts(int element) {
    count(element);
    return std::vector<std::string>(2000, std::string(1000, static_cast<char>('a' + element % 26)));
}

TEST_F(StrayWrites, a_worker_that_is_stopped_while_it_sends_is_left_alone) {
    mp::Pool pool({.processes = 1, .arena_limit = 0});
    auto result = pool.map_async(many_parts, test::views::iota(0, size), {.chunksize = 1});
    ASSERT_TRUE(test::eventually([] { return executions->at(guilty) == 1; }));
    const std::vector<long> workers = test::workers();
    ASSERT_EQ(workers.size(), 1u);
    ::kill(static_cast<pid_t>(workers[0]), SIGSTOP);
    // Long enough for whoever would take it for one that never sends the rest.
    EXPECT_FALSE(result.wait(std::chrono::milliseconds(3500)));
    ::kill(static_cast<pid_t>(workers[0]), SIGCONT);
    const auto found = result.get();
    ASSERT_EQ(found.size(), static_cast<std::size_t>(size));
    for (int i = 0; i < size; ++i) {
        EXPECT_EQ(found[static_cast<std::size_t>(i)].size(), 2000u);
        EXPECT_EQ(found[static_cast<std::size_t>(i)].back()[0], 'a' + i % 26);
    }
    expect_each_ran_once();
}

std::string of_some_size(int element) {
    count(element);
    return std::string(1000 * (1 + static_cast<std::size_t>(element) * 37 % 200),
                       static_cast<char>('a' + element % 26));
}
/// Each element of `found` is what of_some_size() has made of it, once.
void expect_all_of_some_size(const std::vector<std::string>& found, int elements) {
    ASSERT_EQ(found.size(), static_cast<std::size_t>(elements));
    for (int i = 0; i < elements; ++i) {
        const auto place = static_cast<std::size_t>(i);
        EXPECT_EQ(executions->at(place).exchange(0), 1) << i;
        EXPECT_EQ(found[place], of_some_size(i)) << i;
    }
}

TEST_F(StrayWrites, a_worker_that_is_stopped_again_and_again_while_it_sends_is_left_alone) {
    constexpr int elements = 600;
    mp::Pool pool({.processes = 1, .arena_limit = 0});
    auto result = pool.map_async(of_some_size, test::views::iota(0, elements), {.chunksize = 1});
    const std::vector<long> workers = test::workers();
    ASSERT_EQ(workers.size(), 1u);
    const auto worker_pid = static_cast<pid_t>(workers[0]);
    std::minstd_rand dice{std::random_device{}()};
    for (const int number : {50, 250, 450}) {
        const int stop_at = number + static_cast<int>(dice() % 100);
        ASSERT_TRUE(test::eventually([=] { return executions->at(static_cast<std::size_t>(stop_at)) == 1; }));
        // With moments in between that are too short to send much in.
        for (int pause = 0; pause < 3; ++pause) {
            ::kill(worker_pid, SIGSTOP);
            result.wait(std::chrono::milliseconds(300 + dice() % 400));
            ::kill(worker_pid, SIGCONT);
        }
    }
    expect_all_of_some_size(result.get(), elements);
}

// ---- the pipe of tasks

TEST_F(StrayWrites, a_worker_whose_task_takes_its_input_is_replaced) {
    for (const int bytes : {1, 40, 48, 100, 65536}) {
        mp::Pool pool(1);
        executions.reset();
        const auto found =
            outcomes(pool,
                     [](int most) {
                         const int input = pipe_end(perms::owner_read);
                         ::fcntl(input, F_SETFL, O_NONBLOCK);
                         std::vector<char> taken(static_cast<std::size_t>(most));
                         // More comes as long as this one runs.
                         test::eventually([&] { return ::read(input, taken.data(), taken.size()) > 0; },
                                          std::chrono::milliseconds(100));
                         ::fcntl(input, F_SETFL, 0);
                     },
                     bytes, {.chunksize = 2});
        expect_values_or_deaths(found);
        expect_use(pool);
    }
}

// ---- the black box

// Those that the worker writes.
constexpr int words = offsetof(worker::black_box, received) / sizeof(std::uint64_t);
constexpr std::array<std::uint64_t, 6> mistakes{
    0, 1, 1000, std::uint64_t{1} << 48, std::uint64_t{1} << 63, std::numeric_limits<std::uint64_t>::max()};

void change(int place) {
    const auto word_at = static_cast<std::size_t>(place / 16) * sizeof(std::uint64_t);
    std::byte* const at = reinterpret_cast<std::byte*>(&black_box()) + word_at;
    auto& word = *std::launder(reinterpret_cast<std::atomic<std::uint64_t>*>(at));
    const auto which = static_cast<std::size_t>(place % 16);
    if (which < mistakes.size())
        word.store(mistakes[which]);
    else
        word.fetch_add(which == mistakes.size() ? 1 : ~std::uint64_t{0});
}
constexpr int kinds = mistakes.size() + 2;

/// Each kind of mistake in each word, or a part of them.
void for_each_mistake(const std::function<void(int place, int kind)>& act) {
    const int step = kinds / test::rounds(kinds);
    for (int word = 0; word < words; ++word)
        for (int kind = word % step; kind < kinds; kind += step) {
            act(16 * word + kind, kind);
            if (testing::Test::HasFailure()) FAIL() << "word " << word << ", mistake " << kind;
        }
}

TEST_F(StrayWrites, a_wrong_word_in_the_black_box_makes_no_call_hang) {
    for_each_mistake([](int place, int kind) {
        mp::Pool pool(1);
        executions.reset();
        const auto found = outcomes(pool, change, place, {.chunksize = kind % 2 == 0 ? 1 : 4});
        expect_values_or_deaths(found);
        expect_none_ran_twice(found);
    });
}

TEST_F(StrayWrites, a_wrong_word_in_the_black_box_saves_no_element_from_its_time_limit) {
    for_each_mistake([](int place, int) {
        mp::Pool pool(1);
        executions.reset();
        const auto found = outcomes(pool, [](int where) { change(where), never_opened->pass(); }, place,
                                    {.chunksize = 1, .timeout = std::chrono::milliseconds(50)});
        ASSERT_EQ(found.size(), static_cast<std::size_t>(size));
        EXPECT_FALSE(found.at(guilty).has_value());
        EXPECT_LE(executions->at(guilty).load(), 1);  // its time may be over before it does anything
    });
}

}  // namespace stray_writes_test
