// SPDX-License-Identifier: MIT
// Lists in braces, as many inside of one another as an array has dimensions: {{1, 2, 3}, {4, 5, 6}}.
#ifndef PROCPOOL_DETAIL_NESTED_LIST_HPP
#define PROCPOOL_DETAIL_NESTED_LIST_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <stdexcept>

namespace procpool::inline v0_1::detail {

template <class T, std::size_t Rank>
struct nested_list_type {
    using type = std::initializer_list<typename nested_list_type<T, Rank - 1>::type>;
};
template <class T>
struct nested_list_type<T, 1> {
    using type = std::initializer_list<T>;
};
template <class T, std::size_t Rank>
using nested_list = typename nested_list_type<T, Rank>::type;

/// Number of elements in each dimension: the sub-lists of one level have the same sizes.
/// @throws std::invalid_argument if they aren't
template <std::size_t Rank, class List>
std::array<std::size_t, Rank> sizes_of(const List& list) {
    std::array<std::size_t, Rank> sizes{list.size()};
    if constexpr (Rank > 1) {
        for (const auto& part : list) {
            const auto inner = sizes_of<Rank - 1>(part);
            if (&part == list.begin()) std::copy(inner.begin(), inner.end(), sizes.begin() + 1);
            if (!std::equal(inner.begin(), inner.end(), sizes.begin() + 1))
                throw std::invalid_argument("procpool: the lists of an array's elements differ in length");
        }
    }
    return sizes;
}

/// Calls `visit` with each element, in order.
template <std::size_t Rank, class List, class Visit>
void for_each_element(const List& list, Visit visit) {
    for (const auto& part : list) {
        if constexpr (Rank == 1)
            visit(part);
        else
            for_each_element<Rank - 1>(part, visit);
    }
}

}  // namespace procpool::inline v0_1::detail

#endif
