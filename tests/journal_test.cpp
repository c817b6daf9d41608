// SPDX-License-Identifier: MIT
// Journals: what is kept of a call, what the next one makes of it, and what survives which end of a program.
#include "procpool/journal.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "procpool/lock.hpp"
#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "support/handles.hpp"
#include "support/kills.hpp"
#include "support/message_of.hpp"
#include "support/processes.hpp"
#include "support/rounds.hpp"
#include "support/shared.hpp"
#include "support/temporary_folder.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace journal_test {

namespace mp = procpool;
using namespace std::chrono_literals;
using test::message_of;

constexpr int most_elements = 200;

struct counts {
    std::array<std::atomic<int>, most_elements> runs{};
    std::atomic<bool> is_well{false};
    int all() const {
        int sum = 0;
        for (const auto& one : runs) sum += one;
        return sum;
    }
};
test::shared<counts> counted;

int square(int i) {
    ++counted->runs[static_cast<std::size_t>(i)];
    return i * i;
}
int cube(int i) { return i * i * i; }
double half(int i) { return i / 2.0; }
int slow_square(int i) {
    std::this_thread::sleep_for(100us);
    return square(i);
}
int picky(int i) {
    ++counted->runs[static_cast<std::size_t>(i)];
    if (counted->is_well) return i;
    if (i % 4 == 1) throw std::domain_error("odd one: " + std::to_string(i));
    if (i % 4 == 3) ::_exit(3);
    return i;
}
std::string repeated(int count, const std::string& text) {
    ++counted->runs[static_cast<std::size_t>(count)];
    std::string all;
    for (int i = 0; i < count; ++i) all += text;
    return all;
}
mp::Lock make_lock(int) { return {}; }
int use_lock(const mp::Lock&) { return 1; }
int hang(int i) {
    ++counted->runs[static_cast<std::size_t>(i)];
    for (;;) ::pause();
}

