// SPDX-License-Identifier: MIT
// Two processes, first left alone, then joined.
//
//   p1 = Process(target=task); p2 = Process(target=task)
//   p1.start(); p2.start()
//   print("started")          # comes before the tasks' last lines
//   p1.join(); p2.join()
//   print("joined")           # and this after them
#include <chrono>
#include <iostream>
#include <thread>

#include <procpool/process.hpp>

#include "start_method.hpp"

namespace mp = procpool;
using namespace std::chrono_literals;

void task() {
    std::cout << "a task begins\n" << std::flush;
    std::this_thread::sleep_for(300ms);
    std::cout << "a task ends\n" << std::flush;
}

int main(int argc, char** argv) {
    choose_start_method(argc, argv);
    {
        mp::Process first(task), second(task);
        first.start();
        second.start();
        std::cout << "started: " << mp::active_children().size() << " run\n" << std::flush;
    }  // as Python at its end, so waits a Process at its own

    mp::Process first(task), second(task);
    first.start();
    second.start();
    first.join();
    second.join();
    std::cout << "joined: exit codes " << *first.exitcode() << " and " << *second.exitcode() << "\n";
}
