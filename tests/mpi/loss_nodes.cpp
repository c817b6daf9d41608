// SPDX-License-Identifier: MIT
// Nodes that are lost, and links that are cut.
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "loss.hpp"
#include "procpool/detail/mpi/session.hpp"
#include "procpool/error.hpp"
#include "procpool/mpi.hpp"
#include "procpool/partial.hpp"

namespace loss {

namespace {

/// Prints when a node is found lost, in seconds since the epoch, and for how long it was silent, in seconds
/// and in beats of rank 0.
class watch {
public:
    explicit watch(const mp::mpi::Pool& pool)
        : thread_([this, &pool](const std::stop_token& stop) { look(pool, stop); }) {}

private:
    void look(const mp::mpi::Pool& pool, const std::stop_token& stop) {
        std::set<int> told;
        while (!stop.stop_requested()) {
            for (const auto& node : pool.nodes()) {
                const auto its = node.alive || told.contains(node.rank)
                                     ? std::nullopt
                                     : mp::detail::mpi::require_session().silence_of_lost(node.rank);
                if (!its) continue;
                told.insert(node.rank);
                const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
                std::printf("found %d at %.2f, silent for %.2f s, %llu beats\n", node.rank, now.count(),
                            std::chrono::duration<double>(its->time).count(),
                            static_cast<unsigned long long>(its->beats));
            }
            std::this_thread::sleep_for(10ms);
        }
    }
    std::jthread thread_;
};

/// Each result comes, whatever happens to nodes, and calls work later.
int map() {
    mp::mpi::Pool pool(options());
    expect(pool.apply(slow_square, 2) == 4, "a first call");
    {
        const watch of(pool);
        expect_squares(pool.map(mp::partial(slow_square_that_tells, folder), numbers(3000)), 3000);
        std::printf("mapped\n");
        wait_for("done");
        expect_work(pool);
    }
    print_nodes(pool);
    expect_work(pool);
    mp::mpi::Pool other(options());
    expect_work(other);
    print_nodes(other);
    return 0;
}

/// A lost node's elements fail, and say where they were.
int fail_with_node() {
    auto with = options();
    with.on_node_loss = mp::mpi::on_node_loss::fail;
    mp::mpi::Pool pool(with);
    int failed = 0;
    int index = -1;
    for (const auto& one : pool.try_map(mp::partial(slow_square_that_tells, folder), numbers(3000))) {
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
    expect_work(pool);
    print_nodes(pool);
    return 0;
}

/// Waits where rank 0 is until all is over, on the other nodes for their end: on the first one at once, on
/// the second one if the element was on the first before.
int waits_on_two_nodes(const std::string& here, const std::string& place, int x) {
    const std::string element = std::to_string(x);
    if (host() == here) {
        wait_until_marked(place + "/done");
        return x;
    }
    if (is_marked(place + "/first." + element)) {
        mark(place + "/second." + element);
        wait_until_marked(place + "/never");
    }
    if (host() != "node2") return x;
    mark(place + "/first." + element);
    mark(place + "/on." + host());
    wait_until_marked(place + "/never");
    return x;
}

/// Elements that were on two lost nodes fail, no others do, and rank 0 goes on alone.
int lose_all() {
    mp::mpi::Pool pool(options());
    const watch of(pool);
    std::set<int> failed;
    int x = 0;
    for (const auto& one :
         pool.try_map(mp::partial(waits_on_two_nodes, host(), folder), numbers(6), {.chunksize = 1})) {
        try {
            expect(one.value() == x, "value " + std::to_string(x));
        } catch (const mp::NodeDied& death) {
            expect(death.rank() == 2, "the second node is named");
            failed.insert(x);
        }
        ++x;
    }
    for (x = 0; x < 6; ++x)
        expect(failed.contains(x) == is_marked(folder + "/second." + std::to_string(x)),
               "element " + std::to_string(x) + " fails if it was on both nodes");
    std::printf("failed: %zu\n", failed.size());
    print_nodes(pool);
    expect(pool.size() == 2, "rank 0's workers are left");
    expect_work(pool);
    return 0;
}

/// A node that is lost while a pool is made.
int construct() {
    const auto waits_elsewhere = [](const std::string& here, const std::string& place) {
        if (host() == here) return;
        mark(place + "/on." + host());
        wait_until_marked(place + "/done");
    };
    try {
        mp::mpi::Pool pool(options(), waits_elsewhere, host(), folder);
        wait_for("done");
        std::printf("made\n");  // workers start meanwhile
        expect_work(pool);
        print_nodes(pool);
    } catch (const mp::NodeDied& death) {
        std::printf("NodeDied of %s\n", death.host().c_str());
    }
    mp::mpi::Pool next(options());
    expect_work(next);
    print_nodes(next);
    return 0;
}

/// A node falls silent while nothing is asked of it, and rank 0 ends before that is noticed.
int end_beside_a_silent_node() {
    {
        mp::mpi::Pool pool(options());
        expect_work(pool);
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
        expect_work(pool);
    }
    tell("ready");
    wait_for("done");
    for (int attempt = 0;; ++attempt) {
        try {
            mp::mpi::Pool pool(options());
            expect_work(pool);
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
    pool.map(mp::partial(slow_square_that_tells, folder), numbers(1'000'000));
    return 0;
}

std::pair<std::string, std::size_t> host_and_size(const std::string& bound, int /*x*/) {
    std::this_thread::sleep_for(1ms);
    return {host(), bound.size()};
}
void expect_definition(mp::mpi::Pool& pool, std::size_t size) {
    std::set<std::string> hosts;
    const std::string bound(size, 'd');
    for (const auto& [where, length] : pool.map(mp::partial(host_and_size, bound), numbers(6000))) {
        expect(length == size, "what is bound");
        hosts.insert(where);
    }
    expect(hosts.size() == pool.nodes().size(), "all nodes work");
}
/// Large definitions go from node to node.
int definitions() {
    mp::mpi::Pool pool(options());
    expect_work(pool);
    tell("ready");
    wait_for("go");
    expect_definition(pool, std::size_t{32} << 20);
    std::printf("mapped\n");
    tell("mapped");
    wait_for("done");
    expect_definition(pool, std::size_t{2} << 20);
    mp::mpi::Pool other(options());
    expect_definition(other, std::size_t{3} << 20);
    print_nodes(other);
    return 0;
}

int first_and_size(const std::string& bound, int /*x*/) {
    return static_cast<int>(bound.size()) + static_cast<unsigned char>(bound.front());
}
/// Definitions that are just large enough for the chain: elements that go to a node directly come first.
int small_definitions() {
    mp::mpi::Pool pool(options());
    expect_work(pool);
    tell("ready");
    wait_for("go");
    constexpr int size = 1 << 20;
    for (int call = 0; call < 20; ++call) {
        const std::string bound(static_cast<std::size_t>(size + call), static_cast<char>(call));
        expect(pool.map(mp::partial(first_and_size, bound), numbers(60), {.chunksize = 1}) ==
                   std::vector<int>(60, size + 2 * call),
               "call " + std::to_string(call));
    }
    print_nodes(pool);
    return 0;
}

}  // namespace

void add_lost_nodes(mode_map& modes) {
    modes["map"] = map;
    modes["fail"] = fail_with_node;
    modes["lose_all"] = lose_all;
    modes["construct"] = construct;
    modes["silent_end"] = end_beside_a_silent_node;
    modes["pool_after_a_death"] = pool_after_a_death;
    modes["for_ever"] = run_for_ever;
    modes["definitions"] = definitions;
    modes["small_definitions"] = small_definitions;
}

}  // namespace loss
