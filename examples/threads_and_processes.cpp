// SPDX-License-Identifier: MIT
// A program with running threads: its workers are fresh runs of it, so no lock of a thread is ever copied.
#include <atomic>
#include <iostream>
#include <mutex>
#include <ranges>
#include <string>
#include <thread>
#include <vector>

#include <procpool/freeze_support.hpp>
#include <procpool/pool.hpp>

namespace mp = procpool;

/// Stands for an old library: it keeps its state in a global variable, so threads can't share it.
std::string current_dictionary;
void open_dictionary(const std::string& name) { current_dictionary = name; }
std::string translate(int word) { return current_dictionary + " " + std::to_string(word); }

// [main]
int main(int argc, char** argv) {
    mp::freeze_support(argc, argv);  // first: the workers of the pool below are this program, started anew

    // A thread that is busy all the time, as in a server or behind a window. It holds a lock as often as not.
    std::mutex log;
    std::atomic<bool> running{true};
    std::jthread logger([&] {
        while (running) const std::lock_guard hold(log);
    });

    // Each worker opens the dictionary for itself: what fresh runs need, an initializer makes.
    mp::Pool pool(2, open_dictionary, std::string("english"));

    // Threads may share a pool.
    std::vector<std::string> answers(4);
    {
        std::vector<std::jthread> clients;
        for (int client : std::views::iota(0, 4))
            clients.emplace_back([&, client] { answers[client] = pool.apply(translate, 100 + client); });
    }
    for (const std::string& answer : answers) std::cout << answer << "\n";
    std::cout << "here the dictionary is " << (current_dictionary.empty() ? "closed" : "open") << "\n";
    running = false;
}
// [/main]
