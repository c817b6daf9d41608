// SPDX-License-Identifier: MIT
// How statistics are printed.
#ifndef PROCPOOL_DETAIL_STATISTICS_IMPL_HPP
#define PROCPOOL_DETAIL_STATISTICS_IMPL_HPP

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ostream>
#include <string>
#include <vector>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/statistics.hpp"

namespace procpool::inline v0_1 {

namespace detail {

/// Three digits or more, and a unit.
inline std::string number_with(double value, const char* unit) {
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(),
                  value < 9.995   ? "%.2f %s"
                  : value < 99.95 ? "%.1f %s"
                                  : "%.0f %s",
                  value, unit);
    return text.data();
}
inline std::string text_of(std::chrono::nanoseconds time) {
    const auto ns = static_cast<double>(time.count());
    if (ns == 0) return "0";
    if (ns < 1e3) return number_with(ns, "ns");
    if (ns < 1e6) return number_with(ns / 1e3, "us");
    if (ns < 1e9) return number_with(ns / 1e6, "ms");
    return number_with(ns / 1e9, "s");
}
inline std::string text_of_bytes(std::uint64_t bytes) {
    const auto count = static_cast<double>(bytes);
    if (count < 1024) return std::to_string(bytes) + " B";
    if (count < 1024.0 * 1024) return number_with(count / 1024, "KiB");
    if (count < 1024.0 * 1024 * 1024) return number_with(count / (1024.0 * 1024), "MiB");
    return number_with(count / (1024.0 * 1024 * 1024), "GiB");
}
inline const char* text_of(element_outcome outcome) noexcept {
    switch (outcome) {
        case element_outcome::returned: return "returned";
        case element_outcome::threw: return "threw";
        case element_outcome::worker_died: return "its worker died";
        case element_outcome::timed_out: return "timed out";
        case element_outcome::cancelled: return "cancelled";
        case element_outcome::not_sent: return "not sent";
        case element_outcome::given_up: return "given up";
    }
    return "";
}

}  // namespace detail

PROCPOOL_COMPILED_APART Statistics::Worker Statistics::all() const {
    Worker sum;
    for (const Worker& one : workers) {
        sum.elements += one.elements;
        sum.failures += one.failures;
        sum.flaky += one.flaky;
        sum.starts += one.starts;
        sum.deaths += one.deaths;
        sum.starting += one.starting;
        sum.initializing += one.initializing;
        sum.waiting += one.waiting;
        sum.working += one.working;
        sum.bytes_sent += one.bytes_sent;
        sum.bytes_received += one.bytes_received;
        sum.peak_memory = std::max(sum.peak_memory, one.peak_memory);
    }
    return sum;
}

PROCPOOL_COMPILED_APART std::ostream& operator<<(std::ostream& to, const Statistics& stats) {
    using detail::text_of;
    using detail::text_of_bytes;
    std::vector<std::vector<std::string>> rows{{"worker", "elements", "failures", "flaky", "deaths",
                                                "starting", "initializing", "waiting", "working", "sent",
                                                "received", "peak memory"}};
    const auto add = [&](const Statistics::Worker& one) {
        rows.push_back({one.index ? std::to_string(*one.index) : "all", std::to_string(one.elements),
                        std::to_string(one.failures), std::to_string(one.flaky), std::to_string(one.deaths),
                        text_of(one.starting), text_of(one.initializing), text_of(one.waiting),
                        text_of(one.working), text_of_bytes(one.bytes_sent),
                        text_of_bytes(one.bytes_received),
                        one.peak_memory > 0 ? text_of_bytes(one.peak_memory) : "-"});
    };
    for (const Statistics::Worker& one : stats.workers) add(one);
    add(stats.all());
    std::vector<std::size_t> widths(rows.front().size());
    for (const auto& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i)
            line.append(i > 0 ? 2 : 0, ' ').append(widths[i] - row[i].size(), ' ').append(row[i]);
        to << line << '\n';
    }
    if (!stats.slowest.empty()) to << "slowest elements:\n";
    for (const Statistics::Element& one : stats.slowest) {
        to << "  " << text_of(one.run_time) << "  element " << one.index;
        if (!one.call.empty()) to << " of " << one.call;
        if (!one.arguments.empty()) to << ", f(" << one.arguments << ")";
        to << ", in worker " << one.worker;
        if (one.outcome != element_outcome::returned) to << ": " << text_of(one.outcome);
        to << '\n';
    }
    return to;
}

}  // namespace procpool::inline v0_1

#endif
