// SPDX-License-Identifier: MIT
// Where large parts of messages come from.
#ifndef PROCPOOL_DETAIL_WIRE_LARGE_PART_IMPL_HPP
#define PROCPOOL_DETAIL_WIRE_LARGE_PART_IMPL_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "procpool/detail/wire/arena.hpp"
#include "procpool/detail/wire/arena_window.hpp"
#include "procpool/detail/wire/large_part.hpp"

namespace procpool::inline v0_1::detail::wire {

template <class>
std::optional<arena_part> allocate_part(arena& in, std::size_t size) {
    return in.allocate(size);
}

template <class>
std::optional<std::span<const std::byte>> find_part(const arena_place& place, std::uint64_t size) {
    return arena_window::find(place, size);
}

template <class>
std::shared_ptr<std::byte> borrow_part(const arena_place& place, std::uint64_t size) {
    return arena_window::borrow(place, size);
}

/// Set before the first task runs. Leaked: a task's own static objects may have parts in it.
template <class = only_if_used>
std::shared_ptr<arena>& results_of_this_process() {
    static auto* const results = new std::shared_ptr<arena>;
    return *results;
}

template <class>
std::shared_ptr<arena> arena_of_results() {
    const std::shared_ptr<arena>& results = results_of_this_process();
    return results && results->is_here() ? results : nullptr;
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
