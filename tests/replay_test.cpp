// SPDX-License-Identifier: MIT
// PoolOptions::bundles: what died in a worker can be run again by the program itself.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "procpool/detail/worker/bundle.hpp"
#include "procpool/element_seed.hpp"
#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "procpool/shared_array.hpp"
#include "procpool/thread_pool.hpp"
#include "procpool/worker.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"

namespace replay_test {

namespace mp = procpool;
using namespace std::chrono_literals;
using test::message_of;

int prepared = 0;
void prepare(int value) { prepared = value; }

/// Prints what it finds around it, and dies.
int tell_and_die(const std::string& bound, int i) {
    const char* const variable = std::getenv("REPLAY_TEST");
    std::fprintf(stderr, "bound %zu %s, element %d, prepared %d, variable %s, in %s, worker %d\n",
                 bound.size(), bound.substr(0, 10).c_str(), i, prepared, variable ? variable : "none",
                 std::filesystem::current_path().c_str(), static_cast<int>(mp::worker_index().value_or(99)));
    ::raise(SIGKILL);
    return 0;
}
int tell_seed_and_die(int i) {
    std::fprintf(stderr, "seed %llu\n", static_cast<unsigned long long>(mp::element_seed()));
    if (i == 2) ::raise(SIGKILL);
    return i;
}
int die_if_not_spared(int) {
    if (!std::getenv("REPLAY_TEST_SPARE")) ::raise(SIGKILL);
    return 1;
}
int throw_if_spared(int) {
    if (std::getenv("REPLAY_TEST_SPARE")) throw std::domain_error("no such thing");
    ::raise(SIGKILL);
    return 1;
}
int wait_for_ever(int) {
    for (;;) ::pause();
}
int look_at(const mp::SharedArray<double, 1>& array) {
    ::raise(SIGKILL);
    return static_cast<int>(array.size());
}
void die_in_initializer(int value) {
    std::fprintf(stderr, "initializer %d\n", value);
    ::raise(SIGKILL);
}

struct run_end {
    std::string output;  // both streams
    int signal = 0;
    int exit_code = -1;
};
/// Runs the test program with this in its environment.
run_end run_program(const std::string& environment) {
    const std::string program = std::filesystem::read_symlink("/proc/self/exe");
    const std::string command = "exec env " + environment + " " + program + " --gtest_filter=None.* 2>&1";
    run_end end;
    FILE* const output = ::popen(command.c_str(), "re");
    if (!output) throw std::runtime_error("popen");
    std::array<char, 4096> piece;
    for (std::size_t n = 0; (n = std::fread(piece.data(), 1, piece.size(), output)) > 0;)
        end.output.append(piece.data(), n);
    const int status = ::pclose(output);
    if (WIFSIGNALED(status))
        end.signal = WTERMSIG(status);
    else
        end.exit_code = WEXITSTATUS(status);
    return end;
}
run_end replay(const std::string& file, const std::string& more = {}) {
    return run_program("PROCPOOL_REPLAY=" + file + " " + more);
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}
/// The file that an error tells of.
std::string bundle_of(const std::string& message) {
    const std::string before = "; run it alone: PROCPOOL_REPLAY=";
    const auto at = message.find(before);
    if (at == std::string::npos) throw std::runtime_error("no bundle in: " + message);
    const std::string rest = message.substr(at + before.size());
    return rest.substr(0, rest.find(' '));
}

class Replay : public testing::Test {
protected:
    test::temporary_folder folder;
    const std::string bundles = folder.path("bundles");
};

TEST_F(Replay, runs_the_element_that_died_with_all_that_it_had) {
    std::string first;
    {
        mp::Pool pool({.processes = 1,
                       .bundles = bundles,
                       .environment = {{"REPLAY_TEST", "here"}},
                       .working_directory = folder.path("")},
                      prepare, 7);
        const std::string bound(200'000, 'x');
        const std::string text =
            message_of<mp::WorkerDied>([&] { pool.map(mp::partial(tell_and_die, bound), std::vector{5}); });
        EXPECT_PRED2(contains, text, std::filesystem::read_symlink("/proc/self/exe").filename().string());
        first = bundle_of(text);
    }
    struct stat status{};
    ASSERT_EQ(::stat(first.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777u, 0600u);
    const run_end end = replay(first);
    EXPECT_EQ(end.signal, SIGKILL);
    const std::string place = std::filesystem::canonical(folder.path(""));
    EXPECT_PRED2(
        contains, end.output,
        "bound 200000 xxxxxxxxxx, element 5, prepared 7, variable here, in " + place + ", worker 0\n");
    EXPECT_PRED2(contains, end.output,
                 "procpool: replays " + first + ", of which a worker told: procpool: worker ");
    EXPECT_FALSE(contains(end.output, "[==========]")) << "and nothing else: " << end.output;
}

TEST_F(Replay, gives_an_element_the_seed_that_it_had) {
    mp::Pool pool(
        {.processes = 1, .output = mp::worker_output::lines, .stderr_tail = 256, .bundles = bundles});
    try {
        pool.map(tell_seed_and_die, std::vector{1, 2});
        FAIL();
    } catch (const mp::WorkerDied& death) {
        const std::string told = death.error_output();
        EXPECT_PRED2(contains, replay(bundle_of(death.what())).output, told.substr(told.rfind("seed")));
    }
    // Single calls share a job.
    for (int i = 0; i < 3; ++i) pool.apply_async(tell_seed_and_die, 1).get();
    try {
        auto last = pool.apply_async(tell_seed_and_die, 2);
        last.get();
        FAIL();
    } catch (const mp::WorkerDied& death) {
        const std::string told = death.error_output();
        EXPECT_PRED2(contains, replay(bundle_of(death.what())).output, told.substr(told.rfind("seed")));
    }
}

TEST_F(Replay, tells_if_nothing_dies_or_something_is_thrown) {
    mp::Pool pool({.processes = 1, .bundles = bundles});
    const auto bundle = [&](auto task) {
        return bundle_of(message_of<mp::WorkerDied>([&] { pool.apply(task, 0); }));
    };
    const run_end good = replay(bundle(die_if_not_spared), "REPLAY_TEST_SPARE=1");
    EXPECT_EQ(good.exit_code, 0) << good.output;
    EXPECT_PRED2(contains, good.output, "has come to its end, and nothing died");
    const run_end thrown = replay(bundle(throw_if_spared), "REPLAY_TEST_SPARE=1");
    EXPECT_EQ(thrown.exit_code, 1);
    EXPECT_PRED2(contains, thrown.output, "threw: no such thing");
}

TEST_F(Replay, is_there_for_time_limits_and_initializers) {
    {
        mp::Pool pool({.processes = 1, .bundles = bundles});
        EXPECT_TRUE(std::filesystem::exists(bundle_of(message_of<mp::TaskTimeout>(
            [&] { pool.map(wait_for_ever, std::vector{0}, {.timeout = 1ms}); }))));
    }
    const std::string text = message_of<mp::WorkerDied>([&] {
        mp::Pool pool({.processes = 1, .restart_limit = 0, .bundles = bundles}, die_in_initializer, 4);
        pool.apply(wait_for_ever, 0);
    });
    const run_end end = replay(bundle_of(text));
    EXPECT_EQ(end.signal, SIGKILL);
    EXPECT_PRED2(contains, end.output, "initializer 4\n");
}

TEST_F(Replay, is_of_the_last_attempt) {
    mp::Pool pool({.processes = 1, .bundles = bundles});
    EXPECT_THROW(pool.map(throw_if_spared, std::vector{0}, {.retries = 2}), mp::WorkerDied);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(bundles), {}), 1);
}

TEST_F(Replay, refuses_what_it_cant_run_with_a_sentence) {
    mp::Pool pool({.processes = 1, .bundles = bundles});
    const std::string file = bundle_of(message_of<mp::WorkerDied>([&] { pool.apply(throw_if_spared, 0); }));
    std::ifstream stream(file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
    const auto refusal = [&](const std::string& changed) {
        const std::string other = folder.path("other");
        std::ofstream(other, std::ios::binary) << changed;
        const run_end end = replay(other);
        EXPECT_EQ(end.exit_code, 1) << end.output;
        EXPECT_PRED2(contains, end.output, other + " can't be replayed: ");
        return end.output;
    };
    auto of_another_build = procpool::detail::worker::decode_bundle(std::as_bytes(std::span(bytes)));
    of_another_build.build = "beef";
    const auto encoded = procpool::detail::worker::encode_bundle(of_another_build);
    EXPECT_PRED2(contains, refusal({reinterpret_cast<const char*>(encoded.data()), encoded.size()}),
                 "another build of the program has written it (build id beef, this one is ");
    EXPECT_PRED2(contains, refusal("something else"), "it is no bundle of this version of procpool");
    EXPECT_PRED2(contains, refusal(bytes.substr(0, bytes.size() - 1)), "it is damaged");
    const run_end missing = replay(folder.path("nothing"));
    EXPECT_EQ(missing.exit_code, 1);
    EXPECT_PRED2(contains, missing.output, "No such file or directory");
}

TEST_F(Replay, cant_have_shared_objects_of_a_program_that_is_gone) {
    std::string file;
    {
        mp::Pool pool({.processes = 1, .bundles = bundles});
        const mp::SharedArray<double, 1> array({8});
        file = bundle_of(message_of<mp::WorkerDied>([&] { pool.apply(look_at, array); }));
    }
    const run_end end = replay(file);
    EXPECT_EQ(end.exit_code, 1) << end.output;
    EXPECT_PRED2(contains, end.output,
                 "what refers to shared objects of the program that has written a bundle");
}

TEST_F(Replay, says_why_there_is_no_bundle) {
    mp::Pool pool({.processes = 1, .bundles = bundles});
    std::filesystem::remove_all(bundles);
    EXPECT_PRED2(contains, message_of<mp::WorkerDied>([&] { pool.apply(throw_if_spared, 0); }),
                 "; no bundle: procpool: open (");
    EXPECT_THROW(mp::Pool({.processes = 1, .bundles = "/dev/null/folder"}), std::system_error);
    EXPECT_PRED2(contains, message_of<std::invalid_argument>([&] {
                     mp::ThreadPool({.processes = 1, .bundles = bundles});
                 }),
                 "ThreadPool has no bundles");
    EXPECT_FALSE(
        contains(message_of<mp::WorkerDied>([] { mp::Pool(1).apply(throw_if_spared, 0); }), "bundle"));
}

}  // namespace replay_test
