// SPDX-License-Identifier: MIT
// Objects of which only a handle travels: they lie in memory that the receiver opens, too.
#ifndef PROCPOOL_DETAIL_WIRE_HANDLE_HPP
#define PROCPOOL_DETAIL_WIRE_HANDLE_HPP

#include <concepts>
#include <type_traits>
#include <typeinfo>

#include "procpool/detail/wire/forward.hpp"
#include "procpool/detail/wire/other_machines.hpp"

namespace procpool::inline v0_1::detail::wire {

template <class T>
struct codec;

/// Base of a class T that has `void encode(sink) const`, which pins what it names, and
/// `static T decode(cursor&)`. No message that leaves this machine takes one.
template <class T>
struct travels_as_handle {
    /// For cereal, in messages between processes of the program.
    template <class Archive>
    void save(Archive& archive) const {
        static_assert(std::is_same_v<Archive, output_archive>,
                      "procpool: this is a handle of memory that lives no longer than its processes, "
                      "which only procpool's own messages can carry; to a file, save what it holds");
        if constexpr (std::is_same_v<Archive, output_archive>) {
            require_this_machine(archive.to(), typeid(T));
            static_cast<const T&>(*this).encode(archive.to());
        }
    }

    /// For cereal, in messages between processes of the program.
    /// @throws SerializationError if its owner is gone, or this is something else
    template <class Archive>
    void load(Archive& archive) {
        static_assert(std::is_same_v<Archive, input_archive>,
                      "procpool: a handle of shared memory can only be read from procpool's own messages");
        if constexpr (std::is_same_v<Archive, input_archive>)
            static_cast<T&>(*this) = T::decode(archive.from());
    }
};

template <class T>
concept handle = std::is_class_v<T> && std::derived_from<T, travels_as_handle<T>>;

template <handle T>
struct codec<T> {
    static constexpr bool sendable = true;
    static void encode(const sink& out, const T& value) {
        require_this_machine(out, typeid(T));
        value.encode(out);
    }
    static T decode(cursor& from) { return T::decode(from); }
};

}  // namespace procpool::inline v0_1::detail::wire

#endif
