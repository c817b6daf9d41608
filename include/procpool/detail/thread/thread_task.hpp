// SPDX-License-Identifier: MIT
// What a call to a pool of threads comes to: how the task is called, and where its elements are.
#ifndef PROCPOOL_DETAIL_THREAD_THREAD_TASK_HPP
#define PROCPOOL_DETAIL_THREAD_THREAD_TASK_HPP

#include <functional>
#include <iterator>
#include <memory>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>

#include "procpool/detail/call/call_style.hpp"
#include "procpool/detail/thread/thread_input.hpp"

namespace procpool::inline v0_1::detail::thread {

template <class F, class Tuple, class Index>
inline constexpr bool fits_members = false;
template <class F, class Tuple, std::size_t... Index>
inline constexpr bool fits_members<F, Tuple, std::index_sequence<Index...>> =
    std::is_invocable_v<F&, decltype(std::get<Index>(std::declval<Tuple>()))...>;

/// Calls a function and makes an R of what it returns, which may refer to an argument that was converted.
template <class R, class F, class... Args>
R invoke_as(F& function, Args&&... args) {
    if constexpr (std::is_member_pointer_v<std::remove_const_t<F>>)
        return static_cast<R>(std::invoke(function, std::forward<Args>(args)...));
    else
        return static_cast<R>(function(std::forward<Args>(args)...));
}

/// Calls a function with an element, or with the members of one that is a tuple.
template <bool Unpack>
struct calling {
    template <class R, class F, class Element>
    static R call(F& function, Element&& element) {
        return invoke_as<R>(function, std::forward<Element>(element));
    }
    template <class F, class Element>
    using returned = std::invoke_result_t<F&, Element>;
    template <class F, class Element>
    static constexpr bool fits = std::is_invocable_v<F&, Element>;
};
template <>
struct calling<true> {
    template <class R, class F, class Element>
    static R call(F& function, Element&& element) {
        return std::apply(
            [&](auto&&... members) {
                return invoke_as<R>(function, std::forward<decltype(members)>(members)...);
            },
            std::forward<Element>(element));
    }
    template <class F, class Element>
    using returned = decltype(std::apply(std::declval<F&>(), std::declval<Element>()));
    template <class F, class Element>
    static constexpr bool fits = [] {
        using tuple = std::remove_cvref_t<Element>;
        if constexpr (requires { std::tuple_size<tuple>::value; })
            return fits_members<F, Element, std::make_index_sequence<std::tuple_size_v<tuple>>>;
        else
            return false;
    }();
};

/// A function as the threads of a pool share it: they call it as const if it can be called like that. Of one
/// that can't each chunk calls a copy, unless it can't be copied either.
template <class F, bool Unpack, class Element>
inline constexpr bool fits_as_const = calling<Unpack>::template fits<const std::decay_t<F>, Element>;
template <class F, bool Unpack, class Element>
inline constexpr bool fits =
    fits_as_const<F, Unpack, Element> || calling<Unpack>::template fits<std::decay_t<F>, Element>;

/// The function of a call, as long as its tasks need it.
template <class F, call::call_style Style>
class shared_function {
    using function = std::decay_t<F>;
    /// Whether the caller keeps it for the tasks.
    static constexpr bool is_callers =
        Style == call::call_style::waits && std::is_class_v<function> && !std::is_empty_v<function>;

public:
    explicit shared_function(F&& given) : function_(keep(std::forward<F>(given))) {}

    function& get() noexcept {
        if constexpr (is_callers)
            return *function_;
        else
            return function_;
    }

private:
    using kept = std::conditional_t<is_callers, function*, function>;
    static kept keep(F&& given) {
        if constexpr (is_callers)
            return const_cast<function*>(std::addressof(given));
        else
            return std::forward<F>(given);
    }
    kept function_;
};

/// An F called with elements that are in `Where`.
template <call::call_style Style, class F, bool Unpack, class Where>
struct thread_task {
    using where = Where;
    using passed = typename Where::passed;
    using function = shared_function<F, Style>;
    static constexpr bool as_const = fits_as_const<F, Unpack, passed>;
    using callee = std::conditional_t<as_const, const std::decay_t<F>, std::decay_t<F>>;
    using raw_result = typename calling<Unpack>::template returned<callee, passed>;
    using result = std::remove_cvref_t<raw_result>;

