// SPDX-License-Identifier: MIT
// Hands the elements of an input range to a pool in a window, as their results are taken.
#ifndef PROCPOOL_DETAIL_BACKEND_INPUT_STREAM_HPP
#define PROCPOOL_DETAIL_BACKEND_INPUT_STREAM_HPP

#include <algorithm>
#include <cstdint>
#include <exception>
#include <memory>
#include <ranges>
#include <utility>

#include "procpool/detail/job/stream.hpp"

namespace procpool::detail::backend {

/// The input is pulled by the thread that takes results, never by another, and no more than the window ahead
/// of them.
template <class R, class Pool, class Job, class Range>
class input_stream final : public job::stream<R> {
public:
    input_stream(const std::shared_ptr<Pool>& pool, const std::shared_ptr<Job>& job, Range&& input,
                 std::uint64_t window)
        : job::stream<R>(pool, job),
          pool_(pool),
          job_(job),
          range_(std::forward<Range>(input)),
          reader_(pool->reader(*job, std::ranges::begin(range_), std::ranges::end(range_))),
          window_(window) {
        fill();
        auto lock = pool_->acquire();
        pool_->leave(lock);
    }

private:
    using source_iterator = std::ranges::iterator_t<Range>;
    using source_sentinel = std::ranges::sentinel_t<Range>;
    using reader = decltype(std::declval<Pool&>().reader(
        std::declval<Job&>(), std::declval<source_iterator>(), std::declval<source_sentinel>()));

    void fill() override {
        const std::uint64_t chunk = job_->chunk;
        while (!this->exhausted_) {
            const std::uint64_t under_way = this->pulled_ - this->yielded_;
            if (under_way > 0 && under_way + std::min(chunk, window_) > window_) return;
            typename reader::block_type elements;
            std::exception_ptr failed;
            try {
                elements = reader_.next(chunk, std::min(chunk, window_));
                failed = reader_.take_error();
                if constexpr (std::forward_iterator<source_iterator>)
                    this->exhausted_ = reader_.at_end();
                else  // to look would be to pull
                    this->exhausted_ = elements.count == 0 && !failed;
            } catch (...) {
                this->input_error_ = std::current_exception();
                this->exhausted_ = true;
            }
            this->pulled_ = reader_.encoded();
            auto lock = pool_->acquire();
            if (elements.count > 0) pool_->submit(job_, std::move(elements));
            if (failed) pool_->submit_failed(job_, this->pulled_ - 1, failed);
            if (this->exhausted_) pool_->seal(job_);
        }
    }

    std::shared_ptr<Pool> pool_;
    std::shared_ptr<Job> job_;
    Range range_;  // a reference if the caller keeps the range
    reader reader_;
    const std::uint64_t window_;
};

}  // namespace procpool::detail::backend

#endif
