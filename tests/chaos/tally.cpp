// SPDX-License-Identifier: MIT
#include "tally.hpp"

#include <cstdio>

namespace chaos {

const char* name_of(state one) noexcept {
    constexpr std::array<const char*, states> names{
        "value",     "own exception", "own death",  "killed",  "lost array",  "not encoded",
        "timed out", "cancelled",     "terminated", "refused", "pool failed", "unseen",
    };
    return names[static_cast<std::size_t>(one)];
}

tally& tally::operator+=(const tally& other) noexcept {
    for (std::size_t i = 0; i < states; ++i) elements[i] += other.elements[i];
    jobs += other.jobs;
    nested_jobs += other.nested_jobs;
    pools += other.pools;
    callbacks += other.callbacks;
    return *this;
}

void tally::print() const {
    std::printf("  %llu jobs, %llu of them in nested pools; %llu pools; %llu callbacks\n",
                static_cast<unsigned long long>(jobs), static_cast<unsigned long long>(nested_jobs),
                static_cast<unsigned long long>(pools), static_cast<unsigned long long>(callbacks));
    for (std::size_t i = 0; i < states; ++i)
        if (elements[i] > 0)
            std::printf("  %12llu  %s\n", static_cast<unsigned long long>(elements[i]),
                        name_of(static_cast<state>(i)));
}

}  // namespace chaos
