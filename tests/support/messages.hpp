// SPDX-License-Identifier: MIT
// Values as they travel, in messages of a test's own.
#ifndef PROCPOOL_TESTS_SUPPORT_MESSAGES_HPP
#define PROCPOOL_TESTS_SUPPORT_MESSAGES_HPP

#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <string>

#include "procpool/detail/wire/codec.hpp"

namespace test {

namespace wire = procpool::detail::wire;

struct message {
    wire::buffer bytes;
    wire::pins held;
};

template <class T>
message encoded(const T& value) {
    message made;
    wire::codec<T>::encode({made.bytes, made.held}, value);
    return made;
}

template <class T>
T decoded(std::span<const std::byte> bytes) {
    wire::cursor from(bytes);
    T value = wire::codec<T>::decode(from);
    EXPECT_EQ(from.left(), 0u);
    return value;
}

template <class T>
std::string refusal(std::span<const std::byte> bytes) {
    try {
        (void)decoded<T>(bytes);
    } catch (const procpool::SerializationError& error) {
        return error.what();
    }
    return "accepted";
}

}  // namespace test

#endif
