// SPDX-License-Identifier: MIT
// Hands the elements of an input range to a pool in a window, as their results are taken.
#ifndef PROCPOOL_DETAIL_CALL_SUBMIT_WINDOW_HPP
#define PROCPOOL_DETAIL_CALL_SUBMIT_WINDOW_HPP

#include <algorithm>
#include <cstdint>
#include <exception>
#include <memory>
#include <ranges>
#include <thread>
#include <type_traits>
#include <utility>

#include "procpool/detail/call/reader_of.hpp"
#include "procpool/detail/call/stream.hpp"
#include "procpool/detail/job/pulled_input.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::call {

/// Ranges whose elements are there already, so that reading them runs no code that may take long.
template <class Range>
inline constexpr bool cheap_to_read = std::ranges::contiguous_range<Range>;
template <class Range>
inline constexpr bool cheap_to_read<Range&> = cheap_to_read<std::remove_const_t<Range>>;
template <class First, class Last>
inline constexpr bool cheap_to_read<std::ranges::iota_view<First, Last>> = true;

/// The input is pulled by the thread that takes results, never by another, and no more than the window ahead
/// of them, but for what that thread's join() pulls.
template <class R, class Pool, class Job, class Range>
class submit_window final : public call::stream<R>, private job::pulled_input {
public:
    submit_window(const std::shared_ptr<Pool>& pool, const std::shared_ptr<Job>& job, Range&& input,
                  std::uint64_t window, bool window_grows)
        : call::stream<R>(pool, job),
          pool_(pool),
          job_(job),
          range_(std::forward<Range>(input)),
          reader_(reader_of<Pool>::make(*pool, *job, std::ranges::begin(range_), std::ranges::end(range_))),
          window_(window),
          window_grows_(window_grows) {
        fill();
        auto lock = pool_->acquire();
        pool_->add_input(*this);
        pool_->leave(lock);
    }
    ~submit_window() override {
        if (!pool_->is_copy()) pool_->remove_input(*this);
    }

private:
    using source_iterator = std::ranges::iterator_t<Range>;
    using source_sentinel = std::ranges::sentinel_t<Range>;
    using reader =
        decltype(reader_of<Pool>::make(std::declval<Pool&>(), std::declval<Job&>(),
                                       std::declval<source_iterator>(), std::declval<source_sentinel>()));

    void fill() override {
        if (owner != std::this_thread::get_id()) pool_->take_over(*this);
        const std::uint64_t chunk = job_->chunk;
        while (!this->exhausted_) {
            const std::uint64_t under_way = this->pulled_ - this->yielded_;
            std::uint64_t piece = std::min(chunk, window_);
            // Many at once, unless to read them may take long: the first must not wait for the last.
            if (cheap_to_read<Range> && window_ >= 16 * chunk) {
                const std::uint64_t room = window_ - under_way;
                if (was_full_ && room < window_ / 4) return;
                piece = room / chunk * chunk;
            }
            was_full_ = piece == 0 || (under_way > 0 && under_way + piece > window_);
            if (was_full_) return;
            pull(chunk, piece);
        }
    }

    // For join(): results wait for their reader.
    bool wants_more() const override PROCPOOL_REQUIRES(pool_mutex) {
        return !this->exhausted_ && !job_->sealed() && pool_->wants_more(*job_);
    }
    void pull_more() override PROCPOOL_EXCLUDES(pool_mutex) {
        pull(job_->chunk, cheap_to_read<Range> ? ~std::uint64_t{0} : job_->chunk);
    }

    /// Submits `most` elements at the most.
    void pull(std::uint64_t chunk, std::uint64_t most) PROCPOOL_EXCLUDES(pool_mutex) {
        typename reader::block_type elements;
        std::exception_ptr failed;
        try {
            elements = reader_.next(chunk, most);
            failed = reader_.take_error();
            if constexpr (std::forward_iterator<source_iterator>)
                this->exhausted_ = reader_.at_end();
            else  // to check would be to pull
                this->exhausted_ = elements.count == 0 && !failed;
        } catch (...) {
            this->input_error_ = std::current_exception();
            this->exhausted_ = true;
        }
        auto lock = pool_->acquire();
        if (job_->sealed() && !job_->failure()) {  // the executor's end
            this->exhausted_ = true;
            if (elements.count == 0 && !failed) return;
            this->input_error_ = std::make_exception_ptr(
                PoolNotRunning("procpool: the executor was shut down before all of the input was read"));
            return;
        }
        this->pulled_ = reader_.encoded();
        if constexpr (requires { elements.weight(); }) {
            bytes_ += elements.weight();
            if (window_grows_) let_window_grow();
        }
        if (elements.count > 0) pool_->submit(job_, std::move(elements));
        if (failed) pool_->submit_failed(job_, this->pulled_ - 1, failed);
        if (this->exhausted_) pool_->seal(job_);
    }

    /// So many quick tasks that workers don't wait for the caller between two of its visits.
    void let_window_grow() PROCPOOL_REQUIRES(pool_mutex) {
        constexpr std::uint64_t trial = 256;  // results; who takes just some is not read ahead for
        constexpr double ahead_ns = 1e6;
        constexpr double most = 4096;
        constexpr std::uint64_t most_bytes = 256 * 1024;
        const auto& timing = *job_->timing;
        if (this->yielded_ < std::max(trial, window_) || !timing.known()) return;
        const auto wanted = static_cast<std::uint64_t>(
            std::min(static_cast<double>(pool_->size()) * ahead_ns / timing.mean_ns(), most));
        const std::uint64_t by_size = most_bytes / std::max<std::uint64_t>(bytes_ / this->pulled_, 1);
        window_ = std::max(window_, std::min({2 * window_, wanted, by_size}));
    }

    std::shared_ptr<Pool> pool_;
    std::shared_ptr<Job> job_;
    Range range_;  // a reference if the caller keeps the range
    reader reader_;
    std::uint64_t window_;  // elements
    const bool window_grows_;
    bool was_full_ = false;    // when it was last filled
    std::uint64_t bytes_ = 0;  // of the elements that were pulled
};

}  // namespace procpool::inline v0_1::detail::call

#endif
