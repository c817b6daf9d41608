// SPDX-License-Identifier: MIT
// What a worker does for an order: it writes samples into their places in shared memory.
#ifndef PROCPOOL_DETAIL_LOADER_RUN_SAMPLES_HPP
#define PROCPOOL_DETAIL_LOADER_RUN_SAMPLES_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "procpool/array_view.hpp"
#include "procpool/detail/loader/batch_plan.hpp"
#include "procpool/detail/os/standard_output.hpp"
#include "procpool/detail/worker/element_position.hpp"
#include "procpool/shared_array.hpp"
#include "procpool/worker.hpp"

namespace procpool::inline v0_1::detail::loader {

/// Where the parts of one sample go: `T&`, or a view of as many dimensions as it has.
template <class T, std::size_t Rank>
struct cell_of {
    using type = ArrayView<T, Rank>;
    static type at(const SharedArray<T, Rank + 2>& slots, std::uint32_t slot, std::uint32_t place) noexcept {
        return slots[slot][place];
    }
};
template <class T>
struct cell_of<T, 0> {
    using type = T&;
    static type at(const SharedArray<T, 2>& slots, std::uint32_t slot, std::uint32_t place) noexcept {
        return slots(slot, place);
    }
};
template <class Array>
using cell = typename cell_of<typename Array::element, Array::rank>::type;

/// What workers see of a loader's memory.
template <class... Arrays>
struct sample_memory {
    using slots = std::tuple<SharedArray<typename Arrays::element, Arrays::rank + 2>...>;
};

template <class Source, class... Cells>
concept has_get_in_place =
    requires(const Source& source, std::size_t i, Cells... cells) { source.get(i, cells...); };
template <class Source>
concept has_get = requires(const Source& source, std::size_t i) { source.get(i); };
template <class Source, class... Cells>
concept makes_samples = has_get_in_place<Source, Cells...> || has_get<Source> ||
                        std::is_invocable_v<const Source&, std::size_t, Cells...> ||
                        std::is_invocable_v<const Source&, std::size_t>;

template <class T>
inline constexpr bool is_tuple_of_parts = false;
template <class... Parts>
inline constexpr bool is_tuple_of_parts<std::tuple<Parts...>> = true;
template <class First, class Second>
inline constexpr bool is_tuple_of_parts<std::pair<First, Second>> = true;

template <class Cell, class Value>
void put(Cell to, const Value& value) {
    if constexpr (std::is_lvalue_reference_v<Cell>)
        to = static_cast<std::remove_reference_t<Cell>>(value);
    else
        to.copy_from(value);
}

/// Parts that were returned go to their places.
template <class Value, class... Cells>
void put_all(const Value& value, Cells... cells) {
    if constexpr (is_tuple_of_parts<Value>) {
        static_assert(
            std::tuple_size_v<Value> == sizeof...(Cells),
            "procpool: a dataset's get(i) returns a tuple with one member for each array of a batch");
        std::apply([&](const auto&... parts) { (put<Cells>(cells, parts), ...); }, value);
    } else {
        static_assert(
            sizeof...(Cells) == 1,
            "procpool: a dataset's get(i) returns a tuple with one member for each array of a batch");
        (put<Cells>(cells, value), ...);
    }
}

template <class Source, class... Cells>
void make_sample(const Source& source, std::size_t i, Cells... cells) {
    if constexpr (has_get_in_place<Source, Cells...>)
        source.get(i, cells...);
    else if constexpr (has_get<Source>)
        put_all<std::remove_cvref_t<decltype(source.get(i))>, Cells...>(source.get(i), cells...);
    else if constexpr (std::is_invocable_v<const Source&, std::size_t, Cells...>)
        std::invoke(source, i, cells...);
    else
        put_all<std::remove_cvref_t<decltype(std::invoke(source, i))>, Cells...>(std::invoke(source, i),
                                                                                 cells...);
}

/// The task. `run` is the number of what is wanted now.
template <class Source, class... Arrays>
bool run_samples(const Source& source, const SharedArray<std::uint64_t, 1>& run,
                 const SharedArray<sample_state, 2>& states,
                 const typename sample_memory<Arrays...>::slots& slots, const sample_order& order) {
    using stage = sample_state::stage;
    // element_seed() is that of the sample, whatever element of the pool's calls it is.
    worker::element_counter position(order.seed, order.epoch + 1);
    for (std::uint32_t place = order.place; place < order.place + order.count; ++place) {
        if (std::atomic_ref(run[0]).load(std::memory_order_relaxed) != order.run) return false;
        sample_state& state = states(order.slot, place);
        // The pool may run an order again by itself, as when a worker was killed for the memory of another.
        const std::atomic_ref at(state.at);
        if (at.load(std::memory_order_acquire) == stage::made) continue;
        at.store(stage::wanted, std::memory_order_relaxed);  // it may have thrown before
        position.is_attempt(++std::atomic_ref(state.begun));
        position.is(state.sample);
        try {
            std::apply(
                [&](const auto&... each) {
                    make_sample<Source, cell<Arrays>...>(
                        source, state.sample,
                        cell_of<typename Arrays::element, Arrays::rank>::at(each, order.slot, place)...);
                },
                slots);
        } catch (...) {
            at.store(stage::threw, std::memory_order_release);
            throw;
        }
        if (worker::this_process.index)
            os::flush_standard_output();  // the next sample may be the end of this worker
        at.store(stage::made, std::memory_order_release);
    }
    return true;
}

}  // namespace procpool::inline v0_1::detail::loader

#endif
