// SPDX-License-Identifier: MIT
// Fresh runs that are started by fork and not by vfork: one whose zygote is killed at once has said who it
// is. Usage: real_fork FILE: the first zygote that can remove it dies when it has forked a worker
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "procpool/freeze_support.hpp"
#include "procpool/pool.hpp"
#include "support/engine.hpp"

namespace {

constexpr const char* variable = "ZYGOTE_DIES_WITH";  // for fresh runs only
const char* const file = std::getenv(variable);

void die_once() {
    if (file && ::unlink(file) == 0) ::raise(SIGKILL);
}
const bool watched = ::pthread_atfork(nullptr, &die_once, nullptr) == 0;

}  // namespace

int main(int argc, char** argv) {
    procpool::freeze_support(argc, argv);
    if (argc != 2 || !watched || ::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 ||
        ::setenv(variable, argv[1], 1) != 0)
        return 2;
    {
        procpool::Pool pool({.processes = 2, .start_method = procpool::start_method::spawn});
        if (pool.apply([](int x) { return x + 1; }, 41) != 42) return 3;
    }
    if (::access(argv[1], F_OK) == 0) return 4;                               // no zygote has forked
    return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD ? 0 : 5;  // nobody was left
}
