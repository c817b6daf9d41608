// SPDX-License-Identifier: MIT
// Workers that crash, throw and end: what hangs Python's pool without a word costs one element here.
//
//   pool.map(task, range(6))            # one segfault: hangs for ever
//   executor.map(task, range(6))        # BrokenProcessPool: all is lost
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#include <procpool/executor.hpp>
#include <procpool/pool.hpp>

#include "start_method.hpp"

namespace mp = procpool;

int task(int i) {
    if (i == 1) std::raise(SIGKILL);  // as the kernel does when memory is short
    if (i == 2) std::exit(3);
    if (i == 3) throw std::out_of_range("no such row");
    return i * i;
}

int main(int argc, char** argv) {
    choose_start_method(argc, argv);
    mp::Pool pool(2);
    const auto outcomes = pool.try_map(task, std::views::iota(0, 6));
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        std::cout << i << ": ";
        try {
            std::cout << outcomes[i].value() << "\n";
        } catch (const mp::WorkerDied& death) {
            if (death.signal() != 0)
                std::cout << "the worker died of signal " << death.signal() << "\n";
            else
                std::cout << "the worker ended with exit code " << *death.exit_code() << "\n";
        } catch (const std::out_of_range& error) {
            std::cout << error.what() << "\n";
        }
    }
    std::cout << "the pool goes on: " << pool.apply(task, 7) << "\n";

    mp::ProcessPoolExecutor executor(2);
    std::vector<mp::Future<int>> futures;
    for (int i = 0; i < 6; ++i) futures.push_back(executor.submit(task, i));
    int failed = 0;
    for (const auto& future : futures) failed += future.exception() ? 1 : 0;
    std::cout << failed << " of " << futures.size() << " futures failed\n";
}
