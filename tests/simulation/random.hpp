// SPDX-License-Identifier: MIT
// Numbers that a seed determines.
#ifndef PROCPOOL_TESTS_SIMULATION_RANDOM_HPP
#define PROCPOOL_TESTS_SIMULATION_RANDOM_HPP

#include <cstdint>

namespace simulation {

/// SplitMix64: small, and the same everywhere.
class random {
public:
    explicit random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() noexcept {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    /// From 0 to `end` - 1.
    std::uint64_t below(std::uint64_t end) noexcept { return next() % end; }
    /// From `first` to `last`.
    std::uint64_t from(std::uint64_t first, std::uint64_t last) noexcept {
        return first + below(last - first + 1);
    }
    bool one_in(std::uint64_t n) noexcept { return below(n) == 0; }

private:
    std::uint64_t state_;
};

}  // namespace simulation

#endif
