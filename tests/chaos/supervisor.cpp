// SPDX-License-Identifier: MIT
#include "supervisor.hpp"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "board.hpp"
#include "killer.hpp"
#include "processes.hpp"

namespace chaos {

namespace {

class supervisor {
public:
    explicit supervisor(const settings& all) : all_(all), program_(start()) {}

    int run() {
        {
            killer kills(program_, all_.seed, std::chrono::microseconds(all_.pace_us));
            for (long turn = 0; !reap(); ++turn) {
                kills.act();
                if (turn % 1000 == 0 && is_stuck()) return EXIT_FAILURE;
                ::usleep(500);
            }
        }
        print_strikes();
        return verdict();
    }

private:
    pid_t start() const {
        // The workers of a nested pool that loses its program come here, and are waited for.
        ::prctl(PR_SET_CHILD_SUBREAPER, 1);
        std::fflush(stdout);
        const pid_t parent = ::getpid();
        const pid_t pid = ::fork();
        if (pid != 0) return pid;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(EXIT_FAILURE);
        ::setpgid(0, 0);  // all that descends from here can be found by it
        std::exit(run_program(all_));
    }

    /// Takes the ends of children; true once the program has ended.
    bool reap() {
        int status = 0;
        for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;)
            if (pid == program_) end_ = status;
        return end_.has_value();
    }

    bool is_stuck() {
        const auto patience = static_cast<std::int64_t>(all_.patience * 1e9);
        bool stuck = false;
        for (const board::activity& one : the_board->activities) {
            const std::uint64_t job = one.job;
            if (job == 0 || now_ns() - one.since < patience) continue;
            std::printf("chaos: seed %llu, job %llu (%s) hangs for %.0f s\n",
                        static_cast<unsigned long long>(all_.seed), static_cast<unsigned long long>(job),
                        one.kind.load(), static_cast<double>(now_ns() - one.since) / 1e9);
            stuck = true;
        }
        if (!stuck) return false;
        print_strikes();
        std::printf("%s", describe_processes_of(program_).c_str());
        std::fflush(stdout);
        if (all_.hold) ::pause();
        ::kill(-program_, SIGKILL);
        return true;
    }

    void print_strikes() const {
        std::printf("  %llu strikes on workers, %llu on zygotes, %llu stops\n",
                    static_cast<unsigned long long>(the_board->workers_struck),
                    static_cast<unsigned long long>(the_board->zygotes_struck),
                    static_cast<unsigned long long>(the_board->stops));
    }

    int verdict() {
        const bool good = WIFEXITED(*end_) && WEXITSTATUS(*end_) == EXIT_SUCCESS;
        if (WIFSIGNALED(*end_)) std::printf("chaos: the program died of signal %d\n", WTERMSIG(*end_));
        if (!good)
            for (const board::activity& one : the_board->activities)
                if (one.job != 0)
                    std::printf("  job %llu (%s) was running\n", static_cast<unsigned long long>(one.job),
                                one.kind.load());
        const bool alone = ends_soon();
        if (!alone)
            std::printf("chaos: processes outlive the program:\n%s", describe_processes_of(program_).c_str());
        ::kill(-program_, SIGKILL);
        std::printf("chaos: seed %llu: %s\n", static_cast<unsigned long long>(all_.seed),
                    good && alone ? "good" : "FAILED");
        return good && alone ? EXIT_SUCCESS : EXIT_FAILURE;
    }

    /// Whatever ended the program, its pools end with it.
    bool ends_soon() {
        const auto deadline = now_ns() + std::int64_t{10'000'000'000};
        while (!processes_of(program_).empty()) {
            if (now_ns() > deadline) return false;
            reap();
            ::usleep(1000);
        }
        return true;
    }

    const settings all_;
    const pid_t program_;
    std::optional<int> end_;
};

}  // namespace

int supervise(const settings& all) { return supervisor(all).run(); }

}  // namespace chaos
