// SPDX-License-Identifier: MIT
// Which callables can be sent to a worker, how they travel, and the messages that refuse the others.
#ifndef PROCPOOL_DETAIL_WIRE_CALLABLE_HPP
#define PROCPOOL_DETAIL_WIRE_CALLABLE_HPP

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <stop_token>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "procpool/detail/refused.hpp"
#include "procpool/detail/wire/codec.hpp"
#include "procpool/detail/wire/pointer_check.hpp"

namespace procpool::inline v0_1::detail::wire {

template <class T>
inline constexpr bool is_std_function = false;
template <class Signature>
inline constexpr bool is_std_function<std::function<Signature>> = true;

template <class T>
inline constexpr bool is_reference_wrapper = false;
template <class T>
inline constexpr bool is_reference_wrapper<std::reference_wrapper<T>> = true;

/// A functor that cereal (or a codec of ours, as for partial) can serialise.
template <class F>
concept serializable_functor = std::is_class_v<F> && !plain_data<F> && codec<F>::sendable;

/// A lambda without captures, or a functor without members such as std::plus<>.
template <class F>
concept stateless_functor =
    std::is_class_v<F> && !serializable_functor<F> && std::is_empty_v<F> && std::is_trivially_copyable_v<F>;

/// A lambda that captures [this], where the compiler lets one see it: GCC names that member so. Elsewhere the
/// pointer is found when it is sent.
template <class F>
concept captures_this = requires { requires std::is_pointer_v<decltype(F::__this)>; };

/// A lambda whose captures are plain values: a captured reference makes it lose its standard layout.
template <class F>
concept by_value_closure = std::is_class_v<F> && !serializable_functor<F> && !stateless_functor<F> &&
                           std::is_trivially_copyable_v<F> && std::is_standard_layout_v<F> &&
                           !is_reference_wrapper<F> && !captures_this<F>;

template <class>
inline constexpr bool is_const_member = false;
template <class R, class C, class... P>
inline constexpr bool is_const_member<R (C::*)(P...) const> = true;
template <class R, class C, class... P>
inline constexpr bool is_const_member<R (C::*)(P...) const noexcept> = true;

/// Whether F is a lambda, as far as the compiler's name for it tells.
template <class F>
consteval bool is_lambda() {
    constexpr std::string_view name = __PRETTY_FUNCTION__;
    return (name.find("<lambda(") != name.npos && name.ends_with(")>]")) ||  // GCC
           (name.find("(lambda at ") != name.npos && name.ends_with(")]"));  // Clang
}

/// A small lambda that captures plain values and isn't `mutable`: a copy costs nothing, and each call may
/// have one, so that none sees what others have done to it.
template <class F>
concept constant_closure = by_value_closure<F> && sizeof(F) <= 64 && std::is_copy_constructible_v<F> &&
                           is_lambda<F>() && requires { requires is_const_member<decltype(&F::operator())>; };

template <class F>
concept sendable_callable = function_pointer<F> || std::is_member_pointer_v<F> || serializable_functor<F> ||
                            stateless_functor<F> || by_value_closure<F>;

/// encode() and decode() for a callable.
template <class F>
struct callable_codec {
    static void encode(sink out, const F& function) {
        if constexpr (function_pointer<F> || serializable_functor<F>) {
            codec<F>::encode(out, function);
        } else if constexpr (std::is_member_function_pointer_v<F>) {
            encode_member_function(out, function);
        } else if constexpr (!stateless_functor<F>) {
            out.to.append(&function, sizeof function);
            encode_functions_held(out, function);
        }
    }

    static F decode(cursor& from) {
        if constexpr (function_pointer<F> || serializable_functor<F>) {
            return codec<F>::decode(from);
        } else if constexpr (std::is_member_function_pointer_v<F>) {
            return decode_member_function(from);
        } else {
            // Closures have no default constructor; their bytes make one all the same.
            std::array<std::byte, sizeof(F)> bytes{};
            if constexpr (!stateless_functor<F>) {
                from.copy_to(bytes.data(), bytes.size());
                decode_functions_held(bytes, from);
            }
            return std::bit_cast<F>(bytes);
        }
    }

private:
    // The function pointers that a closure holds: how many, and the place and the function of each. A pointer
    // to anything else is refused.
    static void encode_functions_held(sink out, const F& function) {
        if constexpr (may_hold_pointers<F>) {
            std::uint64_t held = 0;
            for_each_possible_pointer(&function, 1, [&](std::uintptr_t word, std::size_t) {
                if (is_code(word))
                    ++held;
                else
                    refuse_pointer(word, typeid(F));
            });
            const std::size_t begin = out.to.size() - sizeof function;
            out.to.append_value(held);
            if (held == 0) return;
            for_each_possible_pointer(&function, 1, [&](std::uintptr_t word, std::size_t place) {
                if (!is_code(word)) return;
                // In another run it would be another one, where all else is the same.
                std::memset(out.to.data() + begin + place, 0, sizeof word);
                out.to.append_value(std::uint64_t{place});
                encode_function(out.to, reinterpret_cast<void (*)()>(word));
            });
        }
    }

