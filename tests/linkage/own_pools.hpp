// SPDX-License-Identifier: MIT
// What a part of a program does in pools of its own: tasks, exceptions, deaths.
#ifndef PROCPOOL_TESTS_LINKAGE_OWN_POOLS_HPP
#define PROCPOOL_TESTS_LINKAGE_OWN_POOLS_HPP

#include <unistd.h>

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "procpool/pool.hpp"
#include "procpool/process.hpp"
#include "procpool/register_exception.hpp"

namespace {

namespace mp = procpool;

int problems = 0;
void expect(bool good, const std::string& what) {
    if (good) return;
    std::fprintf(stderr, "not so: %s\n", what.c_str());
    ++problems;
}

template <class Error, class Call>
bool throws(Call call) {
    try {
        call();
    } catch (const Error&) {
        return true;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "another exception: %s\n", error.what());
    }
    return false;
}

// Each part has its own one of this name.
struct own_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};
const bool registered = mp::register_exception<own_error>();

int initialized = 0;
void initialize(int value) { initialized = value; }
int plus(int x) {
    if (x < 0) throw own_error("negative");
    return x + initialized;
}
void die() { ::_exit(3); }

/// `use` is called with each pool, and with what to say in front of what is not so.
template <class Use>
void make_pools(const std::string& executable, const std::vector<mp::start_method>& methods, Use use) {
    for (const mp::start_method how : methods) {
        const std::string way = executable + ", method " + std::to_string(static_cast<int>(how)) + ": ";
        mp::Pool pool({.processes = 2, .start_method = how}, initialize, 10);
        expect(pool.map(plus, std::vector{1, 2}) == std::vector{11, 12}, way + "map");
        expect(throws<own_error>([&] { pool.apply(plus, -1); }), way + "an exception of its own");
        expect(throws<mp::WorkerDied>([&] { pool.apply(die); }), way + "a death");
        expect(pool.apply(plus, 5) == 15, way + "a replacement");
        use(pool, way);
        mp::Process process({.start_method = how}, [] {});
        process.start();
        process.join();
        expect(process.exitcode() == 0, way + "a Process");
    }
}

}  // namespace

#endif
