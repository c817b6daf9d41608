// SPDX-License-Identifier: MIT
// Single calls that are wanted back from their nodes.
#ifndef PROCPOOL_DETAIL_MPI_WITHDRAWALS_HPP
#define PROCPOOL_DETAIL_MPI_WITHDRAWALS_HPP

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/run.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// With the pool's lock held. A call that comes back, since its node had not begun it, is taken out here
/// before it can be given to another node.
class withdrawals {
public:
    /// As long as its caller waits for the node's answer.
    class one {
    public:
        one(withdrawals& all, std::shared_ptr<scheduler::remote_job> job, std::uint64_t call, const char* why)
            : all_(all), job_(std::move(job)), call_(call), why_(why) {
            all_.open_.push_back(this);
        }
        one(const one&) = delete;
        one& operator=(const one&) = delete;
        ~one() { std::erase(all_.open_, this); }

        /// Whether it came back, and won't run.
        bool succeeded() const noexcept { return succeeded_; }

    private:
        friend withdrawals;
        withdrawals& all_;
        const std::shared_ptr<scheduler::remote_job> job_;
        const std::uint64_t call_;
        const char* const why_;
        bool succeeded_ = false;
    };

    /// Elements came back: `take(job, call, why)` ends each call that is wanted.
    template <class Take>
    void take_from(std::span<const scheduler::returned> back, Take take) {
        for (one* const wanted : open_)
            if (std::any_of(back.begin(), back.end(), [&](const scheduler::returned& some) {
                    return some.job == wanted->job_ && some.elements.holds(wanted->call_);
                })) {
                take(wanted->job_, wanted->call_, wanted->why_);
                wanted->succeeded_ = true;
            }
    }

private:
    std::vector<one*> open_;
};

}  // namespace procpool::inline v0_1::detail::mpi

#endif
