// SPDX-License-Identifier: MIT
// What tests of shared arrays share: what is left of them, and messages that hold them.
#ifndef PROCPOOL_TESTS_SUPPORT_ARRAYS_HPP
#define PROCPOOL_TESTS_SUPPORT_ARRAYS_HPP

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <set>
#include <span>
#include <string>
#include <system_error>

#include "procpool/detail/wire/codec.hpp"
#include "support/leftovers.hpp"

namespace test {

namespace wire = procpool::detail::wire;

// ---- what is left behind

inline std::size_t mappings(long pid = ::getpid()) {
    std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
    std::size_t count = 0;
    for (std::string line; std::getline(maps, line);)
        count += line.find("procpool-array") != std::string::npos;
    return count;
}

inline std::size_t descriptors(long pid = ::getpid()) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
        std::error_code gone;
        count += std::filesystem::read_symlink(entry.path(), gone).string().find("procpool-array") !=
                 std::string::npos;
    }
    return count;
}

/// Arrays leave nothing behind, in this process or on the machine.
class arrays : public testing::Test {
protected:
    void TearDown() override {
        EXPECT_EQ(mappings(), 0u);
        EXPECT_EQ(descriptors(), 0u);
        EXPECT_EQ(named_shared_memory(), named_before_);
        errno = 0;
        EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
    }

private:
    const std::set<std::string> named_before_ = named_shared_memory();
};

// ---- messages

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
