// SPDX-License-Identifier: MIT
// Encoded arguments as a function's arguments again, in the process that calls it.
#ifndef PROCPOOL_DETAIL_WORKER_ARGUMENTS_HPP
#define PROCPOOL_DETAIL_WORKER_ARGUMENTS_HPP

#include <cstddef>
#include <functional>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "procpool/detail/wire/borrowed.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/callable.hpp"
#include "procpool/detail/wire/serializing.hpp"
#include "procpool/detail/worker/stop_watch.hpp"

namespace procpool::inline v0_1::detail::worker {

/// What is a T for the task: that, or what borrows one.
template <class T, class Argument>
Argument decode_argument(wire::cursor& from) {
    if constexpr (wire::flat<T> && std::is_same_v<T, Argument>) return from.value<T>();
    try {
        if constexpr (std::is_same_v<T, Argument>)
            return wire::codec<T>::decode(from);
        else
            return Argument(from);
    } catch (...) {
        wire::throw_as_serialization_error(
            {"procpool: the task's argument, a ", &typeid(T), ", can't be rebuilt"});
    }
}

/// The arguments of an F, as they came in the wire types Args; they may borrow the bytes.
template <class F, class... Args>
class arguments {
public:
    explicit arguments(wire::cursor& from) : arguments(from, std::index_sequence_for<Args...>()) {}

    decltype(auto) call(F& function) {
        return std::apply(
            [&](auto&... args) -> decltype(auto) {
                if constexpr (wire::takes_stop_token<F, Args...>)
                    return std::invoke(function, std::move(args)..., stop_watch::token());
                else
                    return std::invoke(function, std::move(args)...);
            },
            values_);
    }

private:
    template <std::size_t Index>
    using wire_argument = std::tuple_element_t<Index, std::tuple<Args...>>;
    template <class Indices>
    struct decoded;
    template <std::size_t... Index>
    struct decoded<std::index_sequence<Index...>> {
        using type = std::tuple<wire::argument_t<F, Index, Args>...>;
    };

    template <std::size_t... Index>
    arguments(wire::cursor& from, std::index_sequence<Index...>)
        : values_{decode_argument<Args, wire::argument_t<F, Index, Args>>(from)...} {}  // from left to right

    typename decoded<std::index_sequence_for<Args...>>::type values_;
};

}  // namespace procpool::inline v0_1::detail::worker

#endif
