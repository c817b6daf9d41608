// SPDX-License-Identifier: MIT
// Refuses plain data that holds a pointer: in another process it would point to something else.
#ifndef PROCPOOL_DETAIL_WIRE_POINTER_CHECK_HPP
#define PROCPOOL_DETAIL_WIRE_POINTER_CHECK_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <typeinfo>

#include "procpool/detail/only_if_used.hpp"

namespace procpool::inline v0_1::detail::wire {

/// Where a process has what pointers point to.
struct terabytes {
    static constexpr unsigned shift = 40;
    std::uintptr_t stack;
    std::uintptr_t program;
    std::uintptr_t libraries;
    std::uintptr_t heap;
    static terabytes of_this_process(const void* on_stack);
};

/// Whether `word` lies in the same terabyte as this process's stack, program, libraries or heap; few numbers
/// do.
inline bool may_be_pointer(std::uintptr_t word) {
    static const terabytes own = terabytes::of_this_process(__builtin_frame_address(0));
    // A program that isn't position-independent lives in the first terabyte, where the small numbers are.
    const std::uintptr_t high = word >> terabytes::shift;
    return high != 0 &&
           (high == own.stack || high == own.program || high == own.libraries || high == own.heap);
}

/// `word`, which lies at `offset` in a T, without the bits between T's members: they may hold what was there
/// before, a stale pointer as well.
template <class T>
std::uintptr_t without_padding(std::uintptr_t word, [[maybe_unused]] std::size_t offset) noexcept {
#if __has_builtin(__builtin_clear_padding)
    alignas(T) std::byte mask[sizeof(T)];
    std::memset(mask, 0xFF, sizeof mask);
    __builtin_clear_padding(reinterpret_cast<T*>(mask));
    std::uintptr_t used;
    std::memcpy(&used, mask + offset, sizeof used);
    word &= used;
#endif
    return word;
}

/// Whether a T can be asked for pointers.
template <class T>
inline constexpr bool may_hold_pointers = std::is_class_v<T> && alignof(T) >= alignof(void*);

/// Calls `visit(word, place)` for each word of the `count` objects that may be a pointer; `place` in bytes.
template <class T, class Visit>
void for_each_possible_pointer(const T* objects, std::size_t count, Visit visit) {
    const auto* at = reinterpret_cast<const unsigned char*>(objects);
    for (std::size_t i = 0; i + sizeof(std::uintptr_t) <= count * sizeof(T); i += sizeof(std::uintptr_t)) {
        std::uintptr_t word;
        std::memcpy(&word, at + i, sizeof word);
        if (may_be_pointer(word) && may_be_pointer(without_padding<T>(word, i % sizeof(T)))) visit(word, i);
    }
}

/// Throws SerializationError if `word`, in an object of this type, is a pointer into this process.
template <class = only_if_used>
void refuse_pointer(std::uintptr_t word, const std::type_info& type);

/// Throws SerializationError if one of `count` objects at `objects` holds a pointer into this process.
template <class T>
void refuse_pointers(const T* objects, std::size_t count) {
    if constexpr (may_hold_pointers<T>)
        for_each_possible_pointer(objects, count,
                                  [](std::uintptr_t word, std::size_t) { refuse_pointer(word, typeid(T)); });
}

}  // namespace procpool::inline v0_1::detail::wire

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/wire/pointer_check_impl.hpp"
#endif

#endif
