// SPDX-License-Identifier: MIT
#include "trial.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "allocations.hpp"
#include "stock.hpp"

namespace faults {
namespace {

/// How one run of a feature ended.
struct run_end {
    verdict how = verdict::right;
    std::string text;
};

run_end run(const feature& what) {
    try {
        what.run();
        return {};
    } catch (const wrong_result& wrong) {
        return {verdict::bad, "wrong result: " + wrong.what};
    } catch (const std::system_error& error) {
        const std::string text = error.what();
        if (text == error.code().message()) return {verdict::bad, "an error that names no call: " + text};
        return {verdict::error, text};
    } catch (const std::exception& error) {
        const std::string text = error.what();
        if (text.empty()) return {verdict::bad, "an error without a text"};
        return {verdict::error, text};
    } catch (...) {
        return {verdict::bad, "no std::exception"};
    }
}

run_end run_with_fault(const feature& what, plan& in) {
    for (auto& of_role : in.counts)
        for (auto& count : of_role) count = 0;
    in.armed = true;
    const run_end end = run(what);
    in.armed = false;
    return end;
}

/// Whether each more run leaves more objects than the one before.
bool leaks(const feature& what, plan& in, long before) {
    constexpr int runs = 4;
    long last = objects();
    if (last <= before) return false;
    for (int i = 0; i < runs; ++i) {
        run_with_fault(what, in);
        const long now = objects();
        if (now <= last) return false;
        last = now;
    }
    return true;
}

/// What is wrong; empty if nothing is.
std::string judge(const trial& one, plan& in, run_end& end) {
    if (!one.cold)
        if (const run_end warm = run(*one.what); warm.how != verdict::right)
            return "without a fault: " + warm.text;
    const stock before = stock::now();
    const auto begin = std::chrono::steady_clock::now();
    end = run_with_fault(*one.what, in);
    const bool quick = std::chrono::steady_clock::now() - begin < std::chrono::seconds(1);
    if (end.how == verdict::bad) return end.text;
    if (one.which == plan::nothing) return end.how == verdict::right ? "" : "without a fault: " + end.text;
    if (end.how == verdict::error && table[one.which].harmless)
        return "an error from what is none: " + end.text;
    if (const std::string left = left_since(before); !left.empty())
        return "left:" + left + " after: " + end.text;
    if (const run_end after = run(*one.what); after.how != verdict::right)
        return "a run without a fault, after it: " + after.text;
    if (const std::string left = left_since(before); !left.empty()) return "left by the run after it:" + left;
    if (!one.cold && quick && leaks(*one.what, in, before.objects)) return "memory leaks, after: " + end.text;
    return {};
}

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts{""};
    for (const char c : text) {
        if (c == ':')
            parts.emplace_back();
        else
            parts.back() += c;
    }
    return parts;
}

}  // namespace

std::string trial::name() const {
    const fault& fails = table[which];
    std::string text = std::string(what->name) + ":" + role_names[static_cast<std::size_t>(of)] + ":" +
                       std::string(name_of(fails.of)) + ":" + std::to_string(n) + ":" + name_of(fails);
    if (lasting) text += ":lasting";
    if (cold) text += ":cold";
    return text;
}

const std::vector<feature>& all_features() {
    static const std::vector<feature> features = [] {
        std::vector<feature> all;
        for (const auto some :
             {pool_features(), call_features(), data_features(), sync_features(), process_features()})
            all.insert(all.end(), some.begin(), some.end());
        return all;
    }();
    return features;
}

trial trial_named(const std::string& name) {
    const auto& features = all_features();
    const auto parts = split(name);
    const std::invalid_argument none("no trial: " + name);
    if (parts.size() < 5) throw none;
    trial one;
    const auto what = std::ranges::find(features, std::string_view(parts[0]),
                                        [](const feature& each) { return std::string_view(each.name); });
    const auto of = std::ranges::find(role_names, parts[1]);
    const auto which = std::ranges::find_if(
        table, [&](const fault& each) { return name_of(each.of) == parts[2] && name_of(each) == parts[4]; });
    if (what == features.end() || of == role_names.end() || which == table.end()) throw none;
    one.what = &*what;
    one.of = static_cast<role>(of - role_names.begin());
    one.which = static_cast<std::uint32_t>(which - table.begin());
    one.n = static_cast<std::uint32_t>(std::stoul(parts[3]));
    for (std::size_t i = 5; i < parts.size(); ++i) {
        if (parts[i] == "lasting")
            one.lasting = true;
        else if (parts[i] == "cold")
            one.cold = true;
        else
            throw none;
    }
    return one;
}

void run_trial(const trial& one, plan& in) {
    in.which = one.which;
    in.of = one.of;
    in.first = one.n;
    in.last = one.lasting ? ~0u : one.n;
    run_end end;
    const std::string wrong = judge(one, in, end);
    const std::string& text = wrong.empty() ? end.text : wrong;
    in.text = {};
    text.copy(in.text.data(), in.text.size() - 1);
    in.end = wrong.empty() ? end.how : verdict::bad;
}

}  // namespace faults
