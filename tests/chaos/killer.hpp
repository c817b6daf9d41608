// SPDX-License-Identifier: MIT
// Kills, stops and continues workers and zygotes at random moments, and puts down whom.
#ifndef PROCPOOL_TESTS_CHAOS_KILLER_HPP
#define PROCPOOL_TESTS_CHAOS_KILLER_HPP

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <vector>

#include "dice.hpp"
#include "processes.hpp"

namespace chaos {

class killer {
public:
    /// `pace`: mean time between two strikes.
    killer(long program, std::uint64_t seed, std::chrono::microseconds pace);
    killer(const killer&) = delete;
    killer& operator=(const killer&) = delete;
    ~killer();

    /// Strikes, if it is time to; continues those who were stopped long enough.
    void act();

private:
    struct stopped {
        int pidfd;
        std::int64_t until;
    };

    void strike();
    void hit(const process& victim, int signal, std::int64_t stop_ns = 0);
    void continue_stopped(std::int64_t now);

    const long program_;
    const std::int64_t pace_ns_;
    dice random_;
    std::int64_t next_ = 0;
    std::vector<stopped> stopped_;
};

}  // namespace chaos

#endif
