// SPDX-License-Identifier: MIT
// The order of an array's elements.
#ifndef PROCPOOL_DETAIL_ARRAY_ITERATOR_HPP
#define PROCPOOL_DETAIL_ARRAY_ITERATOR_HPP

#include <array>
#include <cstddef>
#include <iterator>
#include <type_traits>

namespace procpool::inline v0_1::detail {

/// Walks the elements of a view, the last index fastest.
template <class T, std::size_t Rank>
class array_iterator {
public:
    using iterator_concept = std::forward_iterator_tag;
    using iterator_category = std::forward_iterator_tag;
    using value_type = std::remove_cv_t<T>;
    using difference_type = std::ptrdiff_t;
    using pointer = T*;
    using reference = T&;
    using sizes = std::array<std::size_t, Rank>;
    using distances = std::array<std::ptrdiff_t, Rank>;

    constexpr array_iterator() noexcept = default;
    constexpr array_iterator(T* first, const sizes& shape, const distances& strides,
                             std::size_t left) noexcept
        : at_(first), shape_(shape), strides_(strides), left_(left) {}

    constexpr T& operator*() const noexcept { return *at_; }
    constexpr T* operator->() const noexcept { return at_; }
    constexpr array_iterator& operator++() noexcept {
        --left_;
        for (std::size_t d = Rank; d-- > 0;) {
            if (++index_[d] < shape_[d]) {
                at_ += strides_[d];
                break;
            }
            index_[d] = 0;
            at_ -= static_cast<std::ptrdiff_t>(shape_[d] - 1) * strides_[d];
        }
        return *this;
    }
    constexpr array_iterator operator++(int) noexcept {
        array_iterator before = *this;
        ++*this;
        return before;
    }
    friend constexpr bool operator==(const array_iterator& a, const array_iterator& b) noexcept {
        return a.left_ == b.left_;
    }

private:
    T* at_ = nullptr;
    sizes shape_{};
    distances strides_{};
    sizes index_{};
    std::size_t left_ = 0;
};

}  // namespace procpool::inline v0_1::detail

#endif