std::vector<int> numbers(int count) {
    std::vector<int> all;
    for (int i = 0; i < count; ++i) all.push_back(i);
    return all;
}
std::vector<int> squares(int count) {
    std::vector<int> all;
    for (int i = 0; i < count; ++i) all.push_back(i * i);
    return all;
}
std::string contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}
void write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}
std::string lines_of(const std::string& path) {
    std::ostringstream text;
    mp::journal_to_json_lines(path, text);
    return text.str();
}
std::size_t times(const std::string& what, const std::string& text) {
    std::size_t count = 0;
    for (auto at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++count;
    return count;
}

class Journal : public testing::Test {
protected:
    void SetUp() override { counted.reset(); }

    test::temporary_folder folder;
    const std::string path = folder.path("run.journal");
};

TEST_F(Journal, a_second_call_takes_results_back_and_runs_nothing) {
    mp::Pool pool(2);
    EXPECT_EQ(pool.map(square, numbers(100), {.journal = path}), squares(100));
    EXPECT_EQ(counted->all(), 100);
    EXPECT_EQ(pool.map(square, numbers(100), {.journal = path}), squares(100));
    for (const auto& [file, target] : test::descriptors_of(::getpid()))
        EXPECT_NE(target, path) << "still open";
    EXPECT_EQ(mp::Pool(1).map(square, numbers(120), {.journal = path}), squares(120));
    EXPECT_EQ(counted->all(), 120);
}

TEST_F(Journal, all_kinds_of_calls_have_the_same_results) {
    mp::Pool pool(2);
    mp::Journal journal(path);
    const auto expect_squares = [](auto&& results) {
        int i = 0;
        for (const int one : results) {
            EXPECT_EQ(one, i * i);
            ++i;
        }
        EXPECT_EQ(i, 20);
    };
    const auto xs = numbers(20);
    for (int round = 0; round < 2; ++round) {
        expect_squares(pool.imap(square, xs, {.journal = journal}));
        expect_squares(pool.map_async(square, xs, {.journal = journal}).get());
        for (auto& one : pool.try_map(square, xs, {.journal = journal})) EXPECT_TRUE(one);
        int count = 0;
        for (auto&& one : pool.try_imap_unordered(square, xs, {.journal = journal})) count += one ? 1 : 0;
        EXPECT_EQ(count, 20);
        EXPECT_EQ(pool.apply({.journal = journal}, square, 7), 49);
        EXPECT_EQ(pool.apply_async({.journal = journal}, square, 8).get(), 64);
        EXPECT_EQ(pool.starmap(square, std::vector{std::tuple(9)}, {.journal = journal}), std::vector{81});
        std::atomic<int> told{0};
        pool.map(square, xs, {.on_result = [&](const mp::ElementResult&) { ++told; }, .journal = journal});
        EXPECT_EQ(told, 20);
    }
    EXPECT_EQ(counted->all(), 20);
}

TEST_F(Journal, what_has_failed_runs_again_and_nothing_else) {
    mp::Pool pool(2);
    const auto run = [&] {
        int good = 0;
        for (auto& one : pool.try_map(picky, numbers(20), {.journal = path})) good += one ? 1 : 0;
        return good;
    };
    EXPECT_EQ(run(), 10);
    counted->is_well = true;
    EXPECT_EQ(run(), 20);
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(counted->runs[static_cast<std::size_t>(i)], i % 2 == 0 ? 1 : 2) << i;
    const std::string lines = lines_of(path);
    EXPECT_EQ(times("\"outcome\":\"returned\"", lines), 20u) << lines;
    EXPECT_EQ(times("\"outcome\":\"threw\",\"error\":\"odd one: ", lines), 5u) << lines;
    EXPECT_EQ(times("\"outcome\":\"worker_died\",\"error\":\"procpool: worker", lines), 5u) << lines;
    EXPECT_EQ(times("\"bytes\":4,", lines), 20u) << lines;
    // A worker that dies takes the time of the element before with it, if that was not told yet.
    EXPECT_GE(times("\"bytes\":4,\"seconds\":", lines), 15u) << lines;
}

TEST_F(Journal, an_element_that_killed_its_worker_in_three_calls_is_given_up) {
    mp::Pool pool(1);
    for (int call = 0; call < 3; ++call)
        EXPECT_THROW(pool.map(picky, std::vector{3}, {.retries = 1, .journal = path}), mp::WorkerDied);
    EXPECT_EQ(counted->all(), 6);
    const std::string text =
        message_of<mp::TaskQuarantined>([&] { pool.map(picky, std::vector{0, 3}, {.journal = path}); });
    EXPECT_NE(text.find("element 1 was not run: it has killed its worker in 3 earlier calls"), text.npos)
        << text;
    EXPECT_NE(text.find("exit code 3"), text.npos) << text;
    EXPECT_THROW(pool.map(picky, std::vector{3}, {.journal = {path, {.give_up_after = 4}}}), mp::WorkerDied);
}

TEST_F(Journal, a_time_limit_counts_as_a_death) {
    mp::Pool pool(1);
    const mp::Journal once(path, {.give_up_after = 1});
    EXPECT_THROW(pool.map(hang, std::vector{0}, {.timeout = 1ms, .journal = once}), mp::TaskTimeout);
    EXPECT_THROW(pool.map(hang, std::vector{0}, {.timeout = 1ms, .journal = once}), mp::TaskQuarantined);
}

TEST_F(Journal, a_worker_that_somebody_has_ended_says_nothing_of_its_element) {
    mp::Pool pool(1);
    auto running = pool.map_async(hang, std::vector{0}, {.journal = {path, {.give_up_after = 1}}});
    ASSERT_TRUE(test::eventually([] { return counted->all() == 1; }));
    ::kill(static_cast<pid_t>(pool.workers()[0].pid), SIGTERM);
    EXPECT_THROW(running.get(), mp::WorkerDied);
    EXPECT_EQ(lines_of(path), "");
}

TEST_F(Journal, bound_arguments_tell_results_apart) {
    mp::Pool pool(2);
    const std::vector<std::string> texts{"ab", "c"};
    int (*const functions[])(int) = {square, cube};
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(pool.map(mp::partial(repeated, 2), texts, {.journal = path}),
                  (std::vector<std::string>{"abab", "cc"}));
        EXPECT_EQ(pool.map(mp::partial(repeated, 3), texts, {.journal = path}),
                  (std::vector<std::string>{"ababab", "ccc"}));
    }
    EXPECT_EQ(counted->all(), 4);
    for (int round = 0; round < 2; ++round)
        for (const int added : {1, 2})
            EXPECT_EQ(pool.map([added, f = functions[0]](int i) { return f(i) + added; }, std::vector{5},
                               {.journal = folder.path("closure")}),
                      std::vector{25 + added});
    EXPECT_EQ(counted->runs[5], 2);
}

