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
#include <future>
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
#include "procpool/error.hpp"
#include "procpool/future.hpp"
#include "procpool/journal.hpp"
#include "procpool/mpi/pool.hpp"
#include "procpool/observer.hpp"
#include "procpool/partial.hpp"
#include "procpool/preload.hpp"
#include "procpool/progress.hpp"
#include "procpool/shared_array.hpp"
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

TEST(MpiPools, take_on_no_more_single_calls_than_they_may) {
    const Folder folder;
    mp::mpi::Pool pool({.processes_per_node = 1, .max_pending = 2});
    const auto waits = [](const std::string& file) { return wait_for(file); };
    std::vector<mp::AsyncResult<bool>> calls;
    for (int i = 0; i < 2; ++i) calls.push_back(pool.apply_async(waits, folder.path + "/done"));
    EXPECT_FALSE(pool.try_apply_async(waits, folder.path + "/done"));
    mark(folder.path + "/done");
    EXPECT_EQ(pool.apply(host_of_nap, 0).empty(), false) << "it waits for room";
    for (auto& one : calls) EXPECT_TRUE(one.get());
    EXPECT_THROW(mp::mpi::Pool({.max_pending = 0}), std::invalid_argument);
    EXPECT_THROW(mp::mpi::Pool({.max_pending_bytes = 0}), std::invalid_argument);
}

std::string loaded;

TEST(MpiPools, preload_once_on_each_node) {
    const Folder folder;
    const auto load = [](const std::string& place) {
        loaded = "on " + host();
        std::ofstream(place + "/loads." + host(), std::ios::app) << '\n';
    };
    mp::mpi::Pool pool({.processes_per_node = 3, .preload = mp::partial(load, folder.path)});
    for (const auto& [text, where] :
         pool.map([](int) { return std::pair(loaded, host_of_nap(0)); }, numbers(100), {.chunksize = 1}))
        EXPECT_EQ(text, "on " + where);
    for (const auto& node : pool.nodes())
        EXPECT_EQ(std::filesystem::file_size(folder.path + "/loads." + node.host), 1U) << node.host;
}

TEST(MpiPools, are_not_made_where_their_preload_throws) {
    EXPECT_THROW(mp::mpi::Pool({.processes_per_node = 1, .preload = [] { throw std::runtime_error("no"); }}),
                 mp::BootstrapError);
    const mp::SharedArray<int, 1> array({10});
    EXPECT_THROW(mp::mpi::Pool({.processes_per_node = 1,
                                .preload = mp::partial([](const mp::SharedArray<int, 1>&) {}, array)}),
                 mp::SerializationError);
}

/// Tells that it has begun, and waits.
int waits(const std::string& place, int x) {
    mark(place + "/begun." + std::to_string(x));
    wait_for(place + "/done");
    return x;
}
/// The same, so that calls of both in turn don't travel together.
int waits_too(const std::string& place, int x) { return waits(place, x); }

class MpiFutures : public testing::Test {
protected:
    bool has_begun(int call) const { return is_there(folder.path + "/begun." + std::to_string(call)); }
    int begun_of(int calls) const {
        int count = 0;
        for (int i = 0; i < calls; ++i) count += has_begun(i) ? 1 : 0;
        return count;
    }
    /// Each worker has one of these calls, and none gets another before they are done.
    void wait_until_workers_are_busy(int calls) const {
        const auto end = std::chrono::steady_clock::now() + 60s;
        while (begun_of(calls) < workers && std::chrono::steady_clock::now() < end)
            std::this_thread::sleep_for(1ms);
        ASSERT_EQ(begun_of(calls), workers);
    }
    /// Those that have not begun are cancelled, and no others.
    void expect_that_the_rest_is_cancelled() const {
        const int count = static_cast<int>(futures.size());
        for (int i = 0; i < count; ++i)
            EXPECT_NE(futures[static_cast<std::size_t>(i)].cancel(), has_begun(i)) << i;
        mark(folder.path + "/done");
        for (int i = 0; i < count; ++i) {
            const auto& one = futures[static_cast<std::size_t>(i)];
            if (has_begun(i))
                EXPECT_EQ(one.result(), i);
            else
                EXPECT_THROW(one.result(), mp::TaskCancelled) << i;
        }
        EXPECT_EQ(begun_of(count), workers);
    }

    const Folder folder;
    mp::mpi::Executor executor{{.processes_per_node = 2}};
    const int workers = [] { return static_cast<int>(mp::mpi::Pool(2).size()); }();
    std::vector<mp::Future<int>> futures;
};

TEST_F(MpiFutures, are_cancelled_while_their_calls_wait_on_a_node) {
    for (int i = 0; i < 100; ++i) futures.push_back(executor.submit(waits, folder.path, i));
    wait_until_workers_are_busy(100);
    expect_that_the_rest_is_cancelled();
}

TEST_F(MpiFutures, are_cancelled_also_if_calls_travel_alone) {
    for (int i = 0; i < 40; ++i)
        futures.push_back(executor.submit(i % 2 == 0 ? waits : waits_too, folder.path, i));
    wait_until_workers_are_busy(40);
    expect_that_the_rest_is_cancelled();
}

TEST_F(MpiFutures, are_cancelled_in_a_callback) {
    for (int i = 0; i < 40; ++i) futures.push_back(executor.submit(waits, folder.path, i));
    wait_until_workers_are_busy(40);
    std::promise<void> over;
    executor.submit(host_of_nap, 0).cancel();
    auto last = executor.submit(host_of_nap, 0);
    last.add_done_callback([&](const auto&) {
        expect_that_the_rest_is_cancelled();
        over.set_value();
    });
    EXPECT_TRUE(last.cancel());
    ASSERT_EQ(over.get_future().wait_for(60s), std::future_status::ready);
}

TEST_F(MpiFutures, that_are_cancelled_beside_quick_calls_cost_none_of_these) {
    std::vector<mp::Future<int>> quick;
    for (int i = 0; i < 3000; ++i) quick.push_back(executor.submit([](int x) { return x; }, i));
    int cancelled = 0;
    for (std::size_t i = 0; i < quick.size(); i += 3) cancelled += quick[i].cancel() ? 1 : 0;
    for (std::size_t i = 0; i < quick.size(); ++i) {
        if (quick[i].cancelled())
            --cancelled;
        else
            EXPECT_EQ(quick[i].result(), static_cast<int>(i));
    }
    EXPECT_EQ(cancelled, 0);
}

TEST(MpiExecutor, cancels_what_has_not_begun_when_it_is_shut_down) {
    mp::mpi::Executor executor({.processes_per_node = 1});
    const Folder folder;
    constexpr int count = 300;
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
