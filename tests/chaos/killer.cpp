// SPDX-License-Identifier: MIT
#include "killer.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "board.hpp"

namespace chaos {

namespace {

constexpr std::int64_t millisecond = 1'000'000;

// glibc has these functions only since 2.36.
int open_pidfd(long pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }
bool send(int pidfd, int signal) { return ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0; }

}  // namespace

killer::killer(long program, std::uint64_t seed, std::chrono::microseconds pace)
    : program_(program), pace_ns_(std::chrono::nanoseconds(pace).count()), random_(seed, ~std::uint64_t{0}) {}

killer::~killer() { continue_stopped(std::numeric_limits<std::int64_t>::max()); }

void killer::act() {
    const std::int64_t now = now_ns();
    if (the_board->truce_wanted) {
        if (the_board->truce) return;
        continue_stopped(std::numeric_limits<std::int64_t>::max());
        the_board->truce = true;
        return;
    }
    the_board->truce = false;
    continue_stopped(now);
    if (pace_ns_ == 0 || now < next_) return;
    strike();
    // Storms and lulls: pools must see both.
    const auto longest = static_cast<std::uint64_t>(pace_ns_) * (random_.chance(10) ? 12 : 1);
    next_ = now + static_cast<std::int64_t>(random_.below(longest));
}

void killer::strike() {
    std::vector<process> victims = processes_of(program_);
    std::erase_if(victims, [](const process& one) { return one.depth <= 0; });
    // Who runs is more likely in the midst of something.
    if (random_.chance(50) && std::ranges::any_of(victims, &process::is_running))
        std::erase_if(victims, [](const process& one) { return !one.is_running(); });
    if (victims.empty()) return;
    const process victim = victims[random_.below(victims.size())];
    if (victim.is_zygote()) {
        if (random_.chance(10)) return hit(victim, SIGKILL);
        if (random_.chance(20)) return hit(victim, SIGTERM);  // which it ignores
        if (random_.chance(20))
            return hit(victim, SIGSTOP, random_.between<std::int64_t>(0, 50) * millisecond);
        // Otherwise all its workers.
        for (const process& one : victims)
            if (one.parent == victim.pid && random_.chance(50)) hit(one, SIGKILL);
        return;
    }
    if (random_.chance(30))
        return hit(victim, SIGSTOP,
                   random_.between<std::int64_t>(0, random_.chance(5) ? 1000 : 100) * millisecond);
    hit(victim, random_.pick({SIGKILL, SIGKILL, SIGSEGV, SIGTERM}));
}

void killer::hit(const process& victim, int signal, std::int64_t stop_ns) {
    const int pidfd = open_pidfd(victim.pid);
    if (pidfd < 0) return;
    // Only now is it certain who has this number.
    const auto now = processes_of(program_);
    const bool is_it = std::ranges::any_of(
        now, [&](const process& one) { return one.pid == victim.pid && one.depth == victim.depth; });
    if (!is_it) {
        ::close(pidfd);
        return;
    }
    if (signal == SIGSTOP) {
        if (send(pidfd, signal)) ++the_board->stops;
        stopped_.push_back({pidfd, now_ns() + stop_ns});
        return;
    }
    the_board->put_down_strike(victim.pid, signal);
    if (!victim.is_zygote())
        ++the_board->workers_struck;
    else if (signal == SIGKILL)
        ++the_board->zygotes_struck;
    send(pidfd, signal);
    ::close(pidfd);
}

void killer::continue_stopped(std::int64_t now) {
    std::erase_if(stopped_, [&](const stopped& one) {
        if (now < one.until) return false;
        send(one.pidfd, SIGCONT);
        ::close(one.pidfd);
        return true;
    });
}

}  // namespace chaos
