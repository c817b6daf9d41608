// SPDX-License-Identifier: MIT
// partial(f, args...): a function with its first arguments bound, that can be sent to workers.
#ifndef PROCPOOL_PARTIAL_HPP
#define PROCPOOL_PARTIAL_HPP

#include <array>
#include <cstddef>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "procpool/detail/wire/callable.hpp"
#include "procpool/detail/wire/codec.hpp"

namespace procpool::inline v0_1 {

/// The type of `placeholder`.
struct placeholder_t {};
/// In partial(), leaves a place for the call's own arguments, as functools.Placeholder does:
/// `partial(minus, placeholder, 1)(5)` is `minus(5, 1)`.
inline constexpr placeholder_t placeholder{};

namespace detail {

template <class T>
inline constexpr bool is_placeholder = std::is_same_v<std::remove_cvref_t<T>, placeholder_t>;

/// Of the first `Count` of `Bound`, how many are placeholders.
template <std::size_t Count, class... Bound>
inline constexpr std::size_t placeholders_among = [] {
    const std::array<bool, sizeof...(Bound) + 1> which{is_placeholder<Bound>..., false};
    std::size_t found = 0;
    for (std::size_t i = 0; i < Count; ++i) found += which[i] ? 1 : 0;
    return found;
}();

/// A call with `Bound` whose placeholders are filled by the first of `Args`; the others follow.
template <class F, class BoundTuple, class ArgsTuple>
struct filled_call;
template <class F, class... Bound, class... Args>
struct filled_call<F, std::tuple<Bound...>, std::tuple<Args...>> {
    static constexpr std::size_t places = placeholders_among<sizeof...(Bound), Bound...>;
    static constexpr bool has_all = sizeof...(Args) >= places;
    static constexpr std::size_t count = has_all ? sizeof...(Bound) + sizeof...(Args) - places : 0;

    template <std::size_t I>
    static decltype(auto) argument(std::tuple<Bound...>& bound, std::tuple<Args...>& args) {
        if constexpr (I >= sizeof...(Bound)) {
            return std::get<I - sizeof...(Bound) + places>(std::move(args));
        } else if constexpr (is_placeholder<std::tuple_element_t<I, std::tuple<Bound...>>>) {
            return std::get<placeholders_among<I, Bound...>>(std::move(args));
        } else {
            return std::get<I>(std::move(bound));
        }
    }
    template <std::size_t... I>
    static constexpr bool can_be_called(std::index_sequence<I...> /*of all*/) {
        return std::is_invocable_v<F, decltype(argument<I>(std::declval<std::tuple<Bound...>&>(),
                                                           std::declval<std::tuple<Args...>&>()))...>;
    }
    static constexpr bool valid = [] {
        if constexpr (has_all)
            return can_be_called(std::make_index_sequence<count>());
        else
            return false;
    }();
    static decltype(auto) call(F function, std::tuple<Bound...> bound, std::tuple<Args...> args) {
        return [&]<std::size_t... I>(std::index_sequence<I...>) -> decltype(auto) {
            return std::invoke(function, argument<I>(bound, args)...);
        }(std::make_index_sequence<count>());
    }
};

/// Which parameter of a function takes the n-th argument of a call that has these bound.
template <std::size_t N, class... Bound>
inline constexpr std::size_t parameter_of_argument = [] {
    const std::array<bool, sizeof...(Bound) + 1> which{is_placeholder<Bound>..., false};
    std::size_t passed = 0;
    for (std::size_t i = 0; i < sizeof...(Bound); ++i)
        if (which[i] && passed++ == N) return i;
    return N - passed + sizeof...(Bound);
}();

}  // namespace detail

/// What partial() returns: calls the function with the bound arguments, as const references, and then its
/// own; those fill the placeholders first.
template <class F, class... Bound>
class Partial {
    static constexpr bool has_placeholders = (detail::is_placeholder<Bound> || ...);
    template <class... Args>
    using filled = detail::filled_call<const F&, std::tuple<const Bound&...>, std::tuple<Args&&...>>;

public:
    /// As partial() makes it.
    Partial(F function, std::tuple<Bound...> bound)
        : function_(std::move(function)), bound_(std::move(bound)) {}