    static constexpr bool borrows = Style == call::call_style::waits || Where::is_callers;
    static constexpr bool repeatable =
        std::is_lvalue_reference_v<passed> || std::is_copy_constructible_v<std::remove_cvref_t<passed>>;

    static result call(callee& function, passed&& element) {
        return calling<Unpack>::template call<result>(function, static_cast<passed&&>(element));
    }

    /// One clear compile error if that can't be.
    static consteval bool check() {
        constexpr bool can_be_kept = std::is_void_v<result> || (std::is_move_constructible_v<result> &&
                                                                std::is_constructible_v<result, raw_result>);
        static_assert(can_be_kept,
                      "procpool: the task's result can't be moved or copied to the caller; return a "
                      "std::unique_ptr to it");
        return can_be_kept;
    }
};

/// An element of a range on its way to F.
template <call::call_style Style, class F, class Range, bool Unpack>
struct place_of_elements {
    using iterator = std::ranges::iterator_t<Range>;
    using reference = std::ranges::range_reference_t<Range>;
    using value = std::ranges::range_value_t<Range>;
    using range = std::remove_cvref_t<Range>;
    static constexpr bool is_object =
        std::is_lvalue_reference_v<reference> && std::ranges::forward_range<Range>;
    /// The call was given the container, and nobody else has it.
    static constexpr bool is_given = is_object && !std::is_reference_v<Range> && !std::ranges::view<range> &&
                                     !std::is_const_v<std::remove_reference_t<reference>>;
    template <class Passed>
    using in_memory =
        std::conditional_t<std::contiguous_iterator<iterator> &&
                               std::sized_sentinel_for<std::ranges::sentinel_t<Range>, iterator>,
                           adjacent<Passed>, scattered<Passed>>;

    static auto choose() {
        using element = std::remove_reference_t<reference>;
        constexpr bool stays = is_object && Style != call::call_style::returns;
        if constexpr (stays && is_given && fits<F, Unpack, element&&>)
            return std::type_identity<in_memory<element&&>>();
        else if constexpr (stays && fits<F, Unpack, reference>)
            return std::type_identity<in_memory<reference>>();
        else if constexpr (is_iota<range> &&
                           std::sized_sentinel_for<std::ranges::sentinel_t<Range>, iterator> &&
                           fits<F, Unpack, value>)
            return std::type_identity<counted<value>>();
        else if constexpr (std::is_constructible_v<value,
                                                   std::conditional_t<is_given, element&&, reference>> &&
                           fits<F, Unpack, value&&>)
            return std::type_identity<owned<value, is_given>>();
        else if constexpr (is_object && fits<F, Unpack, reference>)
            return std::type_identity<in_memory<reference>>();
        else if constexpr (!std::is_reference_v<reference> && fits<F, Unpack, reference&&>)
            return std::type_identity<owned<reference, false>>();
        else
            return std::type_identity<void>();
    }
    using type = typename decltype(choose())::type;
};

/// The one element of a call: a tuple of the arguments, which stay the caller's where it waits.
template <call::call_style Style, class F, class... Args>
struct place_of_arguments {
    using by_reference = std::tuple<Args...>;  // T& for what has a name, T for what has none
    using by_value = std::tuple<std::decay_t<Args>...>;
    static constexpr bool stay = Style == call::call_style::waits && fits<F, true, by_reference&&>;
    using tuple = std::conditional_t<stay, by_reference, by_value>;
    using type = std::conditional_t<fits<F, true, tuple&&>, owned<tuple, true>, void>;
};

/// F can't be called with them.
template <call::call_style Style, class F, bool Unpack>
struct thread_task<Style, F, Unpack, void> {
    static consteval bool check() {
        constexpr bool can_be_called = !std::is_same_v<F, F>;
        static_assert(
            can_be_called,
            "procpool: the task can't be called with these arguments; map passes one element, starmap "
            "the elements of a tuple, apply_async copies (std::ref passes a reference). A std::stop_token is "
            "passed by Pool only; here a task asks procpool::stop_requested()");
        return false;
    }
};

}  // namespace procpool::inline v0_1::detail::thread

#endif
