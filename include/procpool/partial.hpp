// SPDX-License-Identifier: MIT
// partial(f, args...): a function with its first arguments bound, that can be sent to workers.
#ifndef PROCPOOL_PARTIAL_HPP
#define PROCPOOL_PARTIAL_HPP

#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "procpool/detail/wire/callable.hpp"
#include "procpool/detail/wire/codec.hpp"

namespace procpool::inline v0_1 {

/// What partial() returns: calls the function with the bound arguments, as const references, and then its
/// own.
template <class F, class... Bound>
class Partial {
public:
    /// As partial() makes it.
    Partial(F function, std::tuple<Bound...> bound)
        : function_(std::move(function)), bound_(std::move(bound)) {}

    /// Calls the function with the bound arguments, then `args`.
    template <class... Args>
        requires std::is_invocable_v<const F&, const Bound&..., Args...>
    decltype(auto) operator()(Args&&... args) const {
        return std::apply(
            [&](const Bound&... bound) -> decltype(auto) {
                return std::invoke(function_, bound..., std::forward<Args>(args)...);
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

/// Binds the first arguments of `function`, as functools.partial does.
///
/// The arguments are copied (or moved) and travel to each worker once a call, not once an element; give a
/// SharedArray here and the workers share its memory.
template <class F, class... Args>
auto partial(F&& function, Args&&... args) {
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
    using parameter = typename signature<F>::template parameter<Index + sizeof...(Bound)>;
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
