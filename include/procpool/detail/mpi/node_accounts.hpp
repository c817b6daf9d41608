// SPDX-License-Identifier: MIT
// What the workers of nodes have done, as each node told last.
#ifndef PROCPOOL_DETAIL_MPI_NODE_ACCOUNTS_HPP
#define PROCPOOL_DETAIL_MPI_NODE_ACCOUNTS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <type_traits>
#include <vector>

#include "procpool/detail/wire/buffer.hpp"
#include "procpool/statistics.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// Rank 0 asks, with a number; a node answers with that, and tells once more at its end.
class node_accounts {
public:
    /// Travels as it is, since all nodes run the same program.
    using worker = Statistics::Worker;
    static_assert(std::is_trivially_copyable_v<worker>);

    std::uint64_t ask() noexcept { return ++asked_; }
    void take(int rank, std::uint64_t number, std::span<const std::byte> workers) {
        account& its = of_[rank];
        its.number = std::max(its.number, number);
        its.workers.clear();
        for (wire::cursor from(workers); from.left() > 0;) its.workers.push_back(from.value<worker>());
    }
    bool has_answered(int rank, std::uint64_t number) const {
        const auto at = of_.find(rank);
        return at != of_.end() && at->second.number >= number;
    }
    void add_to(Statistics& all) const {
        for (const auto& [rank, one] : of_)
            all.workers.insert(all.workers.end(), one.workers.begin(), one.workers.end());
    }

private:
    struct account {
        std::uint64_t number = 0;  // of the last question that was answered
        std::vector<worker> workers;
    };
    std::uint64_t asked_ = 0;
    std::map<int, account> of_;  // by rank
};

}  // namespace procpool::inline v0_1::detail::mpi

#endif
