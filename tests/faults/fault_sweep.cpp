// SPDX-License-Identifier: MIT
// Lets the nth call of each function of the C library fail, in each way in which it can, in scripted runs of
// all features: each must end well or in an error that says why, leave nothing behind, and leave the library
// in working order.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "known.hpp"
#include "selection.hpp"
#include "support/freeze.hpp"
#include "sweep.hpp"
#include "trial.hpp"

namespace faults {
namespace {

constexpr const char* usage =
    "Usage: fault_sweep [OPTION...] [FEATURE|TRIAL...]\n"
    "  -j N            trials at once (the number of CPUs)\n"
    "  --sample        a few trials of each feature, always the same ones\n"
    "  --call NAME     only trials of this call; may be given several times\n"
    "  --role NAME     only trials in this process: program, zygote or worker\n"
    "  --deadline N    seconds after which a trial hangs (20)\n"
    "  --known FILE    failures that are known, each with its reason\n"
    "  --details FILE  more about each failure; for single trials it is printed\n"
    "  --list          print the trials, and don't run them\n"
    "A TRIAL is FEATURE:ROLE:CALL:N:FAULT[:lasting][:cold], as failures are printed.\n";

struct options {
    std::size_t at_once = static_cast<std::size_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
    bool sample = false;
    bool list = false;
    std::vector<std::string> calls;
    std::vector<std::string> roles;
    std::chrono::seconds deadline{20};
    std::string known;
    std::string details;
    std::vector<const feature*> features;
    std::vector<trial> trials;
};

options read_options(int argc, char** argv) {
    options chosen;
    int at = 1;
    const auto value = [&] {
        if (at == argc) throw std::invalid_argument("a value is missing");
        return std::string(argv[at++]);
    };
    while (at < argc) {
        const std::string word = argv[at++];
        if (word == "-j")
            chosen.at_once = std::stoul(value());
        else if (word.starts_with("-j"))
            chosen.at_once = std::stoul(word.substr(2));
        else if (word == "--sample")
            chosen.sample = true;
        else if (word == "--list")
            chosen.list = true;
        else if (word == "--call")
            chosen.calls.push_back(value());
        else if (word == "--role")
            chosen.roles.push_back(value());
        else if (word == "--deadline")
            chosen.deadline = std::chrono::seconds(std::stoul(value()));
        else if (word == "--known")
            chosen.known = value();
        else if (word == "--details")
            chosen.details = value();
        else if (word.find(':') != word.npos)
            chosen.trials.push_back(trial_named(word));
        else {
            const auto found =
                std::ranges::find(all_features(), std::string_view(word),
                                  [](const feature& each) { return std::string_view(each.name); });
            if (found == all_features().end()) throw std::invalid_argument("no feature or option: " + word);
            chosen.features.push_back(&*found);
        }
    }
    if (chosen.at_once == 0) throw std::invalid_argument("-j 0");
    if (chosen.features.empty() && chosen.trials.empty())
        for (const feature& each : all_features()) chosen.features.push_back(&each);
    return chosen;
}

bool is_wanted(const options& chosen, const trial& one) {
    const auto wants = [](const std::vector<std::string>& names, std::string_view name) {
        return names.empty() || std::ranges::find(names, name) != names.end();
    };
    return wants(chosen.calls, name_of(table[one.which].of)) &&
           wants(chosen.roles, role_names[static_cast<std::size_t>(one.of)]);
}

/// Throws if a feature doesn't even work without a fault.
std::vector<trial> choose_trials(const options& chosen, sweep& runner) {
    constexpr std::size_t sample_size = 4;  // of each feature
    std::vector<trial> runs;
    for (const feature* const each : chosen.features)
        for (const bool cold : {true, false}) runs.push_back({.what = each, .cold = cold});
    std::map<const feature*, call_counts> counts;
    runner.run(runs, [&](const trial_end& end) {
        if (end.how != verdict::right)
            throw std::runtime_error(std::string(end.what.what->name) + " without a fault: " + end.text +
                                     "\n" + end.details);
        (end.what.cold ? counts[end.what.what].cold : counts[end.what.what].warm) = end;
    });
    std::vector<trial> trials = chosen.trials;
    for (const feature* const each : chosen.features) {
        std::vector<trial> some = trials_of(counts[each]);
        std::erase_if(some, [&](const trial& one) { return !is_wanted(chosen, one); });
        if (chosen.sample) some = sample_of(std::move(some), sample_size);
        trials.insert(trials.end(), some.begin(), some.end());
    }
    return trials;
}

struct tally {
    std::size_t tried = 0;
    std::size_t right = 0;
    std::size_t errors = 0;
    std::size_t known = 0;
    std::size_t failed = 0;
};

class report {
public:
    report(const options& chosen, std::string program) : program_(std::move(program)) {
        if (!chosen.known.empty()) known_.emplace(chosen.known);
        if (!chosen.details.empty()) details_.open(chosen.details);
        prints_details_ = !chosen.trials.empty();
    }

