// SPDX-License-Identifier: MIT
#include "balance.hpp"

#include <errno.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "support/leftovers.hpp"
#include "support/sanitizers.hpp"
#include "support/wait.hpp"
#include "tally.hpp"

namespace chaos {

namespace {

constexpr std::chrono::seconds grace{10};
constexpr std::size_t mebibyte = std::size_t{1} << 20;
constexpr std::size_t most_allocated_more = mebibyte / 2;
constexpr std::size_t most_resident_more =
    16 * mebibyte;  // free memory between what is allocated, in each arena

template <class Items>
std::string list(const Items& items) {
    std::string text;
    for (const auto& item : items) text += "\n  " + item;
    return text;
}

std::set<std::string> added(const std::set<std::string>& now, const std::set<std::string>& before) {
    std::set<std::string> more;
    std::set_difference(now.begin(), now.end(), before.begin(), before.end(),
                        std::inserter(more, more.end()));
    return more;
}

void expect(bool good, const std::string& otherwise) {
    if (!good) throw wrong("after the pools' end: " + otherwise);
}

}  // namespace

std::optional<std::size_t> allocated_bytes() {
    if (test::sanitized) return std::nullopt;
    const auto all = ::mallinfo2();
    return all.uordblks + all.hblkhd;
}

std::size_t resident_bytes(long pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    std::size_t kibibytes = 0;
    for (std::string line; std::getline(file, line);)
        if (std::sscanf(line.c_str(), "RssAnon: %zu kB", &kibibytes) == 1) break;
    return kibibytes * 1024;
}

void trim_memory() {
    if (!test::sanitized) ::malloc_trim(0);
}

balance::balance()
    : descriptors_(test::open_descriptors()),
      shared_memory_(test::named_shared_memory()),
      threads_(test::threads()) {}

void balance::check() {
    std::vector<std::string> processes;
    const bool alone = test::eventually(
        [&] {
            processes.clear();
            for (const long pid : test::other_processes()) processes.push_back(std::to_string(pid));
            return processes.empty();
        },
        grace);
    expect(alone, "processes are left:" + list(processes));
    expect(::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD, "a child is left");
    const auto descriptors = added(test::open_descriptors(), descriptors_);
    expect(descriptors.empty(), "descriptors are left:" + list(descriptors));
    const auto mappings = test::memfd_mappings();
    expect(mappings.empty(), "shared memory is left mapped:" + list(mappings));
    expect(
        test::eventually([&] { return added(test::named_shared_memory(), shared_memory_).empty(); }, grace),
        "shared memory has got names:" + list(added(test::named_shared_memory(), shared_memory_)));
    expect(test::eventually([&] { return test::threads() == threads_; }, grace),
           std::to_string(test::threads()) + " threads instead of " + std::to_string(threads_));
    trim_memory();
    const auto allocated = allocated_bytes();
    if (!allocated) return;
    last_ = memory{*allocated, resident_bytes(::getpid())};
    if (!first_) first_ = last_;
    expect(last_->allocated <= first_->allocated + most_allocated_more,
           std::to_string(last_->allocated) + " bytes are allocated, after " +
               std::to_string(first_->allocated));
    expect(
        last_->resident <= first_->resident + most_resident_more,
        std::to_string(last_->resident) + " bytes are resident, after " + std::to_string(first_->resident));
}

void balance::print() const {
    if (!first_) return;
    for (const auto& [when, what] : {std::pair("first", *first_), std::pair("last", *last_)})
        std::printf("  after the %s round %zu KiB were allocated, %zu KiB resident\n", when,
                    what.allocated / 1024, what.resident / 1024);
}

}  // namespace chaos
