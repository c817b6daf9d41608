// SPDX-License-Identifier: MIT
// What all processes of the test see: who was struck, which job runs where, and how often elements ran.
#ifndef PROCPOOL_TESTS_CHAOS_BOARD_HPP
#define PROCPOOL_TESTS_CHAOS_BOARD_HPP

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace chaos {

inline std::int64_t now_ns() noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

/// How often each element of a job was begun. Rows are shared out by job number, and given up silently when
/// a later job needs one.
class execution_counts {
public:
    static constexpr std::size_t elements = 4096;

    void begin_job(std::uint64_t job) noexcept {
        row& mine = row_of(job);
        mine.job = 0;
        for (auto& count : mine.counts) count = 0;
        mine.job = job;
    }
    void count(std::uint64_t job, std::size_t element) noexcept {
        row& mine = row_of(job);
        if (element < elements && mine.job == job) ++mine.counts[element];
    }
    /// -1 if nobody knows.
    int of(std::uint64_t job, std::size_t element) const noexcept {
        const row& mine = rows_[job % rows_.size()];
        if (element >= elements || mine.job != job) return -1;
        const int count = mine.counts[element];
        return mine.job == job ? count : -1;
    }

private:
    struct row {
        std::atomic<std::uint64_t> job{0};
        std::array<std::atomic<std::uint8_t>, elements> counts{};
    };
    row& row_of(std::uint64_t job) noexcept { return rows_[job % rows_.size()]; }

    std::array<row, 2048> rows_;
};

struct board {
    /// Signals that a process was sent, as bits, and when the last one was. Bit 0: its own script ends it.
    struct strikes {
        std::atomic<std::uint64_t> signals{0};
        std::atomic<std::int64_t> at{0};
    };
    static constexpr std::size_t most_pids = std::size_t{1} << 22;  // the kernel's limit
    std::array<strikes, most_pids> struck;
    /// In all, by the kind of victim.
    std::atomic<std::uint64_t> workers_struck{0}, zygotes_struck{0}, stops{0};

    static constexpr int by_own_script = 0;

    /// To be called before it happens: a pool may hear of it at once.
    void put_down_strike(long pid, int signal) noexcept {
        strikes& of_it = struck[static_cast<std::size_t>(pid)];
        of_it.at = now_ns();
        of_it.signals |= std::uint64_t{1} << signal;
    }
    bool was_struck(long pid, int signal, std::int64_t since) const noexcept {
        if (pid <= 0 || static_cast<std::size_t>(pid) >= most_pids) return false;
        const strikes& of_it = struck[static_cast<std::size_t>(pid)];
        return (of_it.signals & std::uint64_t{1} << signal) != 0 && of_it.at >= since;
    }
    std::uint64_t deadly_strikes() const noexcept { return workers_struck + zygotes_struck; }

    /// The program wants peace; the killer has heard it, and nobody is stopped.
    std::atomic<bool> truce_wanted{false}, truce{false};

    /// What each thread that runs jobs does now; no job is 0.
    struct activity {
        std::atomic<std::uint64_t> job{0};
        std::atomic<std::int64_t> since{0};
        std::atomic<const char*> kind{nullptr};  // a literal: the watchdog is a fork of the same program
    };
    std::array<activity, 64> activities;
    std::atomic<std::uint64_t> jobs_done{0};

    execution_counts executions;
};

/// Made before the first fork, and never freed.
inline board* the_board = nullptr;
void make_board();

}  // namespace chaos

#endif