    void add(const trial_end& end) {
        const std::string* const reason = known_ ? known_->reason(end) : nullptr;
        if (!end.reached && end.how != verdict::bad) return;
        tally& of = tallies_[end.what.what->name];
        ++of.tried;
        if (end.how == verdict::right) ++of.right;
        if (end.how == verdict::error) ++of.errors;
        if (prints_details_ && end.how != verdict::bad)
            std::cout << end.what.name() << ": " << (end.text.empty() ? "ends well" : end.text) << "\n";
        if (end.how != verdict::bad) return;
        ++(reason ? of.known : of.failed);
        if (!reason || prints_details_)
            std::cout << program_ << " " << end.what.name() << "  # " << end.text << std::endl;
        if (details_.is_open())
            details_ << "==== " << end.what.name() << ": " << end.text << "\n" << end.details << std::endl;
        if (prints_details_) std::cout << end.details << std::endl;
    }

    /// @return the exit code
    int finish() const {
        std::printf("%-20s %7s %7s %7s %7s %7s\n", "feature", "tried", "right", "error", "known", "failed");
        tally sum;
        for (const feature& each : all_features()) {
            const auto at = tallies_.find(each.name);
            if (at == tallies_.end()) continue;
            print(each.name, at->second);
            sum.tried += at->second.tried;
            sum.right += at->second.right;
            sum.errors += at->second.errors;
            sum.known += at->second.known;
            sum.failed += at->second.failed;
        }
        print("all", sum);
        if (known_)
            for (const std::string& pattern : known_->mended())
                std::printf("no longer fails, though it is listed as known: %s\n", pattern.c_str());
        return sum.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }

private:
    static void print(const char* name, const tally& of) {
        std::printf("%-20s %7zu %7zu %7zu %7zu %7zu\n", name, of.tried, of.right, of.errors, of.known,
                    of.failed);
    }

    const std::string program_;
    std::optional<known_failures> known_;
    std::ofstream details_;
    bool prints_details_ = false;
    std::map<std::string, tally> tallies_;
};

int run(int argc, char** argv) {
    const options chosen = read_options(argc, argv);
    sweep runner(chosen.at_once, chosen.deadline);
    const std::vector<trial> trials = choose_trials(chosen, runner);
    if (chosen.list) {
        for (const trial& one : trials) std::cout << one.name() << "\n";
        return EXIT_SUCCESS;
    }
    report all(chosen, argv[0]);
    runner.run(trials, [&](const trial_end& end) { all.add(end); });
    return all.finish();
}

}  // namespace
}  // namespace faults

int main(int argc, char** argv) {
    test::freeze_support(argc, argv);
    try {
        return faults::run(argc, argv);
    } catch (const std::invalid_argument& error) {
        std::cerr << "fault_sweep: " << error.what() << "\n" << faults::usage;
    } catch (const std::exception& error) {
        std::cerr << "fault_sweep: " << error.what() << "\n";
    }
    return 2;
}
