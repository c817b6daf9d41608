// SPDX-License-Identifier: MIT
// Wakes a process of another machine: MPI has no descriptor that somebody could sleep on.
#ifndef PROCPOOL_DETAIL_MPI_BELL_HPP
#define PROCPOOL_DETAIL_MPI_BELL_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/datagram.hpp"
#include "procpool/detail/os/fd.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// What all ranks must know of rank 0 to ring there.
struct bell_of_rank_0 {
    static constexpr std::size_t most_addresses = 16;
    std::uint64_t token = 0;  // what strangers send doesn't have it
    std::array<os::datagram_address, most_addresses> addresses{};
    std::size_t count = 0;
};

/// Rank 0 and each other one ring at each other. What name a machine has for itself says nothing of how
/// others reach it, so addresses are learnt from what comes. A datagram that gets lost wakes nobody: nobody
/// may sleep for long. Thread-safe.
template <class = only_if_used>
class basic_bell {
public:
    basic_bell(int rank, int size) : rank_(rank), addresses_(static_cast<std::size_t>(size)) {}

    /// Of rank 0, for the others.
    bell_of_rank_0 describe() {
        told_.token = os::random_number();
        for (const os::datagram_address& one : socket_.addresses())
            if (told_.count < told_.addresses.size()) told_.addresses[told_.count++] = one;
        return told_;
    }
    void know(const bell_of_rank_0& told) { told_ = told; }

    /// Readable when somebody has rung.
    const os::fd& file() const noexcept { return socket_.file(); }

    void ring(int rank) {
        const mutex_guard lock(mutex_);
        const strike mine{told_.token, rank_};
        const std::optional<os::datagram_address>& known = addresses_[static_cast<std::size_t>(rank)];
        if (known)
            socket_.send(*known, mine);
        else if (rank == 0)
            for (std::size_t i = 0; i < told_.count; ++i) socket_.send(told_.addresses[i], mine);
    }

    /// Whether that rank can be woken.
    bool reaches(int rank) {
        const mutex_guard lock(mutex_);
        return addresses_[static_cast<std::size_t>(rank)].has_value();
    }

    /// Takes note of who has rung, until the next one rings.
    void silence() {
        const mutex_guard lock(mutex_);
        while (const auto came = socket_.receive<strike>()) {
            if (came->message.token != told_.token || came->message.rank < 0) continue;
            const auto from = static_cast<std::size_t>(came->message.rank);
            if (from < addresses_.size()) addresses_[from] = came->from;
        }
    }

private:
    struct strike {
        std::uint64_t token = 0;
        std::int64_t rank = 0;
    };

    const int rank_;
    os::datagram_socket socket_;
    bell_of_rank_0 told_;
    mutex mutex_;
    std::vector<std::optional<os::datagram_address>> addresses_ PROCPOOL_GUARDED_BY(mutex_);
};
using bell = basic_bell<>;

}  // namespace procpool::inline v0_1::detail::mpi

#endif