TEST_F(Journal, large_results_and_arguments_are_kept_whole) {
    mp::Pool pool(2);
    const std::vector<std::string> large{std::string(300'000, 'a'), std::string(400'000, 'b'), "c"};
    for (int round = 0; round < 2; ++round) {
        const auto results = pool.map(mp::partial(repeated, 2), large, {.journal = path});
        for (std::size_t i = 0; i < large.size(); ++i) EXPECT_EQ(results[i], large[i] + large[i]);
    }
    EXPECT_EQ(counted->all(), 3);
    // The worker's next results may lie in the arena again.
    EXPECT_EQ(pool.map(mp::partial(repeated, 1), large), large);
}

TEST_F(Journal, handles_of_shared_objects_are_refused) {
    mp::Pool pool(1);
    const auto refused = [&](auto call) {
        const std::string text = message_of<mp::SerializationError>(call);
        EXPECT_NE(text.find("nor into a journal"), text.npos) << text;
    };
    refused([&] { pool.map(make_lock, std::vector{0}, {.journal = path}); });
    refused([&] { pool.apply({.journal = folder.path("other")}, use_lock, mp::Lock()); });
    refused([&] {
        pool.map(mp::partial([](const mp::Lock&, int) { return 0; }, mp::Lock()), std::vector{0},
                 {.journal = folder.path("third")});
    });
    EXPECT_EQ(pool.apply(use_lock, pool.apply(make_lock, 0)), 1);
}

TEST_F(Journal, other_functions_versions_and_types_are_refused) {
    mp::Pool pool(1);
    const auto refusal = [&](auto function, mp::Journal journal) {
        return message_of<mp::Error>([&] { pool.map(function, std::vector{2}, {.journal = journal}); });
    };
    pool.map(square, numbers(3), {.journal = path});
    EXPECT_EQ(refusal(cube, path),
              "procpool: the journal " + path +
                  " holds results of another function; each function needs a file of its own");
    EXPECT_EQ(refusal(half, path),
              "procpool: the journal " + path +
                  " holds results of a function int (int), and this call's is a function double (int); each "
                  "function needs a file of its own");
    EXPECT_EQ(
        refusal(square, {path, {.version = "2"}}),
        "procpool: the journal " + path +
            " holds results of no version, and this call has version 2; name another file, or remove this one");
    EXPECT_EQ(pool.map(square, numbers(3), {.journal = path}), squares(3));
    EXPECT_EQ(counted->all(), 3);
}

TEST_F(Journal, another_build_is_refused_unless_a_version_says_that_results_are_good) {
    using procpool::detail::journal::function_record;
    using procpool::detail::journal::journal_file;
    const auto keep_as_another_build = [&](const std::string& version) {
        std::filesystem::remove(path);
        mp::Pool(1).map(square, numbers(3), {.journal = {path, {.version = version}}});
        const auto file = journal_file::open(path);
        file->require({.version = version, .signature = "int (int)", .build = "beef"});
    };
    mp::Pool pool(1);
    keep_as_another_build("7");
    EXPECT_EQ(pool.map(square, numbers(3), {.journal = {path, {.version = "7"}}}), squares(3));
    EXPECT_EQ(counted->all(), 3);
    std::filesystem::remove(path);
    journal_file::open(path)->require({.version = "", .signature = "int (int)", .build = "beef"});
    const std::string text = message_of<mp::Error>([&] { pool.map(square, numbers(3), {.journal = path}); });
    EXPECT_NE(text.find("holds results of another build of the program (build id beef, this one is "),
              text.npos)
        << text;
}

