// SPDX-License-Identifier: MIT
// What a node tells of elements before their results: how many attempts were made, and more.
#ifndef PROCPOOL_DETAIL_MPI_NOTED_FACTS_HPP
#define PROCPOOL_DETAIL_MPI_NOTED_FACTS_HPP

#include <algorithm>
#include <cstdint>
#include <vector>

#include "procpool/detail/job/element_facts.hpp"
#include "procpool/detail/mpi/protocol.hpp"
#include "procpool/detail/scheduler/run.hpp"

namespace procpool::inline v0_1::detail::mpi {

class noted_facts {
public:
    /// The payload of a frame of kind `facts` is empty: all is in its header.
    void add(const frame_header& header) {
        all_.push_back(
            {header.job,
             header.first,
             {.attempts = static_cast<std::uint32_t>(header.count), .asked_to_stop = header.flag != 0}});
    }
    static frame_header header_of(std::uint64_t job, std::uint64_t index, const job::element_facts& facts) {
        return {.what = frame_header::kind::facts,
                .flag = facts.asked_to_stop,
                .job = job,
                .first = index,
                .count = facts.attempts};
    }
    /// Those of an element of it, which has come.
    void move_to(scheduler::delivery& result) {
        if (all_.empty()) return;
        const auto at = std::find_if(all_.begin(), all_.end(), [&](const entry& one) {
            return one.job == result.job->id && one.index >= result.first &&
                   one.index - result.first < result.count;
        });
        if (at == all_.end()) return;
        scheduler::element_history& its = result.its_history();
        its.facts = at->facts;
        its.index = at->index;
        all_.erase(at);
    }
    /// Of results that nobody wants.
    void forget(std::uint64_t job) noexcept {
        std::erase_if(all_, [job](const entry& one) { return one.job == job; });
    }

private:
    struct entry {
        std::uint64_t job;
        std::uint64_t index;
        job::element_facts facts;
    };
    std::vector<entry> all_;
};

}  // namespace procpool::inline v0_1::detail::mpi

#endif
