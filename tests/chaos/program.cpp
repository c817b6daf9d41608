// SPDX-License-Identifier: MIT
#include "program.hpp"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include "balance.hpp"
#include "board.hpp"
#include "job.hpp"

namespace chaos {

namespace {

thread_local board::activity* my_activity = nullptr;

class program {
public:
    explicit program(const settings& all)
        : all_(all), slots_(all.pools), next_job_(all.only_job.value_or(1)) {}

    int run() {
        const auto end = now_ns() + static_cast<std::int64_t>(all_.seconds * 1e9);
        // The first is short: what it leaves allocated is what the others are measured by.
        for (int round = 0; now_ns() < end && !(all_.only_job && round > 0); ++round) {
            const auto length = static_cast<std::int64_t>((round == 0 ? 3e9 : 10e9));
            run_round(std::min(end, now_ns() + length));
            try {
                balance_.check();
            } catch (const wrong& problem) {
                fail(problem.what(), "the balance after round " + std::to_string(round));
            }
        }
        return EXIT_SUCCESS;
    }
    void print() const {
        counts_.print();
        balance_.print();
    }

private:
    void run_round(std::int64_t end) {
        make_truce(false);
        std::vector<std::thread> threads;
        const std::size_t count = all_.only_job ? 1 : all_.threads;
        for (std::size_t i = 0; i < count; ++i)
            threads.emplace_back([this, i, end] { run_jobs(the_board->activities.at(i), end); });
        for (std::thread& one : threads) one.join();
        slots_.clear();
        make_truce(true);
    }

    void make_truce(bool wanted) {
        the_board->truce_wanted = wanted;
        while (the_board->truce != wanted) ::usleep(200);
    }

    void run_jobs(board::activity& mine, std::int64_t end) {
        my_activity = &mine;
        tally counts;
        do {
            const std::uint64_t number = next_job_.fetch_add(1);
            mine.since = now_ns();
            mine.job = number;
            std::string problem;
            try {
                run_job(all_.seed, number, &slots_, counts,
                        [](const char* kind) { my_activity->kind = kind; });
            } catch (const wrong& error) {
                problem = error.what();
            } catch (...) {
                problem = "nobody expected " + describe(std::current_exception());
            }
            if (!problem.empty())
                fail(problem, "job " + std::to_string(number) + " (" + mine.kind.load() + ")");
            mine.job = 0;
            ++the_board->jobs_done;
        } while (now_ns() < end && !all_.only_job);
        const std::lock_guard lock(mutex_);
        counts_ += counts;
    }

    [[noreturn]] void fail(const std::string& problem, const std::string& where) {
        const std::lock_guard lock(mutex_);
        std::printf("chaos: seed %llu, %s: %s\n", static_cast<unsigned long long>(all_.seed), where.c_str(),
                    problem.c_str());
        std::fflush(stdout);
        if (all_.hold) ::pause();
        ::_exit(EXIT_FAILURE);
    }

    const settings all_;
    balance balance_;
    pool_slots slots_;
    std::atomic<std::uint64_t> next_job_;
    std::mutex mutex_;
    tally counts_;
};

}  // namespace
}  // namespace chaos

#ifdef __SANITIZE_THREAD__
/// libstdc++.so counts the owners of exceptions, which the sanitizer doesn't see.
extern "C" const char* __tsan_default_suppressions() {
    return "race:std::__exception_ptr::exception_ptr::_M_release\n";
}
#endif

namespace chaos {

int run_program(const settings& all) {
    // Or else each of the allocator's arenas may keep tens of megabytes, depending on what was freed last.
    ::mallopt(M_TRIM_THRESHOLD, 128 * 1024);
    // In the children only: here a sanitizer is to tell what has happened.
    ::pthread_atfork(nullptr, nullptr, [] { ::signal(SIGSEGV, SIG_DFL); });
    std::thread([] {}).join();  // the thread sanitizer starts one of its own with the first
    program test(all);
    const int code = test.run();
    test.print();
    std::fflush(stdout);
    return code;
}

}  // namespace chaos
