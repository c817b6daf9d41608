// SPDX-License-Identifier: MIT
// How the elements of a range get to a task in another thread: as they are, or kept until then.
#ifndef PROCPOOL_DETAIL_THREAD_THREAD_INPUT_HPP
#define PROCPOOL_DETAIL_THREAD_THREAD_INPUT_HPP

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <exception>
#include <iterator>
#include <memory>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/detail/thread/thread_job.hpp"

namespace procpool::inline v0_1::detail::thread {

// Where elements are. `Passed` is the reference as which a task gets one; get() finds the n-th.

/// Side by side in the caller's memory.
template <class Passed>
struct adjacent {
    static constexpr bool is_callers = true;
    using passed = Passed;
    using value = std::remove_reference_t<Passed>;
    static Passed get(void* values, std::uint64_t n) noexcept {
        return static_cast<Passed>(static_cast<value*>(values)[n]);
    }
};

/// Anywhere in the caller's memory.
template <class Passed>
struct scattered {
    static constexpr bool is_callers = true;
    using passed = Passed;
    using value = std::remove_reference_t<Passed>;
    using kept = value*;
    static value* keep(value& element) noexcept { return std::addressof(element); }
    static Passed get(void* values, std::uint64_t n) noexcept {
        return static_cast<Passed>(*(*static_cast<std::vector<value*>*>(values))[n]);
    }
};

/// Kept by the job; a copy, or what was moved out of a container that the call was given.
template <class Value, bool MayMove>
struct owned {
    static constexpr bool is_callers = false;
    using passed = Value&&;
    struct kept {  // std::vector<bool> would not do
        Value value;
    };
    template <class Element>
    static kept keep(Element&& element) {
        if constexpr (MayMove)
            // NOLINTNEXTLINE(bugprone-move-forwarding-reference): MayMove says that lvalues may be moved, too
            return {Value(std::move(element))};
        else
            return {Value(std::forward<Element>(element))};
    }
    static Value&& get(void* values, std::uint64_t n) noexcept {
        return static_cast<Value&&>((*static_cast<std::vector<kept>*>(values))[n].value);
    }
};

/// Numbers that follow each other.
template <class Number>
struct counted {
    static constexpr bool is_callers = false;
    using passed = Number;
    static Number get(void* first, std::uint64_t n) noexcept {
        return static_cast<Number>(*static_cast<Number*>(first) + static_cast<Number>(n));
    }
};

template <class Range>
inline constexpr bool is_iota = false;
template <std::integral Number, class Bound>
inline constexpr bool is_iota<std::ranges::iota_view<Number, Bound>> = true;

/// Reads a range from front to back, in the calling thread.
template <class Where, class Iterator, class Sentinel>
class element_reader {
public:
    using block_type = elements;

    element_reader(Iterator begin, Sentinel end) : at_(std::move(begin)), end_(std::move(end)) {}

    bool at_end() {
        if (pending_error_ || broken_) return false;
        catch_up();
        return at_ == end_;
    }
    std::uint64_t encoded() const noexcept { return read_; }

    /// The error of the element after those of the last block, if it could not be kept; it counts as read.
    std::exception_ptr take_error() noexcept {
        if (pending_error_) ++read_;
        return std::exchange(pending_error_, nullptr);
    }

    /// The next elements: `most` at the most; fewer than a chunk only at the end, or before an element that
    /// can't be kept. What the range itself throws goes through, after the elements before it.
    elements next(std::uint64_t chunk, std::uint64_t most = ~std::uint64_t{0}) {
        if (broken_) std::rethrow_exception(std::exchange(broken_, nullptr));
        elements some{.first = read_};
        if constexpr (requires { typename Where::kept; })
            keep(some, std::min(most, std::max<std::uint64_t>(enough / chunk, 1) * chunk));
        else
            refer(some, most);
        read_ += some.count;
        return some;
    }

private:
    static constexpr std::uint64_t enough = 2048;

    void refer(elements& some, std::uint64_t most) {
        some.count = std::min(static_cast<std::uint64_t>(end_ - at_), most);
        if (some.count == 0) return;
        if constexpr (std::is_same_v<Where, counted<std::iter_value_t<Iterator>>>) {
            some.values = std::make_shared<std::iter_value_t<Iterator>>(*at_);
        } else {
            auto* const first = const_cast<std::iter_value_t<Iterator>*>(std::to_address(at_));
            some.values = std::shared_ptr<void>(std::shared_ptr<void>(), first);  // owns nothing
        }
        at_ += static_cast<std::iter_difference_t<Iterator>>(some.count);
    }

    void keep(elements& some, std::uint64_t most) {
        const auto values = std::make_shared<std::vector<typename Where::kept>>();
        if constexpr (std::sized_sentinel_for<Sentinel, Iterator>)
            values->reserve(static_cast<std::size_t>(std::min(most, static_cast<std::uint64_t>(end_ - at_))));
        try {
            while (values->size() < most) {
                catch_up();
                if (at_ == end_) break;
                decltype(auto) element = *at_;
                behind_ = true;
                try {
                    values->push_back(Where::keep(static_cast<decltype(element)&&>(element)));
                } catch (...) {
                    pending_error_ = std::current_exception();
                    break;
                }
            }
        } catch (...) {
            if (values->empty()) throw;
            broken_ = std::current_exception();
        }
        some.count = values->size();
        some.values = values;
    }

    // Only when the next element is wanted: an input range may take long to find it.
    void catch_up() {
        if (std::exchange(behind_, false)) ++at_;
    }

    Iterator at_;
    Sentinel end_;
    std::uint64_t read_ = 0;
    bool behind_ = false;  // at_ is the last element that was read
    std::exception_ptr pending_error_;
    std::exception_ptr broken_;  // what the range has thrown
};

}  // namespace procpool::inline v0_1::detail::thread

#endif
