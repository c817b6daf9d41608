// SPDX-License-Identifier: MIT
// A part of a program, NAME: makes pools of each start method, and uses one of the program's.
#include <unistd.h>

#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "procpool/pool.hpp"
#include "procpool/process.hpp"
#include "procpool/register_exception.hpp"
#include "procpool/set_executable.hpp"
#include "procpool/thread_pool.hpp"
#include "procpool/worker.hpp"

namespace parts::NAME {  // exceptions are known by name
struct own_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};
}  // namespace parts::NAME

namespace {

namespace mp = procpool;

int problems = 0;
void expect(bool good, const std::string& what) {
    if (good) return;
    std::fprintf(stderr, "not so: %s\n", what.c_str());
    ++problems;
}

using parts::NAME::own_error;
const bool registered = mp::register_exception<own_error>();

int initialized = 0;
void initialize(int value) { initialized = value; }
int plus(int x) {
    if (x < 0) throw own_error("negative");
    return x + initialized;
}
int twice(int x) { return 2 * x; }

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

void make_pools(mp::start_method how) {
    const std::string way = "method " + std::to_string(static_cast<int>(how)) + ": ";
    mp::Pool pool({.processes = 2, .start_method = how}, initialize, 10);
    expect(pool.map(plus, std::vector{1, 2}) == std::vector{11, 12}, way + "map");
    expect(throws<own_error>([&] { pool.apply(plus, -1); }), way + "an exception of its own");
    expect(throws<mp::WorkerDied>([&] { pool.apply([] { ::_exit(3); }); }), way + "a death");
    expect(pool.apply(plus, 5) == 15, way + "a replacement");
    mp::Process process({.start_method = how}, [] {});
    process.start();
    process.join();
    expect(process.exitcode() == 0, way + "a Process");
}

}  // namespace

/// How many problems there were. `executable`: what workers run, if not the program.
extern "C" [[gnu::visibility("default")]] int NAME(mp::Pool* given, const char* executable) try {
    if (executable) mp::set_executable(executable);
    for (const auto how : {mp::start_method::automatic, mp::start_method::fork, mp::start_method::forkserver,
                           mp::start_method::spawn})
        make_pools(how);
#ifdef OTHER_VERSION  // the program's pools are of another class
    given = nullptr;
#endif
    if (given) {
        expect(given->map(twice, std::vector{1, 2}) == std::vector{2, 4}, "map in the program's pool");
#ifdef OWN_STATE  // what the program's pool knows, this part doesn't, and the other way round
        using expected_error = mp::RemoteError;
        const bool has_index = false;
#else
        using expected_error = own_error;
        const bool has_index = true;
#endif
        expect(given->apply([] { return mp::worker_index().has_value(); }) == has_index,
               "worker_index in the program's pool");
        expect(throws<expected_error>([given] { given->apply(plus, -1); }),
               "its exception from the program's pool");
        expect(throws<mp::WorkerDied>([given] { given->apply([] { ::_exit(3); }); }),
               "a death in the program's pool");
    }
    mp::ThreadPool threads(2);
    expect(threads.map(twice, std::vector{1, 2}) == std::vector{2, 4}, "map in threads");
    return problems;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
