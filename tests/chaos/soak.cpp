// SPDX-License-Identifier: MIT
// Millions of tasks through one pool: the memory of the program and of each worker stays as it was after the
// first of them.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <ranges>
#include <string>
#include <vector>

#include "balance.hpp"
#include "procpool/pool.hpp"
#include "support/leftovers.hpp"
#include "support/wait.hpp"
#include "tally.hpp"

namespace chaos {
namespace {

namespace mp = procpool;

// What the allocator may keep more at one time than at another; of ten million tasks, a tenth of a byte each.
constexpr std::size_t tolerance = std::size_t{1} << 20;

struct settings {
    std::uint64_t tasks = 10'000'000;
    int workers = 2;
};

std::uint64_t next_of(std::uint64_t x) { return x * 3 + 1; }
std::string text_of(std::uint64_t x) { return std::string(x % 100, 'x'); }

void check(bool good, const std::string& otherwise) {
    if (!good) throw wrong(otherwise);
}

/// Sends tasks in all ways, in rounds.
class sender {
public:
    explicit sender(mp::Pool& pool) : pool_(pool) {}

    std::uint64_t sent() const noexcept { return sent_; }

    /// @throws wrong if a result is
    void send(std::uint64_t tasks) {
        for (const std::uint64_t end = sent_ + tasks; sent_ < end;) {
            map({});
            map({.chunksize = 1});
            imap({});
            imap({.chunksize = 100});
            apply();
            texts();
        }
    }

private:
    static constexpr std::uint64_t at_once = 2000;

    auto input() const { return std::views::iota(sent_, sent_ + at_once); }

    void map(const mp::MapOptions& options) {
        const auto values = pool_.map(next_of, input(), options);
        for (const std::uint64_t value : values) take(value, next_of(sent_));
    }
    void imap(const mp::MapOptions& options) {
        for (const std::uint64_t value : pool_.imap(next_of, input(), options)) take(value, next_of(sent_));
    }
    void apply() {
        std::vector<mp::AsyncResult<std::uint64_t>> handles;
        for (const std::uint64_t x : input()) handles.push_back(pool_.apply_async(next_of, x));
        for (auto& handle : handles) take(handle.get(), next_of(sent_));
    }
    void texts() {
        for (const std::string& text : pool_.map(text_of, input())) take(text.size(), sent_ % 100);
    }
    void take(std::uint64_t value, std::uint64_t right) {
        check(value == right, "task " + std::to_string(sent_) + " has a wrong value");
        ++sent_;
    }

    mp::Pool& pool_;
    std::uint64_t sent_ = 0;
};

/// Resident bytes of the program and of all that it has started.
struct memory {
    std::map<long, std::size_t> of;
    memory() {
        trim_memory();
        for (const long pid : test::other_processes()) of[pid] = resident_bytes(pid);
        of[::getpid()] = resident_bytes(::getpid());
    }
    std::size_t largest_other() const {
        std::size_t most = 0;
        for (const auto& [pid, bytes] : of)
            if (pid != ::getpid()) most = std::max(most, bytes);
        return most;
    }
};

void print(const char* when, const memory& now) {
    std::printf("  %s:", when);
    for (const auto& [pid, bytes] : now.of)
        std::printf(" %ld: %.1f MiB%s", pid, static_cast<double>(bytes) / (1 << 20),
                    pid == ::getpid() ? " (program)" : "");
    std::printf("\n");
    std::fflush(stdout);
}

void soak(const settings& all, std::optional<std::ptrdiff_t> maxtasksperchild) {
    std::printf("soak: %llu tasks, %d workers, maxtasksperchild %s\n",
                static_cast<unsigned long long>(all.tasks), all.workers,
                maxtasksperchild ? std::to_string(*maxtasksperchild).c_str() : "none");
    mp::Pool pool({.processes = all.workers, .maxtasksperchild = maxtasksperchild});
    const std::size_t descriptors = test::open_descriptors().size();
    // A worker that has run its tasks may be about to be replaced.
    const auto wait_until_whole = [&] {
        check(test::eventually([&] {
                  return test::other_processes().size() == static_cast<std::size_t>(all.workers) + 1 &&
                         test::open_descriptors().size() == descriptors;
              }),
              "workers are missing, or descriptors are left");
    };
    sender tasks(pool);
    const std::uint64_t warm_up = std::max<std::uint64_t>(all.tasks / 10, 1);
    tasks.send(warm_up);
    wait_until_whole();
    const memory before;
    print("after the first tenth", before);
    tasks.send(all.tasks - std::min(all.tasks, tasks.sent()));
    wait_until_whole();
    const memory after;
    print("at the end", after);
    for (const auto& [pid, bytes] : after.of) {
        const auto at = before.of.find(pid);
        check(at != before.of.end() || maxtasksperchild, "a worker was replaced without a reason");
        // Another worker than before: it must not be larger than the largest was.
        const std::size_t then = at != before.of.end() ? at->second : before.largest_other();
        check(bytes <= then + tolerance, "process " + std::to_string(pid) + " grew from " +
                                             std::to_string(then) + " to " + std::to_string(bytes) +
                                             " bytes");
    }
}

settings read_options(int argc, char** argv) {
    settings all;
    for (int i = 1; i < argc; i += 2) {
        const std::string option = argv[i];
        if (option == "--tasks" && i + 1 < argc) {
            all.tasks = std::stoull(argv[i + 1]);
        } else if (option == "--workers" && i + 1 < argc) {
            all.workers = std::stoi(argv[i + 1]);
        } else {
            std::fputs("Usage: soak [--tasks N (10000000)] [--workers N (2)]\n", stderr);
            std::exit(2);
        }
    }
    return all;
}

}  // namespace
}  // namespace chaos

int main(int argc, char** argv) {
    const chaos::settings all = chaos::read_options(argc, argv);
    ::setpgid(0, 0);  // all that descends from here can be found by it
    try {
        chaos::soak(all, std::nullopt);
        chaos::soak(all, 10'000);
    } catch (const std::exception& problem) {
        std::printf("soak: FAILED: %s\n", problem.what());
        return EXIT_FAILURE;
    }
    std::printf("soak: good\n");
}
