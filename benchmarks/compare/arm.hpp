// SPDX-License-Identifier: MIT
// What the C++ arms of the comparison have in common: how they are called, measure and report.
//
// An arm is one way to do the work that is compared. Its program is run as
//   PROGRAM ARM SECTION WORKERS [quick]
// and prints one JSON object a line, with a metric: {"metric": "map c1", "value": 1.2e6, "unit": "tasks/s"}.
// arms.py does the same for the Python libraries, and compare.py runs them all.
#ifndef PROCPOOL_BENCHMARKS_COMPARE_ARM_HPP
#define PROCPOOL_BENCHMARKS_COMPARE_ARM_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace compare {

struct settings {
    int workers;
    bool quick;  // for a test that only looks whether all works

    std::size_t amount(std::size_t full) const { return quick ? std::max<std::size_t>(full / 50, 1) : full; }
};

/// `check` is what every arm must have computed alike, where that is one number.
inline void report(const std::string& metric, double value, const char* unit,
                   std::optional<double> check = std::nullopt) {
    std::printf(R"({"metric": "%s", "value": %.6g, "unit": "%s")", metric.c_str(), value, unit);
    if (check) std::printf(R"(, "check": %.12g)", *check);
    std::puts("}");
}

inline void require(bool right, const char* what) {
    if (!right) throw std::runtime_error(std::string(what) + " gave a wrong result");
}

template <class Work>
double seconds(Work work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

inline double percentile(std::vector<double> values, double part) {
    const auto at =
        values.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), at, values.end());
    return *at;
}
inline double median(std::vector<double> values) { return percentile(std::move(values), 0.5); }

/// Elements a second of `work(n)`, which tells its seconds: n is raised until that is a while, or `most` is
/// reached, so that fast and slow arms are both measured in their stride. The first of several touches fresh
/// memory.
template <class Work>
double rate(const settings& how, std::size_t n, std::size_t most, Work work) {
    const double enough = how.quick ? 0 : 0.15;
    const std::size_t fewest = how.quick ? 1 : 5;
    std::vector<double> rates;
    for (double total = 0; rates.size() < fewest || total < enough;) {
        const double took = work(n);
        total += took;
        rates.push_back(static_cast<double>(n) / took);
        if (took < enough && n < most) {
            n = std::min(4 * n, most);
            rates.clear();
            total = 0;
        }
    }
    return median(rates);
}

/// Runs `section(name, settings)` as the command line says.
template <class Section>
int run(int argc, char** argv, Section section) try {
    if (argc < 4) throw std::invalid_argument("usage: ARM SECTION WORKERS [quick]");
    section(std::string_view(argv[1]), std::string_view(argv[2]),
            settings{std::atoi(argv[3]), argc > 4 && std::string_view(argv[4]) == "quick"});
    return EXIT_SUCCESS;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
}

}  // namespace compare

#endif
