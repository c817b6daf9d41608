// SPDX-License-Identifier: MIT
// What is behind the door to handles of objects in shared memory.
#ifndef PROCPOOL_DETAIL_SHARED_FIND_OBJECT_IMPL_HPP
#define PROCPOOL_DETAIL_SHARED_FIND_OBJECT_IMPL_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "procpool/detail/os/shared_segment.hpp"
#include "procpool/detail/shared/find_object.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::shared {

/// An object on its way to another process.
struct object_handle {
    os::segment_handle memory{};
    std::uint64_t offset = 0;  // of the object in the memory
    std::uint64_t size = 0;    // of the object
};

template <class>
void encode_place(const wire::sink& out, const std::shared_ptr<os::shared_segment>& segment, const void* at,
                  std::size_t size) {
    const auto offset = static_cast<const std::byte*>(at) - segment->data();
    out.to.append_value(object_handle{segment->handle(), static_cast<std::uint64_t>(offset), size});
    out.held.push_back(segment);
}

template <class>
object_place find_object(wire::cursor& from, const object_kind& kind, os::extent means) {
    const auto handle = from.value<object_handle>();
    const std::uint64_t there = handle.memory.size;
    if (handle.size != kind.size || handle.offset % kind.alignment != 0 || there < kind.size ||
        handle.offset > there - kind.size)
        throw SerializationError(std::string("procpool: something else arrived where a ") + kind.name +
                                 " was meant");
    auto segment = os::shared_segment::open(handle.memory, os::access::read_write, means);
    std::byte* const at = segment->data() + handle.offset;
    return {std::move(segment), at};
}

}  // namespace procpool::inline v0_1::detail::shared

#endif
