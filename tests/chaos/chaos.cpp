// SPDX-License-Identifier: MIT
// Runs random jobs in pools whose processes are killed and stopped at random, and checks that each element
// ends in exactly one state, for a reason, and that nothing is left behind.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "board.hpp"
#include "procpool/detail/zygote/exec.hpp"
#include "supervisor.hpp"
#include "support/freeze.hpp"

namespace chaos {

constexpr const char* board_variable = "PROCPOOL_CHAOS_BOARD";  // its path, for fresh runs

/// A file without a name, most of which is never touched. Workers that are fresh runs find it by its path.
void map_board(int file) {
    void* const at = file < 0 ? MAP_FAILED
                              : ::mmap(nullptr, sizeof(board), PROT_READ | PROT_WRITE,
                                       MAP_SHARED | MAP_NORESERVE, file, 0);
    if (at == MAP_FAILED) {
        std::perror("the board");
        std::exit(EXIT_FAILURE);
    }
    the_board = static_cast<board*>(at);  // zero bytes are what its atomics start with
}

void make_board() {
    const int file = ::open("/dev/shm", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    const std::string path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(file);
    if (file >= 0 &&
        (::ftruncate(file, sizeof(board)) != 0 || ::setenv(board_variable, path.c_str(), 1) != 0))
        std::exit(EXIT_FAILURE);
    map_board(file);
}

/// In a fresh run, before it becomes a worker.
const bool board_is_found = [] {
    const char* const path = std::getenv(board_variable);
    if (!path || !procpool::detail::zygote::birth_socket()) return false;
    ::signal(SIGSEGV, SIG_DFL);  // as in children that were forked (see run_program)
    const int file = ::open(path, O_RDWR | O_CLOEXEC);
    map_board(file);
    ::close(file);
    return true;
}();

namespace {

constexpr const char* usage =
    "Usage: chaos [OPTION...]\n"
    "  --seconds N    how long (60)\n"
    "  --seed S       what is drawn; the same seed gives the same jobs (from the clock)\n"
    "  --job N        draws and runs only this job, once\n"
    "  --pools N      pools that threads share (3)\n"
    "  --threads N    threads that run jobs (4)\n"
    "  --pace US      mean time between two strikes in microseconds, 0 for peace (15000)\n"
    "  --patience N   seconds after which a job hangs (60)\n"
    "  --hold         after a failure waits for a debugger\n";

[[noreturn]] void refuse() {
    std::fputs(usage, stderr);
    std::exit(2);
}

settings read_options(int argc, char** argv) {
    settings all;
    all.seed =
        static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) % 1'000'000;
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        if (option == "--hold") {
            all.hold = true;
            continue;
        }
        if (++i == argc) refuse();
        const std::string value = argv[i];
        if (option == "--seconds")
            all.seconds = std::stod(value);
        else if (option == "--seed")
            all.seed = std::stoull(value);
        else if (option == "--job")
            all.only_job = std::stoull(value);
        else if (option == "--pools")
            all.pools = std::stoul(value);
        else if (option == "--threads")
            all.threads = std::stoul(value);
        else if (option == "--pace")
            all.pace_us = std::stol(value);
        else if (option == "--patience")
            all.patience = std::stod(value);
        else
            refuse();
    }
    return all;
}

}  // namespace
}  // namespace chaos

int main(int argc, char** argv) {
    test::freeze_support(argc, argv);
    const chaos::settings all = chaos::read_options(argc, argv);
    constexpr rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    chaos::make_board();
    std::printf("chaos: seed %llu\n", static_cast<unsigned long long>(all.seed));
    return chaos::supervise(all);
}
