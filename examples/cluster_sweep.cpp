// SPDX-License-Identifier: MIT
// Tries parameters against a large table, on all machines that it is started on:
// mpiexec -n 3 --map-by ppr:1:node ./cluster_sweep
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <numeric>
#include <span>
#include <vector>

#include <procpool/mpi.hpp>

namespace mp = procpool;

using Price = std::int32_t;

/// A price a second, for three months: 32 MB.
std::vector<Price> make_prices() {
    std::vector<Price> prices(8'000'000);
    Price price = 100'000;
    std::uint32_t random = 1;
    for (Price& one : prices) {
        random = random * 1'664'525 + 1'013'904'223;
        price += static_cast<Price>(random >> 30) - 1;  // -1 to 2: they rise
        if (random >> 16 == 0) price -= price / 20;     // but for a crash now and then
        one = price;
    }
    return prices;
}

/// What the rule earns: buy if the price has risen in so many seconds, and sell after as many.
std::int64_t profit(std::span<const Price> prices, std::size_t seconds) {
    std::int64_t sum = 0;
    for (std::size_t now = seconds; now + seconds < prices.size(); now += seconds)
        if (prices[now] > prices[now - seconds]) sum += prices[now + seconds] - prices[now];
    return sum;
}

int main(int argc, char** argv) {
    return mp::mpi::run(argc, argv, [](int, char**) {
        const std::vector<Price> prices = make_prices();
        std::vector<std::size_t> seconds(240);
        std::iota(seconds.begin(), seconds.end(), 10);

        mp::mpi::Pool pool;
        // [call]
        // The table goes to each node once; then an element is a number.
        const std::vector<std::int64_t> profits = pool.map(mp::partial(profit, prices), seconds);
        // [/call]

        const auto best = std::max_element(profits.begin(), profits.end()) - profits.begin();
        std::cout << "tried " << profits.size() << " rules on " << prices.size() << " prices\n"
                  << "the best looks back " << seconds[static_cast<std::size_t>(best)]
                  << " seconds and earns " << profits[static_cast<std::size_t>(best)] << '\n';
        return 0;
    });
}