    /// Calls the function with the bound arguments, then `args`.
    template <class... Args>
        requires(!has_placeholders && std::is_invocable_v<const F&, const Bound&..., Args...>)
    decltype(auto) operator()(Args&&... args) const {
        return std::apply(
            [&](const Bound&... bound) -> decltype(auto) {
                return std::invoke(function_, bound..., std::forward<Args>(args)...);
            },
            bound_);
    }
    /// The same where there are placeholders.
    template <class... Args>
        requires(has_placeholders && filled<Args...>::valid)
    decltype(auto) operator()(Args&&... args) const {
        return std::apply(
            [&](const Bound&... bound) -> decltype(auto) {
                return filled<Args...>::call(function_, std::tuple<const Bound&...>(bound...),
                                             std::tuple<Args&&...>(std::forward<Args>(args)...));
            },
            bound_);
    }

private:
    friend detail::wire::codec<Partial>;
    F function_;
    std::tuple<Bound...> bound_;
};

namespace detail::wire {
/// `value` itself where it has its wire type, or else a copy that has.
template <class T>
decltype(auto) own(T&& value) {
    if constexpr (std::is_constructible_v<wire_type_t<T>, T>)
        return std::forward<T>(value);
    else
        return as_wire_type(value);
}
}  // namespace detail::wire

/// Binds the first arguments of `function`, or with `placeholder` others, as functools.partial does.
///
/// The arguments are copied (or moved) and travel to each worker once a call, not once an element; give a
/// SharedArray here and the workers share its memory.
template <class F, class... Args>
auto partial(F&& function, Args&&... args) {
    if constexpr (sizeof...(Args) > 0)
        static_assert(!detail::is_placeholder<std::tuple_element_t<sizeof...(Args) - 1, std::tuple<Args...>>>,
                      "procpool: a placeholder at the end of partial() has no use: leave it out");
    using bound = std::tuple<detail::wire::wire_type_t<Args>...>;
    return [&]<class... Bound>(std::tuple<Bound...>* /*types*/) {
        return Partial<std::decay_t<F>, Bound...>(
            std::forward<F>(function), bound(detail::wire::own<Args>(std::forward<Args>(args))...));
    }(static_cast<bound*>(nullptr));
}

namespace detail::wire {

template <class F, class... Bound>
struct codec<Partial<F, Bound...>> {
    using partial = Partial<F, Bound...>;
    static constexpr bool sendable = sendable_callable<F> && (codec<Bound>::sendable && ...);
    static void encode(sink out, const partial& value) {
        callable_codec<F>::encode(out, value.function_);
        codec<std::tuple<Bound...>>::encode(out, value.bound_);
    }
    static partial decode(cursor& from) {
        F function = callable_codec<F>::decode(from);
        return partial(std::move(function), codec<std::tuple<Bound...>>::decode(from));
    }
};

/// Its parameters are those that are not bound.
template <class F, class... Bound>
    requires(signature<F>::known && !std::is_member_function_pointer_v<F> &&
             sizeof...(Bound) <= signature<F>::count)
struct signature<Partial<F, Bound...>> {
    static constexpr bool known = false;  // what is refused of F is refused as its call
    template <std::size_t Index>
    using parameter = typename signature<F>::template parameter<parameter_of_argument<Index, Bound...>>;
};

template <class F, class... Bound>
struct callable_check<Partial<F, Bound...>> {
    static consteval bool run() {
        if constexpr (callable_check<F>::run()) {
            static_assert((!raw_pointer<Bound> && ...),
                          "procpool: a raw pointer can't be bound: it points into this process, not into the "
                          "worker's; bind the value itself, a std::string, a std::vector or a SharedArray");
            static_assert(((raw_pointer<Bound> || codec<Bound>::sendable) && ...),
                          "procpool: an argument of partial() can't be serialised: include its header "
                          "<cereal/types/...>, or give its class a serialize function for cereal (and a "
                          "default constructor or load_and_construct with <cereal/types/memory.hpp>)");
            return (codec<Bound>::sendable && ...);
        } else {
            return false;
        }
    }
};

}  // namespace detail::wire
}  // namespace procpool::inline v0_1

#endif
