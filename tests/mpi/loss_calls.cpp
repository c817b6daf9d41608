// SPDX-License-Identifier: MIT
// Several calls and pools while a node is lost.
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "loss.hpp"
#include "procpool/error.hpp"
#include "procpool/future.hpp"
#include "procpool/mpi.hpp"
#include "procpool/partial.hpp"

namespace loss {

namespace {

/// Two pools at once lose the same node.
int two_pools() {
    mp::mpi::Pool one(options());
    mp::mpi::Pool other(options());
    auto first = one.map_async(mp::partial(slow_square_that_tells, folder), numbers(3000));
    auto second = other.map_async(slow_square, numbers(3000));
    expect_squares(first.get(), 3000);
    expect_squares(second.get(), 3000);
    for (mp::mpi::Pool* const pool : {&one, &other}) {
        expect_work(*pool);
        print_nodes(*pool);
    }
    return 0;
}

int slower_square_that_tells(const std::string& place, int x) {
    std::this_thread::sleep_for(15ms);
    return slow_square_that_tells(place, x);
}
/// Futures are cancelled while their node is silent, and nobody knows yet that it is lost.
int cancel_during_a_loss() {
    mp::mpi::Executor executor(options());
    std::vector<mp::Future<int>> futures;
    for (const int x : numbers(1500)) futures.push_back(executor.submit(slower_square_that_tells, folder, x));
    wait_for("struck");
    std::vector<bool> cancelled(futures.size());
    for (std::size_t i = 0; i < futures.size(); i += 3) cancelled[i] = futures[i].cancel();
    std::size_t count = 0;
    for (std::size_t i = 0; i < futures.size(); ++i) {
        const std::string name = "call " + std::to_string(i);
        expect(futures[i].cancelled() == cancelled[i], name + " keeps what cancel() said");
        if (cancelled[i])
            ++count;
        else
            expect(futures[i].result() == static_cast<int>(i * i), name);
    }
    expect(count > 100, "most of those that waited are cancelled");
    std::printf("cancelled: %zu\n", count);
    return 0;
}

int size_and_nap(const std::string& bound, int x) {
    slow_square(x);
    return static_cast<int>(bound.size());
}
/// The host by which a large definition goes to another one dies.
int chain() {
    mp::mpi::Pool pool(options());
    expect_work(pool);
    tell("ready");
    wait_for("go");
    for (const int size : {32 << 20, 2 << 20}) {
        const auto sizes = pool.map(
            mp::partial(size_and_nap, std::string(static_cast<std::size_t>(size), 'd')), numbers(6000));
        expect(sizes == std::vector<int>(6000, size), "what is bound");
        std::printf("mapped %d\n", size);
    }
    print_nodes(pool);
    return 0;
}

}  // namespace

void add_calls(mode_map& modes) {
    modes["two_pools"] = two_pools;
    modes["cancel_during_a_loss"] = cancel_during_a_loss;
    modes["chain"] = chain;
}

}  // namespace loss
