// SPDX-License-Identifier: MIT
// What is to fail in one trial, and what became of it: memory that all processes of the trial share.
#ifndef PROCPOOL_TESTS_FAULTS_PLAN_HPP
#define PROCPOOL_TESTS_FAULTS_PLAN_HPP

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "fault.hpp"
#include "table.hpp"

namespace faults {

/// A process of the trial: which one it is follows from how many births lie between it and the program.
enum class role : std::uint8_t { program, zygote, worker, count };
inline constexpr std::array<const char*, static_cast<std::size_t>(role::count)> role_names{
    "program", "zygote", "worker"};

/// How a trial ended, as its program tells it.
enum class verdict : std::uint32_t { none, right, error, bad };

struct plan {
    static constexpr std::uint32_t nothing = ~0u;
    static constexpr std::size_t most_calls = 24;

    /// Calls are counted, and fail, while this is set.
    std::atomic<bool> armed{false};

    // Which calls fail: those from `first` to `last`, counted from 1, of the ones that can fail so.
    std::uint32_t which = nothing;  // fault in the table
    role of = role::program;
    std::uint32_t first = 1;
    std::uint32_t last = 1;

    /// Of each fault, the calls that could have failed so. If one is to be tried only its own are counted.
    std::array<std::array<std::atomic<std::uint32_t>, table.size()>, static_cast<std::size_t>(role::count)>
        counts{};
    std::atomic<std::uint32_t> hits{0};

    /// Where the first of them happened: process, and return addresses as offsets in this program.
    std::atomic<std::int32_t> process{0};
    std::array<std::atomic<std::uintptr_t>, most_calls> trace{};

    /// Inodes of the pipes that carry packets, the last ones, wherever they were made.
    std::array<std::atomic<std::uint64_t>, 32> packet_pipes{};
    std::atomic<std::uint32_t> packet_pipe_count{0};

    verdict end = verdict::none;
    std::array<char, 2000> text{};
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

/// Of this process; null in one that belongs to no trial.
inline constinit plan* the_plan = nullptr;

/// A file without a name that holds plans, for as long as the object lives. Fresh runs find theirs by
/// the environment.
class plan_file {
public:
    explicit plan_file(std::size_t plans);
    plan_file(const plan_file&) = delete;
    plan_file& operator=(const plan_file&) = delete;
    plan& operator[](std::size_t at) const noexcept { return plans_[at]; }
    /// Makes this process the program of a trial.
    void adopt(std::size_t at) const;

private:
    int file_;
    plan* plans_;
};

/// Of this process.
role current_role() noexcept;
/// In a process that was just forked.
void descend() noexcept;

/// Counts a call, of which `can_be` says which faults it can have, and returns the one that it is to have.
/// Safe in signal handlers, and between fork and exec.
template <class CanBe>
const fault* ask(call which, CanBe can_be) noexcept;
/// The same for one that fails with an errno, if at all.
template <class CanBe>
bool fails(call which, CanBe can_be) noexcept {
    const fault* const hit = ask(which, can_be);
    if (hit) errno = hit->error;
    return hit;
}
inline bool fails(call which) noexcept {
    return fails(which, [](when condition) { return condition == when::always; });
}

/// For `ask`.
void note_hit(plan& in) noexcept;

template <class CanBe>
const fault* ask(call which, CanBe can_be) noexcept {
    plan* const now = the_plan;
    if (!now || !now->armed.load(std::memory_order_acquire)) return nullptr;
    if (now->which != plan::nothing && table[now->which].of != which) return nullptr;
    const int error = errno;
    const role here = current_role();
    const fault* hit = nullptr;
    for (std::size_t i = 0; i < table.size(); ++i) {
        if (table[i].of != which || (now->which != plan::nothing && now->which != i)) continue;
        if (!can_be(table[i].can_be)) continue;
        const std::uint32_t n = ++now->counts[static_cast<std::size_t>(here)][i];
        if (now->which == i && now->of == here && n >= now->first && n <= now->last) hit = &table[i];
    }
    if (hit && now->hits.fetch_add(1) == 0) note_hit(*now);
    errno = error;
    return hit;
}

}  // namespace faults

#endif
