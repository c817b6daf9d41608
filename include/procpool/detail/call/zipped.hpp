// SPDX-License-Identifier: MIT
// Several ranges side by side, as std::views::zip of C++23.
#ifndef PROCPOOL_DETAIL_CALL_ZIPPED_HPP
#define PROCPOOL_DETAIL_CALL_ZIPPED_HPP

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>

namespace procpool::inline v0_1::detail::call {

/// What stays where it is is referred to; the element of a range that is read once may be gone at the next.
template <class Range>
using zipped_element =
    std::conditional_t<std::ranges::forward_range<Range>, std::ranges::range_reference_t<Range>,
                       std::ranges::range_value_t<Range>>;

/// Tuples of the elements of `Ranges` up to the end of the shortest; lvalues are referred to.
template <class... Ranges>
class zipped {
public:
    explicit zipped(Ranges&&... ranges) : ranges_(std::forward<Ranges>(ranges)...) {}

    class iterator {
    public:
        using value_type = std::tuple<zipped_element<Ranges>...>;  // C++20 relates it to no other tuple
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::conditional_t<(std::ranges::forward_range<Ranges> && ...),
                                                    std::forward_iterator_tag, std::input_iterator_tag>;

        iterator() = default;
        explicit iterator(std::tuple<std::ranges::iterator_t<Ranges>...> at) : at_(std::move(at)) {}

        std::tuple<zipped_element<Ranges>...> operator*() const {
            return std::apply([](const auto&... at) { return std::tuple<zipped_element<Ranges>...>(*at...); },
                              at_);
        }
        iterator& operator++() {
            std::apply([](auto&... at) { (static_cast<void>(++at), ...); }, at_);
            return *this;
        }
        auto operator++(int) {
            if constexpr ((std::ranges::forward_range<Ranges> && ...)) {
                iterator before = *this;
                ++*this;
                return before;
            } else {
                ++*this;
            }
        }
        friend bool operator==(const iterator& a, const iterator& b)
            requires(std::ranges::forward_range<Ranges> && ...)
        {
            return a.at_ == b.at_;
        }

    private:
        friend zipped;
        std::tuple<std::ranges::iterator_t<Ranges>...> at_;
    };

    /// The end of the first range that ends.
    class sentinel {
    public:
        sentinel() = default;
        explicit sentinel(std::tuple<std::ranges::sentinel_t<Ranges>...> end) : end_(std::move(end)) {}
        friend bool operator==(const iterator& at, const sentinel& end) { return end.is_at(at); }

    private:
        bool is_at(const iterator& at) const {
            return [&]<std::size_t... I>(std::index_sequence<I...>) {
                return ((std::get<I>(at.at_) == std::get<I>(end_)) || ...);
            }(std::index_sequence_for<Ranges...>());
        }
        std::tuple<std::ranges::sentinel_t<Ranges>...> end_;
    };

    iterator begin() {
        return iterator(
            std::apply([](auto&... range) { return std::tuple(std::ranges::begin(range)...); }, ranges_));
    }
    sentinel end() {
        return sentinel(
            std::apply([](auto&... range) { return std::tuple(std::ranges::end(range)...); }, ranges_));
    }

private:
    std::tuple<Ranges...> ranges_;
};

}  // namespace procpool::inline v0_1::detail::call

#endif
