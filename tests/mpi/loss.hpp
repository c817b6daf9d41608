// SPDX-License-Identifier: MIT
// What the modes of the program `loss` share.
#ifndef PROCPOOL_TESTS_MPI_LOSS_HPP
#define PROCPOOL_TESTS_MPI_LOSS_HPP

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "procpool/mpi.hpp"

namespace loss {

namespace mp = procpool;
using namespace std::chrono_literals;

using mode_map = std::map<std::string, std::function<int()>>;
void add_lost_nodes(mode_map& modes);
void add_ends_of_main(mode_map& modes);
void add_tasks(mode_map& modes);
void add_calls(mode_map& modes);

inline std::string folder;
inline std::chrono::seconds node_timeout = 2s;

inline void mark(const std::string& file) { std::ofstream(file) << "now\n"; }
inline bool is_marked(const std::string& file) { return ::access(file.c_str(), F_OK) == 0; }
inline void wait_until_marked(const std::string& file) {
    while (!is_marked(file)) std::this_thread::sleep_for(10ms);
}
/// Another process may do what it waits for.
inline void tell(const std::string& event) { mark(folder + "/" + event); }
inline void wait_for(const std::string& event) { wait_until_marked(folder + "/" + event); }

inline std::string host() {
    std::array<char, 256> name{};
    ::gethostname(name.data(), name.size() - 1);
    return name.data();
}

inline std::vector<int> numbers(int count) {
    std::vector<int> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    return all;
}
inline int slow_square(int x) {
    std::this_thread::sleep_for(5ms);
    return x * x;
}
/// The same, and its host has begun.
inline int slow_square_that_tells(const std::string& place, int x) {
    const std::string file = place + "/on." + host();
    if (!is_marked(file)) mark(file);
    return slow_square(x);
}

[[noreturn]] inline void fail(const std::string& why) {
    std::printf("WRONG: %s\n", why.c_str());
    std::fflush(stdout);
    std::_Exit(99);
}
inline void expect(bool good, const std::string& what) {
    if (!good) fail(what);
}
inline void expect_squares(const std::vector<int>& values, int count) {
    expect(values.size() == static_cast<std::size_t>(count), "number of results");
    for (int i = 0; i < count; ++i)
        expect(values[static_cast<std::size_t>(i)] == i * i, "value " + std::to_string(i));
}
inline void expect_work(mp::mpi::Pool& pool) { expect_squares(pool.map(slow_square, numbers(300)), 300); }
inline void print_nodes(const mp::mpi::Pool& pool) {
    std::printf("nodes:");
    for (const auto& node : pool.nodes()) std::printf(" %d=%s", node.rank, node.alive ? "alive" : "lost");
    std::printf("\n");
}

inline mp::mpi::PoolOptions options() { return {.processes_per_node = 2, .node_timeout = node_timeout}; }

}  // namespace loss

#endif
