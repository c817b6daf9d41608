// SPDX-License-Identifier: MIT
// ImapCalls: the calls of pools that give results one by one.
#ifndef PROCPOOL_IMAP_CALLS_HPP
#define PROCPOOL_IMAP_CALLS_HPP

#include <algorithm>
#include <cstdint>
#include <memory>
#include <ranges>
#include <type_traits>
#include <utility>

#include "procpool/detail/call/call_style.hpp"
#include "procpool/detail/call/cancel_on_stop.hpp"
#include "procpool/detail/call/misused_options.hpp"
#include "procpool/detail/call/submit_range.hpp"
#include "procpool/detail/call/submit_window.hpp"
#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/chunking.hpp"
#include "procpool/imap.hpp"
#include "procpool/options.hpp"
#include "procpool/pool_control.hpp"

namespace procpool::inline v0_1 {

/// What results are taken from one by one, while the input is pulled; `Kind` says where tasks run.
template <class Kind>
class ImapCalls : public PoolControl<Kind>, detail::call::misused_imap_options {
    using misused_options = detail::call::misused_imap_options;
    using style = detail::call::call_style;
    template <style Style, class F, class Range>
    using map_task = typename Kind::template map_task<Style, F, Range>;
    template <style Style, class F, class Range>
    using starmap_task = typename Kind::template starmap_task<Style, F, Range>;

public:
    // The compile error for a call whose options don't fit.
    using misused_options::imap, misused_options::imap_unordered, misused_options::istarmap,
        misused_options::istarmap_unordered, misused_options::try_imap, misused_options::try_imap_unordered,
        misused_options::try_istarmap, misused_options::try_istarmap_unordered;

    /// Calls `function(element)` for each element and returns the results one by one, in input order, as they
    /// are asked for; see ImapResults. A range that is no temporary must outlive them.
    template <class F, std::ranges::input_range Range>
    auto imap(F&& function, Range&& input, const MapOptions& options = {}) {
        return stream<map_task<style::streams, F, Range>, ImapResults>(
            std::forward<F>(function), std::forward<Range>(input), options, true);
    }
    /// imap() in the order in which elements are finished.
    template <class F, std::ranges::input_range Range>
    auto imap_unordered(F&& function, Range&& input, const MapOptions& options = {}) {
        return stream<map_task<style::streams, F, Range>, ImapResults>(
            std::forward<F>(function), std::forward<Range>(input), options, false);
    }
    /// imap() with the elements' own members as arguments: each element is a tuple or a pair.
    template <class F, std::ranges::input_range Range>
    auto istarmap(F&& function, Range&& input, const MapOptions& options = {}) {
        return stream<starmap_task<style::streams, F, Range>, ImapResults>(
            std::forward<F>(function), std::forward<Range>(input), options, true);
    }
    /// istarmap() in the order in which elements are finished.
    template <class F, std::ranges::input_range Range>
    auto istarmap_unordered(F&& function, Range&& input, const MapOptions& options = {}) {
        return stream<starmap_task<style::streams, F, Range>, ImapResults>(
            std::forward<F>(function), std::forward<Range>(input), options, false);
    }

    /// imap() that gives for each element its value or its error, an Outcome: so a loop goes on after an
    /// element that failed.
    template <class F, std::ranges::input_range Range>
    auto try_imap(F&& function, Range&& input, const MapOptions& options = {}) {
        return stream<map_task<style::streams, F, Range>, ImapOutcomes>(
            std::forward<F>(function), std::forward<Range>(input), options, true);
    }
    /// try_imap() in the order in which elements are finished.
    template <class F, std::ranges::input_range Range>
    auto try_imap_unordered(F&& function, Range&& input, const MapOptions& options = {}) {
        return stream<map_task<style::streams, F, Range>, ImapOutcomes>(
            std::forward<F>(function), std::forward<Range>(input), options, false);
    }
    /// try_imap() with the elements' own members as arguments: each element is a tuple or a pair.
    template <class F, std::ranges::input_range Range>
    auto try_istarmap(F&& function, Range&& input, const MapOptions& options = {}) {
        return stream<starmap_task<style::streams, F, Range>, ImapOutcomes>(
            std::forward<F>(function), std::forward<Range>(input), options, true);
    }
    /// try_istarmap() in the order in which elements are finished.
    template <class F, std::ranges::input_range Range>
    auto try_istarmap_unordered(F&& function, Range&& input, const MapOptions& options = {}) {
        return stream<starmap_task<style::streams, F, Range>, ImapOutcomes>(
            std::forward<F>(function), std::forward<Range>(input), options, false);
    }

protected:
    using typename PoolControl<Kind>::pool_type;

    ImapCalls() = default;
    ImapCalls(ImapCalls&&) noexcept = default;
    ImapCalls& operator=(ImapCalls&&) noexcept = default;
    ~ImapCalls() = default;

private:
    template <class Task, template <class> class Results, class F, class Range>
    auto stream(F&& function, Range&& input, const MapOptions& options, bool ordered) {
        using namespace detail;
        if constexpr (Task::check()) {
            using result = typename Task::result;
            auto& pool = this->core();
            if (options.on_result)
                job::refuse("imap has no on_result: it gives results one by one, so loop over them");
            const std::uint64_t chunk = job::checked_size(options.chunksize, "chunksize").value_or(1);
            const auto buffersize = job::checked_size(options.buffersize, "buffersize");
            const std::uint64_t window = buffersize.value_or(2 * chunk * pool.size());
            const auto job = Kind::template make_job<Task, call::stream_of_results<result>>(
                pool, options, std::forward<F>(function), ordered);
            apply_options(*job, options);
            job->chunk = std::min(chunk, window);
            if constexpr (requires {
                              std::remove_cvref_t<Range>::results_may_wait;
                              job->bulk;
                          })
                job->bulk = std::remove_cvref_t<Range>::results_may_wait;
            if constexpr (std::ranges::sized_range<Range>)
                job->announced = static_cast<std::uint64_t>(std::ranges::size(input));
            {
                const auto lock = pool.acquire();
                pool.add(job);
            }
            call::cancel_on_stop(this->shared(), job, options.stop);
            try {
                using stream_type =
                    call::submit_window<result, pool_type, std::remove_cvref_t<decltype(*job)>, Range>;
                return Results<result>(ImapResults<result>(std::make_unique<stream_type>(
                    this->shared(), job, std::forward<Range>(input), window, !buffersize)));
            } catch (...) {  // the input did not even begin
                call::abandon_broken_input(pool, job);
                throw;
            }
        } else {
            return detail::refused{};
        }
    }
};

}  // namespace procpool::inline v0_1

#endif
