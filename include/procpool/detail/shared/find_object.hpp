// SPDX-License-Identifier: MIT
// The door to handles of objects in shared memory.
#ifndef PROCPOOL_DETAIL_SHARED_FIND_OBJECT_HPP
#define PROCPOOL_DETAIL_SHARED_FIND_OBJECT_HPP

#include <cstddef>
#include <memory>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/shared_segment.hpp"
#include "procpool/detail/wire/forward.hpp"

namespace procpool::inline v0_1::detail::shared {

/// Some object, of which only the place is known.
struct object_place {
    std::shared_ptr<os::shared_segment> segment;
    std::byte* at = nullptr;
};

/// What find_object() must be told of an object to know that it is the right one.
struct object_kind {
    const char* name;
    std::size_t size;
    std::size_t alignment;
};

/// Appends its handle, for find_object().
template <class = only_if_used>
void encode_place(const wire::sink& out, const std::shared_ptr<os::shared_segment>& segment, const void* at,
                  std::size_t size);

/// @throws SerializationError if its owner is gone, or this is something else
template <class = only_if_used>
object_place find_object(wire::cursor& from, const object_kind& kind, os::extent means);

}  // namespace procpool::inline v0_1::detail::shared

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/shared/find_object_impl.hpp"
#endif

#endif
