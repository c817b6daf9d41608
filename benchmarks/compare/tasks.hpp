// SPDX-License-Identifier: MIT
// The task functions of the comparison that need nothing but the standard library; tasks.py has the same.
#ifndef PROCPOOL_BENCHMARKS_COMPARE_TASKS_HPP
#define PROCPOOL_BENCHMARKS_COMPARE_TASKS_HPP

#include <array>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "arm.hpp"

namespace compare {

inline long cube(long x) { return x * x * x; }

inline std::vector<double> echo(std::vector<double> values) { return values; }

/// Keeps a CPU busy for so many turns.
[[gnu::noinline]] inline long spin(long turns) {
    std::uint64_t x = 1;
    for (long i = 0; i < turns; ++i) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        asm volatile("" : "+r"(x));  // every turn happens
    }
    return turns;
}

inline double turns_per_second() {
    double best = 0;
    for (int i = 0; i < 20; ++i) best = std::max(best, 1e5 / seconds([] { spin(100'000); }));
    return best;
}

/// The same numbers in C++ and in Python.
class lcg {
public:
    explicit lcg(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        return state_ >> 33;
    }
    double uniform() { return static_cast<double>(next()) / 0x1p31; }

private:
    std::uint64_t state_;
};

template <class T>
void shuffle(std::vector<T>& values, lcg numbers) {
    for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[numbers.next() % i]);
}

// ---- joblib's tasks of different lengths (benchmarks/bench_auto_batching.py there), in seconds

inline std::vector<std::pair<std::string, std::vector<double>>> task_times(const settings& how) {
    const std::size_t n = how.amount(3000);
    std::vector<double> constant(n, 2e-4), uniform, cosine;
    lcg numbers(1);
    for (std::size_t i = 0; i < n; ++i) uniform.push_back(4e-4 * numbers.uniform());
    for (std::size_t i = 0; i < 300; ++i) {
        const double angle = 1 + static_cast<double>(i) / 299 * (4 * std::numbers::pi - 1);
        cosine.push_back((how.quick ? 1e-4 : 1e-2) * std::pow(std::cos(angle), 8));
    }
    auto shuffled = cosine;
    shuffle(shuffled, lcg(2));
    return {{"constant", constant}, {"uniform", uniform}, {"cosine", cosine}, {"cosine, shuffled", shuffled}};
}

// ---- mpi4py's demonstrations (demo/futures/run_primes.py, run_julia.py, run_mandelbrot.py there)

inline constexpr std::array<long, 7> primes{112272535095293, 112582705942171, 112272535095293,
                                            115280095190773, 115797848077099, 117450548693743,
                                            993960000099397};

inline bool is_prime(long n) {
    if (n % 2 == 0) return false;
    const auto root = static_cast<long>(std::floor(std::sqrt(static_cast<double>(n))));
    for (long i = 3; i <= root; i += 2)
        if (n % i == 0) return false;
    return true;
}

struct plane {
    double left, right, bottom, top;
    int width, height;
};
inline constexpr plane julia_plane{-2, 2, -1.5, 1.5, 800, 600};
inline constexpr plane mandelbrot_plane{-2, 1, -1, 1, 750, 500};

/// One line of a picture: for each point how long z * z + c stays small.
template <class Start>
std::vector<std::uint8_t> escape_times(const plane& where, int line, double radius, Start start) {
    const double y = where.top - line * (where.top - where.bottom) / where.height;
    std::vector<std::uint8_t> left;
    for (int column = 0; column < where.width; ++column) {
        auto [z, c] = start(std::complex(where.left + column * (where.right - where.left) / where.width, y));
        int n = 255;
        for (; std::norm(z) < radius * radius && n > 1; --n)
            z = {z.real() * z.real() - z.imag() * z.imag() + c.real(), 2 * z.real() * z.imag() + c.imag()};
        left.push_back(static_cast<std::uint8_t>(n));
    }
    return left;
}
inline std::vector<std::uint8_t> julia_line(int line) {
    return escape_times(julia_plane, line, 3,
                        [](std::complex<double> point) { return std::pair(point, std::complex(0.0, 0.65)); });
}
inline std::vector<std::uint8_t> mandelbrot_line(int line) {
    return escape_times(mandelbrot_plane, line, 2,
                        [](std::complex<double> point) { return std::pair(std::complex<double>(), point); });
}

// ---- stateful word counting: each worker counts the beginnings of the words that it has seen

using words = std::vector<std::string>;

inline std::vector<words> documents(std::size_t n) {
    lcg numbers(3);
    std::vector<words> all(n);
    for (words& document : all) {
        for (int i = 0; i < 2000; ++i) {
            std::string word(3 + numbers.next() % 6, ' ');
            for (char& letter : word) letter = static_cast<char>('a' + numbers.next() % 26);
            document.push_back(word);
        }
    }
    return all;
}

/// Those beginnings that have now been seen four times in this worker.
inline words newly_popular(const words& document) {
    thread_local std::unordered_map<std::string, int> seen;
    words popular;
    for (const std::string& word : document)
        for (std::size_t length = 1; length < word.size(); ++length)
            if (auto beginning = word.substr(0, length); ++seen[beginning] == 4) popular.push_back(beginning);
    return popular;
}

}  // namespace compare

#endif
