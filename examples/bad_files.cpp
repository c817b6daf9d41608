// SPDX-License-Identifier: MIT
// A crash among a thousand: what kills a worker, or throws, costs its own element and no other.
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <ranges>
#include <stdexcept>
#include <vector>

#include <procpool/pool.hpp>

namespace mp = procpool;

// [parse]
/// Stands for a native library that three of the thousand files drive mad.
long parse(long file) {
    if (file == 250) std::abort();
    if (file == 500) ::_exit(7);
    if (file == 750) throw std::invalid_argument("no header");
    return file * file;
}
// [/parse]

int main() {
    // [try_map]
    mp::Pool pool(2);
    std::vector<mp::Outcome<long>> outcomes = pool.try_map(parse, std::views::iota(0L, 1000L));

    long parsed = 0, sum = 0;
    for (const mp::Outcome<long>& outcome : outcomes) {
        try {
            sum += outcome.value();
            ++parsed;
        } catch (const mp::WorkerDied& death) {
            std::cout << "file " << death.index().value() << " killed its worker: " << death.what() << "\n";
        } catch (const std::exception& error) {
            std::cout << "a file was refused: " << error.what() << "\n";
        }
    }
    std::cout << parsed << " of " << outcomes.size() << " parsed, their sum is " << sum << "\n";
    // [/try_map]

    std::cout << "the pool goes on: 12 * 12 = " << pool.apply(parse, 12) << "\n";
}
