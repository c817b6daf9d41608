// SPDX-License-Identifier: MIT
#include "selection.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>

namespace faults {
namespace {

/// The places of calls that are tried out of `count`: all of the first ones, and then ever fewer, for what
/// happens the hundredth time happens the ninetieth time, too.
std::vector<std::uint32_t> places(std::uint32_t count, std::uint32_t all_up_to) {
    std::vector<std::uint32_t> some;
    for (std::uint32_t n = 1; n <= count; n += n < all_up_to ? 1 : std::max(1u, n / 4)) some.push_back(n);
    if (count > 0 && some.back() != count) some.push_back(count);
    return some;
}

/// The same number for the same text on all machines (FNV-1a).
std::uint64_t number_of(const std::string& text) {
    std::uint64_t number = 14695981039346656037u;
    for (const char c : text) number = (number ^ static_cast<unsigned char>(c)) * 1099511628211u;
    return number;
}

}  // namespace

std::vector<trial> trials_of(const call_counts& counts) {
    constexpr std::uint32_t all = 30;
    std::vector<trial> trials;
    for (std::size_t who = 0; who < counts.warm.counts.size(); ++who)
        for (std::uint32_t which = 0; which < table.size(); ++which) {
            const std::uint32_t warm = counts.warm.counts[who][which];
            const std::uint32_t cold = counts.cold.counts[who][which];
            trial one{.what = counts.warm.what.what, .of = static_cast<role>(who), .which = which};
            for (const std::uint32_t n : places(warm, all)) {
                one.n = n;
                trials.push_back(one);
            }
            one.lasting = true;
            if (table[which].lasts)
                for (const std::uint32_t n : places(warm, 4)) {
                    one.n = n;
                    trials.push_back(one);
                }
            one.lasting = false;
            one.cold = true;
            if (cold > warm)
                for (const std::uint32_t n : places(cold, all)) {
                    one.n = n;
                    trials.push_back(one);
                }
        }
    return trials;
}

std::vector<trial> sample_of(std::vector<trial> trials, std::size_t most) {
    std::ranges::sort(trials, {}, [](const trial& one) { return number_of(one.name()); });
    std::map<std::pair<role, call>, std::size_t> taken;
    std::vector<std::pair<std::size_t, trial>> in_turn;  // the first of each kind, then the second, ...
    for (const trial& one : trials) in_turn.emplace_back(taken[{one.of, table[one.which].of}]++, one);
    std::ranges::stable_sort(in_turn, {}, [](const auto& one) { return one.first; });
    std::vector<trial> sample;
    for (const auto& [turn, one] : in_turn)
        if (sample.size() < most) sample.push_back(one);
    return sample;
}

}  // namespace faults
