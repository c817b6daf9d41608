// SPDX-License-Identifier: MIT
// Random decisions that a seed repeats, with every compiler and library.
#ifndef PROCPOOL_TESTS_CHAOS_DICE_HPP
#define PROCPOOL_TESTS_CHAOS_DICE_HPP

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace chaos {

/// Spreads the bits of a number: splitmix64.
inline std::uint64_t mix(std::uint64_t x) noexcept {
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

class dice {
public:
    /// Different streams of one seed have nothing to do with each other.
    dice(std::uint64_t seed, std::uint64_t stream) noexcept : state_(mix(mix(seed) ^ stream)) {}

    std::uint64_t roll() noexcept { return mix(state_++); }
    /// From 0 to `n` - 1.
    std::uint64_t below(std::uint64_t n) noexcept { return roll() % n; }
    /// Both ends are possible.
    template <class Integer>
    Integer between(Integer least, Integer most) noexcept {
        return static_cast<Integer>(
            least + static_cast<Integer>(below(static_cast<std::uint64_t>(most - least) + 1)));
    }
    bool chance(unsigned percent) noexcept { return below(100) < percent; }
    template <class T>
    T pick(std::initializer_list<T> choices) noexcept {
        return choices.begin()[below(choices.size())];
    }
    /// From 0 to `most`, each order of magnitude as likely as the others.
    std::size_t size(std::size_t most) noexcept {
        std::size_t limit = 1;
        while (limit < most && !chance(15)) limit *= 2;
        return static_cast<std::size_t>(below(limit < most ? limit : most + 1));
    }

private:
    std::uint64_t state_;
};

}  // namespace chaos

#endif
