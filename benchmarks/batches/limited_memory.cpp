// SPDX-License-Identifier: MIT
// A batch in a control group that has half of the memory that all workers at once would take: with and
// without PoolOptions::memory. Usage: limited_memory [ELEMENTS [WORKERS]], as root, since it makes the group.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <procpool/pool.hpp>
#include <ranges>
#include <thread>

#include "support/small_group.hpp"

namespace mp = procpool;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;
constexpr std::size_t largest = 16 * mib;

/// Takes 8 to 16 MiB for some milliseconds.
std::size_t decode(int element) {
    const std::size_t bytes = largest / 2 + static_cast<std::size_t>(element) * 7919 % 9 * mib;
    const auto image = std::make_unique_for_overwrite<std::byte[]>(bytes);
    std::memset(image.get(), element & 0xff, bytes);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return bytes;
}

void run(const char* name, const mp::PoolOptions& options, int elements) {
    const auto start = std::chrono::steady_clock::now();
    int results = 0;
    int out_of_memory = 0;
    mp::Pool pool(options);
    for (const auto& one : pool.try_map(decode, std::views::iota(0, elements))) {
        results += one ? 1 : 0;
        try {
            if (!one) std::rethrow_exception(one.error());
        } catch (const mp::WorkerDied& death) {
            out_of_memory += death.out_of_memory() ? 1 : 0;
        }
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::printf("| %s | %d | %d | %d | %.1f |\n", name, results, elements - results, out_of_memory,
                seconds.count());
}

}  // namespace

int main(int argc, char** argv) {
    const int elements = argc > 1 ? std::atoi(argv[1]) : 2000;
    const int workers = argc > 2 ? std::atoi(argv[2]) : 8;
    const test::small_group group(static_cast<std::size_t>(workers) * largest / 2);
    if (!group.limited()) {
        std::fputs("limited_memory: no control group that limits memory can be made here\n", stderr);
        return 1;
    }
    std::printf(
        "| %d elements, %d workers | results | lost | of these out of memory | seconds |\n"
        "|---|---|---|---|---|\n",
        elements, workers);
    const mp::PoolOptions without{.processes = workers};
    const mp::PoolOptions with{.processes = workers, .memory = {.reserve = 12 * mib}};
    for (const auto* options : {&without, &with}) {
        std::fflush(stdout);
        const pid_t child = ::fork();
        if (child == 0) {
            if (!group.take_this_process()) std::_Exit(1);
            run(options == &with ? "with `.memory`" : "without", *options, elements);
            std::fflush(stdout);
            std::_Exit(0);
        }
        int status = -1;
        if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0) {
            std::fprintf(stderr, "limited_memory: the batch ended with status %d\n", status);
            return 1;
        }
    }
}
