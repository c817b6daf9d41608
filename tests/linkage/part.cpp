// SPDX-License-Identifier: MIT
// A part of a program, NAME: makes pools of each start method, and uses one of the program's.
#include <cstdio>
#include <exception>
#include <vector>

#include "own_pools.hpp"
#include "procpool/pool.hpp"
#include "procpool/set_executable.hpp"
#include "procpool/thread_pool.hpp"
#include "procpool/worker.hpp"

namespace {
int twice(int x) { return 2 * x; }
}  // namespace

/// How many problems there were. `executable`: what workers run, if not the program.
extern "C" [[gnu::visibility("default")]] int NAME(mp::Pool* given, const char* executable) try {
    if (executable) mp::set_executable(executable);
    make_pools(executable ? executable : "the program",
               {mp::start_method::automatic, mp::start_method::fork, mp::start_method::forkserver,
                mp::start_method::spawn},
               [](mp::Pool&, const std::string&) {});
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
        expect(throws<mp::WorkerDied>([given] { given->apply(die); }), "a death in the program's pool");
    }
    mp::ThreadPool threads(2);
    expect(threads.map(twice, std::vector{1, 2}) == std::vector{2, 4}, "map in threads");
    return problems;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
