// SPDX-License-Identifier: MIT
// An object in shared memory, and the handle by which processes use it.
#ifndef PROCPOOL_DETAIL_SHARED_OBJECT_HPP
#define PROCPOOL_DETAIL_SHARED_OBJECT_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include "procpool/detail/os/shared_segment.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/error.hpp"

namespace procpool::detail::shared {

/// An object on its way to another process.
struct object_handle {
    os::segment_handle memory{};
    std::uint64_t offset = 0;  // of the object in the memory
    std::uint64_t size = 0;    // of the object
};

/// A State that several processes use at once. State has a `name`, is never destroyed, and holds nothing that
/// means something in one process only. Copies are handles of the same object; its memory is freed with the
/// last one in any process.
template <class State>
class object {
    static_assert(std::is_trivially_destructible_v<State>);

public:
    /// A new object, with `room` bytes of memory or addresses in all.
    template <class... Args>
    static object make_in(std::size_t room, os::extent means, Args&&... args) {
        auto segment = os::shared_segment::create(State::name, room, means);
        State* const made = new (segment->data()) State(std::forward<Args>(args)...);
        return object(std::move(segment), made);
    }
    template <class... Args>
    static object make(Args&&... args) {
        return make_in(sizeof(State), os::extent::memory, std::forward<Args>(args)...);
    }

    // None is ever without an object: what is moved from stays a handle.
    object(const object&) noexcept = default;
    object& operator=(const object&) noexcept = default;
    ~object() = default;

    /// @throws Error in a forked child that inherited this handle
    State& operator*() const {
        if (segment_->is_of_this_process()) return *state_;
        throw Error(std::string("procpool: a forked process inherits no ") + State::name +
                    " in its variables: pass it to the process, or to the task, as an argument");
    }
    State* operator->() const { return &**this; }

    /// The handle of a part of this object.
    template <class Part>
    object<Part> part(Part State::* which) const {
        return {segment_, &(state_->*which)};
    }

    void encode(const wire::sink& out) const {
        const auto offset = reinterpret_cast<const std::byte*>(state_) - segment_->data();
        out.to.append_value(
            object_handle{segment_->handle(), static_cast<std::uint64_t>(offset), sizeof(State)});
        out.held.push_back(segment_);
    }

    /// @throws SerializationError if its owner is gone, or this is something else
    static object decode(wire::cursor& from, os::extent means = os::extent::memory) {
        const auto handle = from.value<object_handle>();
        const std::uint64_t there = handle.memory.size;
        if (handle.size != sizeof(State) || handle.offset % alignof(State) != 0 || there < sizeof(State) ||
            handle.offset > there - sizeof(State))
            throw SerializationError(std::string("procpool: something else arrived where a ") + State::name +
                                     " was meant");
        auto segment = os::shared_segment::open(handle.memory, os::access::read_write, means);
        std::byte* const at = segment->data() + handle.offset;
        return {std::move(segment), std::launder(reinterpret_cast<State*>(at))};
    }

    const std::shared_ptr<os::shared_segment>& segment() const noexcept { return segment_; }

    /// Whether both are handles of the same object.
    bool operator==(const object& other) const noexcept { return state_ == other.state_; }

private:
    template <class>
    friend class object;
    object(std::shared_ptr<os::shared_segment> segment, State* state) noexcept
        : segment_(std::move(segment)), state_(state) {}

    std::shared_ptr<os::shared_segment> segment_;
    State* state_;
};

}  // namespace procpool::detail::shared

#endif
