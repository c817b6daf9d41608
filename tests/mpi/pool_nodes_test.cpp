// SPDX-License-Identifier: MIT
// What an mpi::Pool does with its nodes: which of them work, what they give back, and what they tell.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <numeric>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/element_result.hpp"
#include "procpool/future.hpp"
#include "procpool/journal.hpp"
#include "procpool/mpi/pool.hpp"
#include "procpool/observer.hpp"
#include "procpool/partial.hpp"
#include "procpool/progress.hpp"
#include "procpool/statistics.hpp"

namespace pool_nodes_test {

namespace mp = procpool;
using namespace std::chrono_literals;

namespace {

std::vector<int> numbers(int count) {
    std::vector<int> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    return all;
}
std::string host() {
    std::array<char, 256> name{};
    ::gethostname(name.data(), name.size() - 1);
    return name.data();
}
std::string host_of_nap(int /*element*/) {
    std::this_thread::sleep_for(1ms);
    return host();
}
int dies_at_13(int x) {
    if (x == 13) ::raise(SIGKILL);
    return x;
}
bool is_there(const std::string& file) { return ::access(file.c_str(), F_OK) == 0; }
void mark(const std::string& file) { std::ofstream(file) << "now\n"; }
/// @return false if it isn't there in time
bool wait_for(const std::string& file) {
    const auto end = std::chrono::steady_clock::now() + 60s;
    while (!is_there(file) && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(1ms);
    return is_there(file);
}

/// Of this test, for files that all nodes see.
struct Folder {
    Folder() { std::filesystem::create_directory(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(path); }
    const std::string path = testing::TempDir() + "/mpi_pool_" + std::to_string(::getpid());
};

class MpiNodes : public testing::Test {
protected:
    mp::mpi::Pool pool{2};
};

constexpr const char* left_alone = "what waited was left alone";

/// On one host each worker's first element waits until the others are done.
std::string host_unless_busy(const std::string& busy_host, const std::string& place, int /*element*/) {
    static bool has_waited = false;
    if (host() == busy_host && is_there(place + "/armed") && !std::exchange(has_waited, true) &&
        !wait_for(place + "/done"))
        return left_alone;
    std::this_thread::sleep_for(200us);
    return host();
}

/// Keeps other workers busy meanwhile.
int nap_until_done(const std::string& place, int x) {
    if (!is_there(place + "/done")) std::this_thread::sleep_for(10ms);
    return x;
}

TEST_F(MpiNodes, give_back_what_waits_while_all_their_workers_are_busy) {
    if (pool.nodes().size() < 2) GTEST_SKIP() << "there is one node";
    const Folder folder;
    const std::string busy = pool.nodes().back().host;
    const auto naps = mp::partial(host_unless_busy, busy, folder.path);
    pool.map(naps, numbers(2000));  // now their time is known, and many are sent ahead
    mark(folder.path + "/armed");
    auto others = pool.map_async(mp::partial(nap_until_done, folder.path), numbers(30'000));
    constexpr int count = 3000;
    int done = 0;
    const auto hosts = pool.map(naps, numbers(count), {.on_result = [&](const mp::ElementResult&) {
                                    if (++done == count - 2) mark(folder.path + "/done");
                                }});
    EXPECT_EQ(others.get(), numbers(30'000));
    EXPECT_EQ(std::count(hosts.begin(), hosts.end(), left_alone), 0);
    EXPECT_GE(std::count(hosts.begin(), hosts.end(), busy), 2) << "where its workers waited";
}

TEST_F(MpiNodes, tell_what_their_workers_have_done) {
    const auto before = pool.stats();
    ASSERT_EQ(before.workers.size(), pool.size());
    EXPECT_EQ(before.all().starts, pool.size());
    pool.map(host_of_nap, numbers(300), {.chunksize = 1});
    EXPECT_FALSE(pool.try_map(dies_at_13, numbers(20), {.chunksize = 1})[13].has_value());
    const auto stats = pool.stats();
    EXPECT_EQ(stats.all().elements, 320U);
    EXPECT_EQ(stats.all().deaths, 1U);
    EXPECT_GE(stats.all().working, 300ms);
    std::set<std::size_t> indices;
    for (const auto& one : stats.workers) {
        EXPECT_GT(one.elements, 0U);
        indices.insert(one.index.value());
    }
    EXPECT_EQ(indices.size(), pool.size());
    pool.close();
    pool.join();
    EXPECT_EQ(pool.stats().all().elements, 320U) << "also when it has ended";
}

TEST_F(MpiNodes, are_workers_to_observers) {
    struct Counter final : mp::Observer {
        void elements_end(const mp::CallInfo&, std::span<const mp::ElementEnd> some) override {
            elements += some.size();
            for (const auto& one : some) nodes.insert(one.worker.value());
        }
        void call_ends(const mp::CallInfo&, const mp::CallEnd& end) override { succeeded = end.succeeded; }
        std::size_t elements = 0;
        std::uint64_t succeeded = 0;
        std::set<std::uint32_t> nodes;
    };
    const auto counter = std::make_shared<Counter>();
    pool.map(host_of_nap, numbers(500),
             {.chunksize = 1, .observers = {counter}, .progress = mp::progress("naps")});
    EXPECT_EQ(counter->elements, 500U);
    EXPECT_EQ(counter->succeeded, 500U);
    EXPECT_EQ(counter->nodes.size(), pool.nodes().size());
}

TEST(MpiPools, may_have_no_workers_on_rank_0) {
    if (mp::mpi::Pool(1).nodes().size() < 2) {
        EXPECT_THROW(mp::mpi::Pool({.workers_on_rank_0 = false}), std::invalid_argument);
        return;
    }
    mp::mpi::Pool pool({.processes_per_node = 2, .workers_on_rank_0 = false});
    std::set<std::string> names;
    for (const auto& one : pool.nodes()) {
        EXPECT_NE(one.rank, 0);
        names.insert(one.host);
    }
    EXPECT_EQ(pool.size(), 2 * names.size());
    std::set<std::string> worked;
    for (const auto& one : pool.map(host_of_nap, numbers(200), {.chunksize = 1})) worked.insert(one);
    EXPECT_EQ(worked, names);
    EXPECT_FALSE(names.contains(host()));
}

TEST(MpiPools, take_results_from_a_journal) {
    const Folder folder;
    const auto marks = [](const std::string& place, int x) {
        std::ofstream(place + "/ran", std::ios::app) << x << '\n';
        return std::vector<int>(x == 3 ? 100'000 : 10, x);
    };
    const auto call = mp::partial(marks, folder.path);
    const std::string journal = folder.path + "/journal";
    mp::mpi::Pool pool(2);
    const auto first = pool.map(call, numbers(50), {.chunksize = 1, .journal = journal});
    const auto ran = std::filesystem::file_size(folder.path + "/ran");
    EXPECT_EQ(pool.map(call, numbers(50), {.chunksize = 1, .journal = journal}), first);
    EXPECT_EQ(std::filesystem::file_size(folder.path + "/ran"), ran) << "nothing ran again";
    EXPECT_EQ(pool.map(call, numbers(51), {.journal = journal}).size(), 51u);
    EXPECT_EQ(std::filesystem::file_size(folder.path + "/ran"), ran + 3) << "the new element did";
}

TEST(MpiExecutor, cancels_what_has_not_begun_when_it_is_shut_down) {
    mp::mpi::Executor executor({.processes_per_node = 1});
    const Folder folder;
    constexpr int count = 300;
    const auto waits = [](const std::string& place, int x) {
        mark(place + "/begun." + std::to_string(x));
        wait_for(place + "/done");
        return x;
    };
    std::vector<mp::Future<int>> futures;
    for (int i = 0; i < count; ++i) futures.push_back(executor.submit(waits, folder.path, i));
    EXPECT_TRUE(wait_for(folder.path + "/begun.0"));
    executor.shutdown(false, true);
    mark(folder.path + "/done");
    executor.shutdown(true);
    int cancelled = 0;
    for (int i = 0; i < count; ++i) {
        auto& one = futures[static_cast<std::size_t>(i)];
        const bool begun = is_there(folder.path + "/begun." + std::to_string(i));
        EXPECT_NE(one.cancelled(), begun) << i;
        if (one.cancelled())
            ++cancelled;
        else
            EXPECT_EQ(one.result(), i);
    }
    EXPECT_GT(cancelled, count / 2);
}

}  // namespace

}  // namespace pool_nodes_test
