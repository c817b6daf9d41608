// SPDX-License-Identifier: MIT
// How long who waits for messages sleeps: MPI makes progress only while somebody calls it.
#ifndef PROCPOOL_DETAIL_MPI_PACE_HPP
#define PROCPOOL_DETAIL_MPI_PACE_HPP

#include <array>
#include <chrono>

namespace procpool::inline v0_1::detail::mpi {

/// Soon after something came or went more is likely to, and some MPIs put a message on the wire only when its
/// sender calls them again. Later the bell wakes whoever sleeps; if one is lost, that costs a long nap.
class pace {
public:
    /// Something came, or went.
    void restart() noexcept { naps_ = 0; }

    /// The next nap; 0 is to look again at once. `busy` while a message is on its way.
    std::chrono::nanoseconds next(bool busy, bool has_bell) noexcept {
        struct stage {
            unsigned until;
            std::chrono::microseconds nap;
        };
        constexpr std::array<stage, 4> stages{{{2, std::chrono::microseconds(0)},
                                               {24, std::chrono::microseconds(50)},
                                               {48, std::chrono::microseconds(100)},
                                               {64, std::chrono::microseconds(1000)}}};
        constexpr std::chrono::milliseconds longest{100};
        const unsigned now = naps_ < stages.back().until ? naps_++ : naps_;
        for (const stage& one : stages) {
            const bool is_last = one.until == stages.back().until;
            if (now < one.until || (is_last && !has_bell))
                return busy && now >= stages[0].until ? stages[2].nap : one.nap;
        }
        return busy ? std::chrono::nanoseconds(stages[2].nap) : longest;
    }

private:
    unsigned naps_ = 0;
};

}  // namespace procpool::inline v0_1::detail::mpi

#endif