    static void decode_functions_held(std::array<std::byte, sizeof(F)>& bytes, cursor& from) {
        if constexpr (may_hold_pointers<F>) {
            for (auto left = from.value<std::uint64_t>(); left > 0; --left) {
                const auto place = from.value<std::uint64_t>();
                if (place > sizeof(F) - sizeof(std::uintptr_t))
                    throw SerializationError("procpool: a message puts a function beyond its callable");
                const auto word = reinterpret_cast<std::uintptr_t>(decode_function<void()>(from));
                std::memcpy(bytes.data() + place, &word, sizeof word);
            }
        }
    }

    // The Itanium C++ ABI's pointer to member function: an address, or 1 + an offset in the virtual table.
    struct member_function {
        std::uintptr_t address;
        std::ptrdiff_t adjustment;
    };

    static void encode_member_function(sink out, F function)
        requires std::is_member_function_pointer_v<F>
    {
        const auto raw = std::bit_cast<member_function>(function);
        const bool is_virtual = (raw.address & 1) != 0;
        out.to.append_value(is_virtual);
        if (is_virtual)
            out.to.append_value(raw.address);
        else
            encode_function(out.to, reinterpret_cast<void (*)()>(raw.address));
        out.to.append_value(raw.adjustment);
    }

    static F decode_member_function(cursor& from)
        requires std::is_member_function_pointer_v<F>
    {
        member_function raw{};
        if (from.value<bool>())
            raw.address = from.value<std::uintptr_t>();
        else
            raw.address = reinterpret_cast<std::uintptr_t>(decode_function<void()>(from));
        raw.adjustment = from.value<std::ptrdiff_t>();
        return std::bit_cast<F>(raw);
    }
};

/// run() is true for a callable that can be sent, and one clear compile error for another.
template <class F>
struct callable_check {
    static consteval bool run() {
        if constexpr (std::is_pointer_v<F> && !function_pointer<F>)
            static_assert(sendable_callable<F>,
                          "procpool: a pointer to an object can't be called in another "
                          "process; pass the function object itself");
        else if constexpr (is_std_function<F>)
            static_assert(
                sendable_callable<F>,
                "procpool: a std::function hides what it holds and can't be sent to another process; "
                "pass the function, the lambda or procpool::partial(f, args...) itself");
        else if constexpr (is_reference_wrapper<F>)
            static_assert(sendable_callable<F>,
                          "procpool: std::ref refers to an object of this process, which a "
                          "worker can't reach; pass the function object by value");
        else if constexpr (captures_this<F>)
            static_assert(sendable_callable<F>,
                          "procpool: this lambda captures this, a pointer to an object that a worker can't "
                          "see; capture a copy of the object, [*this] instead of [this], or write "
                          "procpool::partial(f, object)");
        else if constexpr (!std::is_trivially_copyable_v<F>)
            static_assert(
                sendable_callable<F>,
                "procpool: this callable owns what it captured (a std::string, a std::vector, ...) and "
                "can't be copied as bytes; write procpool::partial(f, value) with the value as f's first "
                "parameter, or give the functor a serialize function for cereal");
        else
            static_assert(
                sendable_callable<F>,
                "procpool: this callable captures by reference, and a worker is another process that "
                "can't see your variables; capture by value, [x] instead of [&x], or write "
                "procpool::partial(f, x)");
        return sendable_callable<F>;
    }
};

/// The parameter types of a callable that has just one signature; `known` is false for others.
template <class F>
struct signature {
    static constexpr bool known = false;
    template <std::size_t Index>
    using parameter = void;
};
template <class... Parameters>
struct known_signature {
    static constexpr bool known = true;
    static constexpr std::size_t count = sizeof...(Parameters);
    /// void where there is none.
    template <std::size_t Index>
    using parameter =
        std::tuple_element_t<std::min(Index, sizeof...(Parameters)), std::tuple<Parameters..., void>>;
    static constexpr bool has_mutable_reference =
        ((std::is_lvalue_reference_v<Parameters> && !std::is_const_v<std::remove_reference_t<Parameters>>) ||
         ...);
    static constexpr bool has_raw_pointer = (raw_pointer<std::remove_cvref_t<Parameters>> || ...);
};
template <class R, class... P>
struct signature<R (*)(P...)> : known_signature<P...> {};
template <class R, class... P>
struct signature<R (*)(P...) noexcept> : known_signature<P...> {};
template <class R, class C, class... P>
struct signature<R (C::*)(P...)> : known_signature<P...> {};
template <class R, class C, class... P>
struct signature<R (C::*)(P...) const> : known_signature<P...> {};
template <class R, class C, class... P>
struct signature<R (C::*)(P...) noexcept> : known_signature<P...> {};
template <class R, class C, class... P>
struct signature<R (C::*)(P...) const noexcept> : known_signature<P...> {};
template <class F>
    requires requires { &F::operator(); }
struct signature<F> : signature<decltype(&F::operator())> {};

template <class F>
concept takes_mutable_reference = signature<F>::known && signature<F>::has_mutable_reference;
template <class F>
concept takes_raw_pointer = signature<F>::known && signature<F>::has_raw_pointer;

/// Can be called with values of these types, as they arrive in the worker.
template <class F, class... Args>
concept callable_with = std::is_invocable_v<const F&, Args...> || std::is_invocable_v<F&, Args...>;

/// Takes a std::stop_token behind them, which the worker passes.
template <class F, class... Args>
concept takes_stop_token = !callable_with<F, Args...> && callable_with<F, Args..., std::stop_token>;

template <class F, class... Args>
struct call_result {
    using type = refused;
};
template <class F, class... Args>
    requires std::is_invocable_v<F&, Args...>
struct call_result<F, Args...> {
    using type = std::remove_cvref_t<std::invoke_result_t<F&, Args...>>;
};
template <class F, class... Args>
    requires takes_stop_token<F, Args...>
struct call_result<F, Args...> : call_result<F, Args..., std::stop_token> {};
template <class F, class... Args>
using result_of_call = typename call_result<F, Args...>::type;

template <class R>
concept sendable_result = std::is_void_v<R> || (!raw_pointer<R> && codec<R>::sendable);

/// True if F can be called in another process with arguments of these wire types; one clear
/// compile error if not.
template <class F, class... Args>
consteval bool check_call() {
    constexpr bool can_be_called = callable_with<F, Args...> || takes_stop_token<F, Args...>;
    if constexpr (!callable_check<F>::run()) {
        return false;
    } else if constexpr (takes_mutable_reference<F>) {
        static_assert(!takes_mutable_reference<F>,
                      "procpool: the task takes a mutable reference, but what a worker changes stays in the "
                      "worker; take the argument by value or const reference and return the result");
        return false;
    } else if constexpr (takes_raw_pointer<F> || (raw_pointer<Args> || ...)) {
        static_assert(!takes_raw_pointer<F> && !(raw_pointer<Args> || ...),
                      "procpool: a raw pointer can't be sent: it points into this process, not into the "
                      "worker's; send the value itself, a std::string, a std::vector or a SharedArray");
        return false;
    } else if constexpr (!(codec<Args>::sendable && ...)) {
        static_assert(
            (codec<Args>::sendable && ...),
            "procpool: an argument can't be serialised: include its header <cereal/types/...>, or give "
            "its class a serialize function for cereal (and a default constructor or "
            "load_and_construct with <cereal/types/memory.hpp>)");
        return false;
    } else if constexpr (!can_be_called) {
        static_assert(
            can_be_called,
            "procpool: the task can't be called with these arguments; map passes one element, starmap "
            "the elements of a tuple, and a task takes them by value or const reference");
        return false;
    } else {
        return true;
    }
}

/// True if its result can come back, too.
template <class F, class... Args>
consteval bool check_task() {
    if constexpr (!check_call<F, Args...>()) {
        return false;
    } else if constexpr (!sendable_result<result_of_call<F, Args...>>) {
        static_assert(
            sendable_result<result_of_call<F, Args...>>,
            "procpool: the task's result can't be sent back: return a value (no pointer), include its "
            "header <cereal/types/...>, or give its class a serialize function for cereal (and a "
            "default constructor or load_and_construct with <cereal/types/memory.hpp>)");
        return false;
    } else {
        return true;
    }
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