TEST_F(Journal, another_program_is_refused_meanwhile) {
    mp::Pool pool(1);  // whose zygote has no ends of the pipes
    const test::signal_pipe opened, end;
    test::child_program other(test::passed(
        [opened = opened.sending_end(), end = end.receiving_end()](const std::string& file) {
            mp::Pool its_own(1);
            const mp::Journal journal(file);
            its_own.map(square, numbers(3), {.journal = journal});
            test::signal_pipe::send_to(opened);
            return test::signal_pipe::receive_from(end) ? 0 : 1;
        },
        path));
    ASSERT_TRUE(opened.receive());
    EXPECT_EQ(message_of<mp::Error>([&] { pool.map(square, numbers(3), {.journal = path}); }),
              "procpool: the journal " + path +
                  " is in use by another program; wait for its end, or name another file");
    EXPECT_EQ(times("returned", lines_of(path)), 3u);
    end.send();
    EXPECT_EQ(other.wait().exit_code, 0);
    EXPECT_EQ(pool.map(square, numbers(4), {.journal = path}), squares(4));
    EXPECT_EQ(counted->all(), 4);
}

TEST_F(Journal, several_calls_of_a_program_may_use_it_at_once) {
    mp::Pool one(2), other(1);
    const mp::Journal journal(path);
    std::filesystem::create_symlink(path, folder.path("link"));
    auto first = one.map_async(slow_square, numbers(50), {.journal = journal});
    auto second = other.map_async(slow_square, numbers(100), {.journal = folder.path("link")});
    EXPECT_EQ(first.get(), squares(50));
    EXPECT_EQ(second.get(), squares(100));
    EXPECT_EQ(one.map(slow_square, numbers(100), {.journal = path}), squares(100));
    EXPECT_LE(counted->all(), 150);
}

TEST_F(Journal, a_forked_child_doesnt_keep_it_from_others) {
    const mp::Journal journal(path);
    mp::Pool(1).map(square, numbers(3), {.journal = journal});
    const test::signal_pipe end;
    test::child_program child([&] {
        end.receive();
        return message_of<mp::Error>([&] {
                   mp::Pool(1).map(square, numbers(3), {.journal = journal});
               }).find("another program") != std::string::npos
                   ? 0
                   : 1;
    });
    end.send();
    EXPECT_EQ(child.wait().exit_code, 0);
}

