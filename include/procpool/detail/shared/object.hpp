// SPDX-License-Identifier: MIT
// An object in shared memory, and the handle by which processes use it.
#ifndef PROCPOOL_DETAIL_SHARED_OBJECT_HPP
#define PROCPOOL_DETAIL_SHARED_OBJECT_HPP

#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include "procpool/detail/os/shared_segment.hpp"
#include "procpool/detail/shared/find_object.hpp"
#include "procpool/detail/wire/forward.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::shared {

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

    void encode(const wire::sink& out) const { encode_place(out, segment_, state_, sizeof(State)); }

    /// @throws SerializationError if its owner is gone, or this is something else
    static object decode(wire::cursor& from, os::extent means = os::extent::memory) {
        auto found = find_object(from, {State::name, sizeof(State), alignof(State)}, means);
        return {std::move(found.segment), std::launder(reinterpret_cast<State*>(found.at))};
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

}  // namespace procpool::inline v0_1::detail::shared

#endif
