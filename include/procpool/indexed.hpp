// SPDX-License-Identifier: MIT
// Results with their positions in the input: what with_index() returns.
#ifndef PROCPOOL_INDEXED_HPP
#define PROCPOOL_INDEXED_HPP

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <type_traits>
#include <utility>

namespace procpool::inline v0_1 {

/// `auto [index, value]`.
template <class T>
struct Indexed {
    /// Position in the call's input.
    std::uint64_t index;
    /// What came of that element.
    T& value;
};

/// An input range of Indexed: `for (auto [index, value] : pool.imap_unordered(f, xs).with_index())`.
template <class Results>
class IndexedResults {
    using results = std::remove_reference_t<Results>;
    using iterator_of_results = decltype(std::declval<results&>().begin());

public:
    /// As with_index() makes it; `Results` is a reference if somebody else has them.
    explicit IndexedResults(Results&& from) : results_(std::forward<Results>(from)) {}

    /// Single-pass.
    class iterator {
    public:
        using value_type = Indexed<std::remove_reference_t<decltype(*std::declval<iterator_of_results>())>>;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;

        iterator() = default;
        value_type operator*() const { return {from_->index(), *at_}; }
        iterator& operator++() {
            ++at_;
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator& at, std::default_sentinel_t end) { return at.at_ == end; }

    private:
        friend IndexedResults;
        explicit iterator(results& from) : from_(&from), at_(from.begin()) {}
        results* from_ = nullptr;
        iterator_of_results at_;
    };

    /// Waits for the first result.
    iterator begin() { return iterator(results_); }
    std::default_sentinel_t end() const noexcept { return std::default_sentinel; }

private:
    Results results_;
};

}  // namespace procpool::inline v0_1

#endif
