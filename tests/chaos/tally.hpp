// SPDX-License-Identifier: MIT
// How many elements ended in which state.
#ifndef PROCPOOL_TESTS_CHAOS_TALLY_HPP
#define PROCPOOL_TESTS_CHAOS_TALLY_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace chaos {

/// The states in which an element can end.
enum class state : std::uint32_t {
    value,
    own_exception,
    own_death,    // its script says so
    killed,       // struck while it ran, or its zygote was
    lost_array,   // a SharedArray whose worker was struck before it arrived
    not_encoded,  // its serialisation throws
    timed_out,
    cancelled,
    terminated,
    refused,      // the pool was closed or terminated before the call
    pool_failed,  // so many strikes that the pool gave up, or an initializer that fails on purpose
    unseen,       // the call threw another element's error, or nobody asked
    count,
};
constexpr std::size_t states = static_cast<std::size_t>(state::count);
const char* name_of(state one) noexcept;

struct tally {
    std::array<std::uint64_t, states> elements{};
    std::uint64_t jobs = 0;
    std::uint64_t nested_jobs = 0;
    std::uint64_t pools = 0;
    std::uint64_t callbacks = 0;

    void add(state one, std::uint64_t count = 1) noexcept {
        elements[static_cast<std::size_t>(one)] += count;
    }
    tally& operator+=(const tally& other) noexcept;
    void print() const;

    template <class Archive>
    void serialize(Archive& archive) {
        for (auto& count : elements) archive(count);
        archive(jobs, nested_jobs, pools, callbacks);
    }
};

/// Something that no strike explains.
class wrong : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace chaos

#endif
