// SPDX-License-Identifier: MIT
// Arguments that a task takes as views: they show the bytes that came, where these lie.
#ifndef PROCPOOL_DETAIL_WIRE_BORROWED_HPP
#define PROCPOOL_DETAIL_WIRE_BORROWED_HPP

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "procpool/detail/wire/callable.hpp"
#include "procpool/detail/wire/codec.hpp"

namespace procpool::inline v0_1 {
template <class T>
class Buffer;
}  // namespace procpool::inline v0_1

namespace procpool::inline v0_1::detail::wire {

/// A View of an encoded Owner.
template <class Owner, class View>
class borrowed {
public:
    explicit borrowed(cursor& from) {
        using element = typename View::value_type;
        const cursor before = from;
        const auto bytes = take_bulk(from);
        if (is_aligned<element>(bytes.data())) {
            view_ = View(reinterpret_cast<const element*>(bytes.data()), bytes.size() / sizeof(element));
        } else {  // so it lies in a pipe's message, and is small
            cursor again = before;
            copy_ = std::make_unique<const Owner>(codec<Owner>::decode(again));
            view_ = *copy_;
        }
    }
    operator View() const noexcept { return view_; }

private:
    std::unique_ptr<const Owner> copy_;
    View view_;
};

/// What a task gets for an argument of wire type `Wire` where its parameter is a `Parameter`.
template <class Parameter, class Wire>
struct argument {
    using type = Wire;
};
template <class T, class Allocator>
    requires(codec<std::vector<T, Allocator>>::in_bulk)
struct argument<std::span<const T>, std::vector<T, Allocator>> {
    using type = borrowed<std::vector<T, Allocator>, std::span<const T>>;
};
template <class T>
struct argument<std::span<const T>, Buffer<T>> {
    using type = borrowed<Buffer<T>, std::span<const T>>;
};
template <class Char, class Traits, class Allocator>
struct argument<std::span<const Char>, std::basic_string<Char, Traits, Allocator>> {
    using type = borrowed<std::basic_string<Char, Traits, Allocator>, std::span<const Char>>;
};
template <class Char, class Traits, class Allocator>
struct argument<std::basic_string_view<Char, Traits>, std::basic_string<Char, Traits, Allocator>> {
    using type = borrowed<std::basic_string<Char, Traits, Allocator>, std::basic_string_view<Char, Traits>>;
};
template <class F, std::size_t Index, class Wire>
using argument_t =
    typename argument<std::remove_cvref_t<typename signature<F>::template parameter<Index>>, Wire>::type;

}  // namespace procpool::inline v0_1::detail::wire

#endif
