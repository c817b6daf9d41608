// SPDX-License-Identifier: MIT
// Programs that lose nodes, or end in odd ways; loss.sh runs them, and does to their processes what they must
// bear.
//   loss MODE FOLDER [NODE_TIMEOUT, 2 seconds]
// Rank 0 makes FOLDER/ready when it may be disturbed, and prints what loss.sh looks for. With OWN_MPI in its
// environment the program starts MPI and ends it itself.
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/mpi.hpp"

namespace mp = procpool;
using namespace std::chrono_literals;

namespace {

std::string folder;
std::chrono::seconds node_timeout = 2s;

/// Another process may do what it waits for.
void tell(const std::string& event) { std::ofstream(folder + "/" + event) << "now\n"; }
/// When a call that this thread is about to make has begun.
void tell_soon() {
    std::this_thread::sleep_for(300ms);
    tell("ready");
}
void wait_for(const std::string& event) {
    while (!std::ifstream(folder + "/" + event)) std::this_thread::sleep_for(20ms);
}

std::string host() {
    std::array<char, 256> name{};
    ::gethostname(name.data(), name.size() - 1);
    return name.data();
}

std::vector<int> numbers(int count) {
    std::vector<int> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    return all;
}
int slow_square(int x) {
    std::this_thread::sleep_for(5ms);
    return x * x;
}
/// Where rank 0 is it takes until that file is there.
int slow(const std::string& here, const std::string& file, int x) {
    std::this_thread::sleep_for(1s);
    while (host() == here && !std::ifstream(file)) std::this_thread::sleep_for(20ms);
    return x;
}

[[noreturn]] void fail(const std::string& why) {
    std::printf("WRONG: %s\n", why.c_str());
    std::fflush(stdout);
    std::_Exit(99);
}
void expect(bool good, const std::string& what) {
    if (!good) fail(what);
}
void expect_squares(const std::vector<int>& values, int count) {
    expect(values.size() == static_cast<std::size_t>(count), "number of results");
    for (int i = 0; i < count; ++i)
        expect(values[static_cast<std::size_t>(i)] == i * i, "value " + std::to_string(i));
}
void print_nodes(const mp::mpi::Pool& pool) {
    std::printf("nodes:");
    for (const auto& node : pool.nodes()) std::printf(" %d=%s", node.rank, node.alive ? "alive" : "lost");
    std::printf("\n");
}

mp::mpi::PoolOptions options() { return {.processes_per_node = 2, .node_timeout = node_timeout}; }

/// Prints when a node is found lost, in seconds since the epoch.
class watch {
public:
    explicit watch(const mp::mpi::Pool& pool)
        : thread_([this, &pool](const std::stop_token& stop) { look(pool, stop); }) {}

private:
    void look(const mp::mpi::Pool& pool, const std::stop_token& stop) {
        std::map<int, bool> lost;
        while (!stop.stop_requested()) {
            for (const auto& node : pool.nodes()) {
                if (node.alive || std::exchange(lost[node.rank], true)) continue;
                const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
                std::printf("found %d at %.2f\n", node.rank, now.count());
            }
            std::this_thread::sleep_for(20ms);
        }
    }
    std::jthread thread_;
};

// ---- lost nodes

/// Each result comes, whatever happens to nodes, and calls work later.
int map() {
    mp::mpi::Pool pool(options());
    expect(pool.apply(slow_square, 2) == 4, "a first call");
    {
        const watch of(pool);
        auto results = pool.map_async(slow_square, numbers(3000));
        std::this_thread::sleep_for(100ms);
        tell("ready");
        expect_squares(results.get(), 3000);
        std::printf("mapped\n");
        wait_for("done");
        expect_squares(pool.map(slow_square, numbers(300)), 300);
    }
    print_nodes(pool);
    expect_squares(pool.map(slow_square, numbers(300)), 300);
    mp::mpi::Pool other(options());
    expect_squares(other.map(slow_square, numbers(300)), 300);
    print_nodes(other);
    return 0;
}

/// A lost node's elements fail, and say where they were.
int fail_with_node() {
    auto with = options();
    with.on_node_loss = mp::mpi::on_node_loss::fail;
    mp::mpi::Pool pool(with);
    const std::jthread teller(tell_soon);
    int failed = 0;
    int index = -1;
    for (const auto& one : pool.try_map(slow_square, numbers(3000))) {
        ++index;
        try {
            expect(one.value() == index * index, "value " + std::to_string(index));
        } catch (const mp::NodeDied& death) {
            ++failed;
            expect(death.rank() == 1 && !death.host().empty(), "which node died");
            if (failed == 1) std::printf("%s\n", death.what());
        }
    }
    expect(failed > 0 && failed < 3000, "number of failed elements");
    std::printf("failed: %d\n", failed);
    wait_for("done");
    expect_squares(pool.map(slow_square, numbers(300)), 300);
    print_nodes(pool);
    return 0;
}

/// Elements that were on two lost nodes fail, and rank 0 goes on alone.
int lose_all() {
    mp::mpi::Pool pool(options());
    const std::jthread teller(tell_soon);
    const watch of(pool);
    int failed = 0;
    for (const auto& one :
         pool.try_map(mp::partial(slow, host(), folder + "/done"), numbers(14), {.chunksize = 1})) {
        try {
            one.value();
        } catch (const mp::NodeDied&) {
            ++failed;
        }
    }
    std::printf("failed: %d\n", failed);
    print_nodes(pool);
    expect(pool.size() == 2, "rank 0's workers are left");
    expect_squares(pool.map(slow_square, numbers(300)), 300);
    return 0;
}

/// A node that is lost while a pool is made.
int construct() {
    const auto waits_elsewhere = [](const std::string& here, const std::string& place) {
        if (host() == here) return;
        std::ofstream(place + "/ready") << "now\n";
        std::this_thread::sleep_for(4s);
    };
    try {
        mp::mpi::Pool pool(options(), waits_elsewhere, host(), folder);
        wait_for("done");
        std::printf("made\n");  // workers start meanwhile
        expect_squares(pool.map(slow_square, numbers(300)), 300);
        print_nodes(pool);
    } catch (const mp::NodeDied& death) {
        std::printf("NodeDied of %s\n", death.host().c_str());
    }
    mp::mpi::Pool next(options());
    expect_squares(next.map(slow_square, numbers(300)), 300);
    print_nodes(next);
    return 0;
}

/// A node falls silent while nothing is asked of it, and rank 0 ends before that is noticed.
int end_beside_a_silent_node() {
    {
        mp::mpi::Pool pool(options());
        expect_squares(pool.map(slow_square, numbers(300)), 300);
    }
    tell("ready");
    wait_for("done");
    std::printf("ends\n");
    return 5;
}

/// A node dies while there is no pool; the next one finds it.
int pool_after_a_death() {
    {
        mp::mpi::Pool pool(options());
        expect_squares(pool.map(slow_square, numbers(300)), 300);
    }
    tell("ready");
    wait_for("done");
    for (int attempt = 0;; ++attempt) {
        try {
            mp::mpi::Pool pool(options());
            expect_squares(pool.map(slow_square, numbers(300)), 300);
            print_nodes(pool);
            return 0;
        } catch (const mp::NodeDied& death) {
            std::printf("NodeDied of %s\n", death.host().c_str());
            expect(attempt == 0, "a lost node is lost once");
        }
    }
}

/// Runs until it is ended.
int run_for_ever() {
    mp::mpi::Pool pool(options());
    auto results = pool.map_async(slow_square, numbers(1'000'000));
    pool.apply(slow_square, 1);
    tell("ready");
    results.wait();
    return 0;
}

// ---- ends of main

std::unique_ptr<mp::mpi::Pool> global_pool;
std::optional<mp::AsyncResult<std::vector<int>>> global_result;

/// A pool that works while main ends.
void start_working() {
    global_pool = std::make_unique<mp::mpi::Pool>(options());
    global_result.emplace(global_pool->map_async(slow_square, numbers(100'000)));
    global_pool->apply(slow_square, 1);
}
int throws() {
    mp::mpi::Pool pool(options());
    auto results = pool.map_async(slow_square, numbers(100'000));
    throw std::runtime_error("thrown by main");
}
int exits(int code) {
    mp::mpi::Pool pool(options());
    auto results = pool.map_async(slow_square, numbers(100'000));
    std::printf("exits\n");
    std::exit(code);
}
int exits_in_a_callback() {
    mp::mpi::Pool pool(options());
    auto result = pool.apply_async(slow_square, 1);
    result.callback([](int) { std::exit(6); });
    result.wait();
    std::this_thread::sleep_for(1h);
    return 0;
}
int result_outlives_pool() {
    std::optional<mp::AsyncResult<std::vector<int>>> result;
    {
        mp::mpi::Pool pool(options());
        global_result.emplace(pool.map_async(slow_square, numbers(1000)));
        result.emplace(pool.map_async(slow_square, numbers(100'000)));
        global_result->get();
    }
    try {
        result->get();
    } catch (const mp::PoolTerminated&) {
        std::printf("terminated\n");
    }
    return 3;
}

// ---- tasks and nodes that misbehave

int exits_at_13(int x) {
    if (x == 13) std::exit(9);
    return x;
}
int kills_all_at_13(int x) {
    if (x == 13) {
        // All workers of this node, and what has started them.
        const pid_t parent = ::getppid();
        ::kill(parent, SIGKILL);
        ::raise(SIGKILL);
    }
    return x;
}
void dies_elsewhere(const std::string& here) {
    if (host() != here) ::raise(SIGKILL);
}
template <class F>
void count_failures(mp::mpi::Pool& pool, const F& f, int count) {
    int failed = 0;
    for (const auto& one : pool.try_map(f, numbers(count), {.chunksize = 1}))
        if (!one.has_value()) ++failed;
    std::printf("failed: %d\n", failed);
}
int task_exits() {
    mp::mpi::Pool pool(options());
    count_failures(pool, exits_at_13, 200);
    expect_squares(pool.map(slow_square, numbers(300)), 300);
    return 0;
}
int task_kills() {
    mp::mpi::Pool pool(options());
    count_failures(pool, kills_all_at_13, 200);
    expect_squares(pool.map(slow_square, numbers(300)), 300);
    return 0;
}
/// Prints with what a call of a pool fails.
void print_failure(mp::mpi::Pool& pool, const std::function<void()>& call) {
    try {
        call();
        std::printf("no failure\n");
    } catch (const std::exception& error) {
        std::printf("%s: %s\n", pool.state() == mp::pool_state::failed ? "pool failed" : "call failed",
                    error.what());
    }
}
int restarts() {
    auto with = options();
    with.restart_limit = 3;
    mp::mpi::Pool pool(with, dies_elsewhere, host());
    print_failure(pool, [&] { expect_squares(pool.map(slow_square, numbers(300)), 300); });
    return 0;
}
int initializer_throws() {
    mp::mpi::Pool pool(
        options(),
        [](const std::string& here) {
            if (host() != here) throw std::runtime_error("no licence on " + host());
        },
        host());
    print_failure(pool, [&] { expect_squares(pool.map(slow_square, numbers(300)), 300); });
    return 0;
}
int initializer_hangs() {
    auto with = options();
    with.initializer_timeout = 1s;
    mp::mpi::Pool pool(
        with,
        [](const std::string& here) {
            if (host() != here) std::this_thread::sleep_for(1h);
        },
        host());
    print_failure(pool, [&] { expect_squares(pool.map(slow_square, numbers(300)), 300); });
    return 0;
}
int mpi_in_a_task() {
    auto with = options();
    with.maxtasksperchild = 1;
    mp::mpi::Pool pool(with);
    const auto sizes = pool.map(
        [](int) {
            MPI_Init(nullptr, nullptr);
            int size = 0;
            MPI_Comm_size(MPI_COMM_WORLD, &size);
            MPI_Finalize();
            return size;
        },
        numbers(9), {.chunksize = 1});
    expect(sizes == std::vector<int>(9, 1), "each worker is alone");
    expect_squares(pool.map(slow_square, numbers(300)), 300);
    return 0;
}
/// Messages that MPI's int can't count.
int big() {
    auto with = options();
    with.processes_per_node = 1;
    mp::mpi::Pool pool(with);
    const std::size_t size = (std::size_t{1} << 31) + 12'345;
    {
        const std::string large(size, 'x');
        const auto count = [](const std::string& all, int) { return std::pair(host(), all.size()); };
        for (const auto& [where, length] :
             pool.map(mp::partial(count, std::cref(large)), numbers(8), {.chunksize = 1})) {
            expect(length == size, "length of the argument");
            std::printf("argument on %s\n", where.c_str());
        }
    }
    const auto back = [](const std::string& here, std::size_t length) {
        std::this_thread::sleep_for(300ms);
        return host() == here ? std::string() : std::string(length, 'y');
    };
    for (const auto& one :
         pool.map(mp::partial(back, host()), std::vector<std::size_t>(2, size), {.chunksize = 1}))
        std::printf("result of %zu\n", one.size());
    return 0;
}

const std::map<std::string, std::function<int()>> modes{
    {"map", map},
    {"fail", fail_with_node},
    {"lose_all", lose_all},
    {"construct", construct},
    {"silent_end", end_beside_a_silent_node},
    {"pool_after_a_death", pool_after_a_death},
    {"for_ever", run_for_ever},
    {"throw", throws},
    {"exit3", [] { return exits(3); }},
    {"exit0", [] { return exits(0); }},
    {"exit_in_callback", exits_in_a_callback},
    {"_exit4",
     [] {
         start_working();
         ::_exit(4);
         return 0;
     }},
    {"abort",
     [] {
         start_working();
         std::abort();
         return 0;
     }},
    {"quick_exit5",
     [] {
         start_working();
         std::quick_exit(5);
         return 0;
     }},
    {"return7", [] { return 7; }},
    {"global_pool",
     [] {
         start_working();
         return 8;
     }},
    {"global_pool_exit",
     [] {
         start_working();
         std::exit(9);
         return 0;
     }},
    {"result_outlives_pool", result_outlives_pool},
    {"task_exits", task_exits},
    {"task_kills", task_kills},
    {"restarts", restarts},
    {"initializer_throws", initializer_throws},
    {"initializer_hangs", initializer_hangs},
    {"mpi_in_a_task", mpi_in_a_task},
    {"big", big},
};

int run_mode(int count, char** arguments) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    if (count < 3 || !modes.contains(arguments[1])) fail("usage: loss MODE FOLDER [NODE_TIMEOUT]");
    folder = arguments[2];
    if (count > 3) node_timeout = std::chrono::seconds(std::stol(arguments[3]));
    return modes.at(arguments[1])();
}

}  // namespace

int main(int argc, char** argv) {
    if (!std::getenv("OWN_MPI")) return mp::mpi::run(argc, argv, run_mode);
    mp::freeze_support(argc, argv);
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &level);
    const int code = mp::mpi::run(MPI_COMM_WORLD, [&] { return run_mode(argc, argv); });
    MPI_Finalize();
    return code;
}