TEST_F(Journal, a_program_that_is_killed_anywhere_ends_with_each_result_once) {
    constexpr int elements = most_elements;
    const auto finished = [&] {
        std::set<int> indices;
        if (!std::filesystem::exists(path) || std::filesystem::file_size(path) < 16) return indices;
        std::istringstream lines(lines_of(path));
        for (std::string line; std::getline(lines, line);) {
            int index = -1;
            EXPECT_EQ(std::sscanf(line.c_str(), "{\"index\":%d,\"outcome\":\"returned\"", &index), 1) << line;
            EXPECT_TRUE(indices.insert(index).second) << "twice: " << line;
        }
        return indices;
    };
    for (int kills = test::rounds(100); kills > 0; --kills) {
        if (finished().size() == elements) std::filesystem::remove(path);  // and from the beginning
        const std::set<int> before = finished();
        std::array<int, elements> runs{};
        for (std::size_t i = 0; i < elements; ++i) runs[i] = counted->runs[i];
        const test::signal_pipe begun;
        test::child_program program(test::passed(
            [begun = begun.sending_end()](const std::string& file) {
                mp::Pool pool(2);
                test::signal_pipe::send_to(begun);
                const auto all = pool.map(slow_square, numbers(elements), {.journal = file});
                return all == squares(elements) ? 0 : 1;
            },
            path));
        ASSERT_TRUE(begun.receive());
        std::this_thread::sleep_for(std::chrono::microseconds(test::dice() % 12'000));  // where, is chance
        program.send(SIGKILL);
        const test::child_end end = program.wait();
        EXPECT_TRUE(end.signal == SIGKILL || end.exit_code == 0) << end.errors;
        for (const int i : before) {
            const auto place = static_cast<std::size_t>(i);
            EXPECT_EQ(counted->runs[place], runs[place]) << "has run again: " << i;
        }
    }
    EXPECT_EQ(mp::Pool(2).map(slow_square, numbers(elements), {.journal = path}), squares(elements));
    EXPECT_EQ(finished().size(), static_cast<std::size_t>(elements));
}

TEST_F(Journal, a_torn_record_at_the_end_costs_one_element) {
    mp::Pool pool(1);
    pool.map(square, numbers(3), {.journal = path});
    const std::string whole = contents(path);
    constexpr std::size_t record = 76;
    // The call before may hold its file for a moment.
    const auto torn_at = [&](std::size_t size) { return folder.path("torn" + std::to_string(size)); };
    for (std::size_t missing = 1; missing <= record; missing += 5) {
        const std::string torn = torn_at(whole.size() - missing);
        write(torn, whole.substr(0, whole.size() - missing));
        counted.reset();
        EXPECT_EQ(pool.map(square, numbers(3), {.journal = torn}), squares(3)) << missing;
        EXPECT_EQ(counted->all(), 1) << missing;
        EXPECT_EQ(contents(torn).size(), whole.size());
    }
    // A program that was killed while it made the file.
    for (std::size_t size = 0; size < 20; ++size) {
        const std::string torn = torn_at(size);
        write(torn, whole.substr(0, size));
        EXPECT_EQ(pool.map(square, numbers(3), {.journal = torn}), squares(3)) << size;
        EXPECT_EQ(contents(torn).size(), whole.size()) << size;
    }
}

TEST_F(Journal, a_damaged_byte_never_gives_a_wrong_result) {
    mp::Pool pool(1);
    pool.map(square, numbers(4), {.journal = path});
    const std::string whole = contents(path);
    const std::string damaged = folder.path("damaged");
    int refused = 0;
    for (std::size_t at = 0; at < whole.size(); at += 3) {
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
        write(damaged, bytes);
        try {
            EXPECT_EQ(pool.map(square, numbers(4), {.journal = damaged}), squares(4)) << at;
            EXPECT_EQ(pool.map(square, numbers(4), {.journal = damaged}), squares(4)) << at;
        } catch (const mp::Error& error) {
            ++refused;  // who doesn't know whose results it has
            EXPECT_NE(std::string(error.what()).find(damaged), std::string::npos) << error.what();
        }
    }
    EXPECT_GT(refused, 0);
    EXPECT_LT(refused, static_cast<int>(whole.size()) / 6);
}

TEST_F(Journal, a_file_of_another_kind_stays_as_it_is) {
    write(path, "my only copy");
    mp::Pool pool(1);
    const std::string text = message_of<mp::Error>([&] { pool.map(square, numbers(3), {.journal = path}); });
    EXPECT_NE(text.find("is a file of another kind"), text.npos) << text;
    EXPECT_EQ(contents(path), "my only copy");
    EXPECT_THROW(lines_of(path), mp::Error);
    EXPECT_THROW(pool.map(square, numbers(3), {.journal = folder.path("no/such/folder")}), std::system_error);
    EXPECT_THROW(pool.map(square, numbers(3), {.journal = "/dev/null"}), mp::Error);
    EXPECT_EQ(pool.map(square, numbers(3)), squares(3));
}

TEST_F(Journal, a_full_disk_is_told_and_what_was_written_is_good) {
    test::child_program program([&] {
        mp::Pool pool(1);
        pool.map(square, numbers(10), {.journal = path});
        ::signal(SIGXFSZ, SIG_IGN);
        const auto size = std::filesystem::file_size(path);
        const rlimit small{size + 100, RLIM_INFINITY};
        if (::setrlimit(RLIMIT_FSIZE, &small) != 0) return 2;
        int good = 0;
        for (auto& one : pool.try_map(square, numbers(50), {.journal = path}))
            if (one)
                ++good;
            else if (one.what().find("run.journal; the results that came before are in it") ==
                     std::string::npos)
                return 3;
        if (message_of<std::system_error>([&] {
                pool.map(square, numbers(50), {.journal = path});
            }).find("File too large") == std::string::npos)
            return 4;
        return good >= 10 && good < 50 && pool.map(square, numbers(50)) == squares(50) ? 0 : 5;
    });
    const test::child_end end = program.wait();
    EXPECT_EQ(end.exit_code, 0) << end.errors;
    counted.reset();
    EXPECT_EQ(mp::Pool(1).map(square, numbers(50), {.journal = {path, {.sync = true}}}), squares(50));
    EXPECT_LE(counted->all(), 40);
}

TEST_F(Journal, a_pool_without_workers_has_it_too) {
    mp::Pool pool(0);
    for (int round = 0; round < 2; ++round)
        EXPECT_EQ(pool.map(square, numbers(10), {.journal = path}), squares(10));
    EXPECT_EQ(counted->all(), 10);
    EXPECT_THROW(pool.map(make_lock, std::vector{0}, {.journal = folder.path("other")}),
                 mp::SerializationError);
}

TEST_F(Journal, observers_are_told_of_kept_results) {
    struct count_ends : mp::Observer {
        void elements_end(const mp::CallInfo&, std::span<const mp::ElementEnd> some) override {
            for (const mp::ElementEnd& one : some) (one.worker ? ran : kept) += 1;
        }
        void call_ends(const mp::CallInfo&, const mp::CallEnd& end) override { succeeded = end.succeeded; }
        int ran = 0, kept = 0;
        std::uint64_t succeeded = 0;
    };
    mp::Pool pool(1);
    pool.map(square, numbers(10), {.journal = path});
    const auto ends = std::make_shared<count_ends>();
    pool.map(square, numbers(15), {.observers = {ends}, .journal = path});
    EXPECT_EQ(ends->kept, 10);
    EXPECT_EQ(ends->ran, 5);
    EXPECT_EQ(ends->succeeded, 15u);
}

TEST_F(Journal, fail_fast_is_for_elements_that_are_given_up_too) {
    mp::Pool pool(1);
    const mp::Journal once(path, {.give_up_after = 1});
    EXPECT_THROW(pool.map(picky, std::vector{3}, {.journal = once}), mp::WorkerDied);
    EXPECT_THROW(pool.map(picky, std::vector{3, 4, 8}, {.fail_fast = true, .journal = once}),
                 mp::TaskQuarantined);
}

TEST_F(Journal, calls_that_can_have_none_say_so) {
    mp::Pool pool(1);
    const auto refused = [&](auto call, const std::string& why) {
        const std::string text = message_of<std::invalid_argument>(call);
        EXPECT_NE(text.find(why), text.npos) << text;
    };
    refused([&] { pool.everywhere({.journal = path}, cube, 1); }, "everywhere has no journal");
    refused([&] { mp::ThreadPool(1).map(cube, numbers(1), {.journal = path}); }, "so it has none; use Pool");
    refused([&] { pool.map(cube, numbers(1), {.journal = ""}); }, "needs the name of a file");
    refused([&] { pool.map(cube, numbers(1), {.journal = {path, {.give_up_after = 0}}}); },
            "give_up_after must be 1 or more, not 0");
    EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace journal_test
