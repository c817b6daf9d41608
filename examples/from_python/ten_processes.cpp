// SPDX-License-Identifier: MIT
// Ten processes that sleep half a second take half a second.
//
//   start = time.perf_counter()
//   processes = [Process(target=task) for _ in range(10)]
//   for p in processes: p.start()
//   for p in processes: p.join()
//   print(time.perf_counter() - start)
#include <chrono>
#include <iostream>
#include <thread>
#include <vector>

#include <procpool/process.hpp>

#include "start_method.hpp"

namespace mp = procpool;
using namespace std::chrono_literals;

void task(int i) {
    std::cout << "task " << i << " begins\n" << std::flush;
    std::this_thread::sleep_for(500ms);
    std::cout << "task " << i << " ends\n" << std::flush;
}

int main(int argc, char** argv) {
    choose_start_method(argc, argv);
    const auto start = std::chrono::steady_clock::now();
    std::vector<mp::Process> processes;
    for (int i = 0; i < 10; ++i) processes.emplace_back(task, i);
    for (mp::Process& one : processes) one.start();
    for (mp::Process& one : processes) one.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::cout << (took < 4s ? "together, not one after another\n" : "one after another?\n");
    std::cerr << "it took " << took.count() << " s\n";
}
