// SPDX-License-Identifier: MIT
// The standard library's views, or for compilers that can't compile those the few that most tests use.
#ifndef PROCPOOL_TESTS_SUPPORT_VIEWS_HPP
#define PROCPOOL_TESTS_SUPPORT_VIEWS_HPP

#include <ranges>

#if !defined(__clang__) || __clang_major__ >= 16 || defined(_LIBCPP_VERSION)

#define PROCPOOL_TESTS_ALL_VIEWS 1

namespace test {
namespace views = std::views;
}

#else

#define PROCPOOL_TESTS_ALL_VIEWS 0

#include <cstddef>
#include <istream>
#include <iterator>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>

namespace test::views {

template <class T>
class numbers {
public:
    class iterator {
    public:
        using value_type = T;
        using difference_type = std::ptrdiff_t;
        iterator() = default;
        explicit iterator(T at) : at_(at) {}
        T operator*() const { return at_; }
        iterator& operator++() {
            ++at_;
            return *this;
        }
        iterator operator++(int) { return iterator(at_++); }
        bool operator==(const iterator&) const = default;

    private:
        T at_{};
    };

    numbers(T first, T last) : first_(first), last_(last) {}
    iterator begin() const { return iterator(first_); }
    iterator end() const { return iterator(last_); }
    std::size_t size() const { return static_cast<std::size_t>(last_ - first_); }

private:
    T first_, last_;
};

template <class T>
numbers<T> iota(T first, T last = std::numeric_limits<T>::max()) {
    return {first, last};
}

template <class Range, class F>
class transformed {
public:
    class iterator {
    public:
        using value_type =
            std::decay_t<std::invoke_result_t<const F&, std::ranges::range_reference_t<Range>>>;
        using difference_type = std::ptrdiff_t;
        iterator() = default;
        iterator(std::ranges::iterator_t<const Range> at, const F& f) : at_(at), f_(&f) {}
        decltype(auto) operator*() const { return (*f_)(*at_); }
        iterator& operator++() {
            ++at_;
            return *this;
        }
        iterator operator++(int) { return {at_++, *f_}; }
        friend bool operator==(const iterator& a, const iterator& b) { return a.at_ == b.at_; }

    private:
        std::ranges::iterator_t<const Range> at_;
        const F* f_ = nullptr;
    };

    transformed(Range range, F f) : range_(std::move(range)), f_(std::move(f)) {}
    iterator begin() const { return {range_.begin(), f_}; }
    iterator end() const { return {range_.end(), f_}; }
    std::size_t size() const { return range_.size(); }

private:
    Range range_;
    F f_;
};

template <class F>
struct transformation {
    F f;
};
template <class F>
transformation<F> transform(F f) {
    return {std::move(f)};
}

template <class Range, class F>
transformed<Range, F> operator|(Range range, transformation<F> by) {
    return {std::move(range), std::move(by.f)};
}

/// What a stream holds, read as it is asked for.
template <class T>
class istream {
public:
    class iterator {
    public:
        using value_type = T;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;
        explicit iterator(istream& from) : from_(&from) {}
        T& operator*() const { return from_->value_; }
        iterator& operator++() {
            *from_->stream_ >> from_->value_;
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator& at, std::default_sentinel_t) { return !*at.from_->stream_; }

    private:
        istream* from_;
    };

    explicit istream(std::istream& stream) : stream_(&stream) {}
    iterator begin() { return ++iterator(*this); }
    std::default_sentinel_t end() const { return {}; }

private:
    std::istream* stream_;
    T value_{};
};

template <class T>
inline constexpr std::span<T> empty{};

}  // namespace test::views

#endif

#endif
