// SPDX-License-Identifier: MIT
// Runs the scheduler among simulated peers, deterministically; shrinks what fails.
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "simulation.hpp"

namespace {

constexpr const char* usage =
    "Usage: simulate [OPTION...]\n"
    "  --seconds N   how long (20)\n"
    "  --runs N      how many, instead\n"
    "  --seed S      of the first run; each is the one before and 1 (1)\n"
    "  --actions N   in a run (200)\n"
    "  --troubles M  a mask of what may happen (4095: all)\n";

void tell(const simulation::plan& plan, const std::string& why) {
    std::printf("%s\n  simulate --runs 1 --seed %llu --actions %llu --troubles %u\n", why.c_str(),
                static_cast<unsigned long long>(plan.seed), static_cast<unsigned long long>(plan.actions),
                plan.troubles);
}

/// The same with fewer troubles and actions, as long as it fails.
simulation::plan shrink(simulation::plan plan) {
    simulation::counts unused;
    for (unsigned one = 1; one <= simulation::all_troubles; one <<= 1) {
        simulation::plan less = plan;
        less.troubles &= ~one;
        if (less.troubles != plan.troubles && simulation::run(less, unused)) plan = less;
    }
    for (std::uint64_t cut = plan.actions / 2; cut > 0; cut /= 2)
        while (plan.actions > cut) {
            simulation::plan less = plan;
            less.actions -= cut;
            if (!simulation::run(less, unused)) break;
            plan = less;
        }
    return plan;
}

bool read(std::string_view text, std::uint64_t& into) {
    return std::from_chars(text.data(), text.data() + text.size(), into).ptr == text.data() + text.size();
}

}  // namespace

int main(int argc, char** argv) {
    simulation::plan plan;
    std::uint64_t seconds = 20, runs = 0, troubles = plan.troubles;
    for (int i = 1; i < argc; i += 2) {
        const std::string_view option = argv[i];
        std::uint64_t* const value = option == "--seconds"    ? &seconds
                                     : option == "--runs"     ? &runs
                                     : option == "--seed"     ? &plan.seed
                                     : option == "--actions"  ? &plan.actions
                                     : option == "--troubles" ? &troubles
                                                              : nullptr;
        if (!value || i + 1 == argc || !read(argv[i + 1], *value)) {
            std::fputs(usage, stderr);
            return 2;
        }
    }
    plan.troubles = static_cast<unsigned>(troubles);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    simulation::counts total;
    std::uint64_t done = 0;
    for (; runs > 0 ? done < runs : std::chrono::steady_clock::now() < end; ++done, ++plan.seed) {
        const auto wrong = simulation::run(plan, total);
        if (!wrong) continue;
        std::printf("run %llu: ", static_cast<unsigned long long>(done + 1));
        tell(plan, *wrong);
        const simulation::plan least = shrink(plan);
        simulation::counts unused;
        std::printf("shrunk: ");
        tell(least, simulation::run(least, unused).value_or("it fails no more"));
        return EXIT_FAILURE;
    }
    std::printf("%llu runs: %llu elements, %llu deaths, %llu steps\n", static_cast<unsigned long long>(done),
                static_cast<unsigned long long>(total.elements),
                static_cast<unsigned long long>(total.deaths), static_cast<unsigned long long>(total.steps));
}
