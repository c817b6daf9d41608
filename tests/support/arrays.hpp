// SPDX-License-Identifier: MIT
// What tests of shared arrays share: what is left of them.
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
#include <string>
#include <system_error>

#include "support/leftovers.hpp"
#include "support/messages.hpp"
#ifdef _WIN32
#include "windows/calls.hpp"
#endif

namespace test {

#ifdef _WIN32
inline std::size_t mappings() { return windows::mapped_sections(); }
/// An array has a handle for what it maps.
inline std::size_t descriptors() { return mappings(); }
#else
inline std::size_t mappings() {
    std::ifstream maps("/proc/self/maps");
    std::size_t count = 0;
    for (std::string line; std::getline(maps, line);)
        count += line.find("procpool-array") != std::string::npos;
    return count;
}

inline std::size_t descriptors() {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        count += std::filesystem::read_symlink(entry.path(), gone).string().find("procpool-array") !=
                 std::string::npos;
    }
    return count;
}

#endif

/// Arrays leave nothing behind, in this process or on the machine.
class arrays : public testing::Test {
protected:
#ifdef _WIN32
    arrays() { windows::count_sections_from_here(); }
#endif
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

}  // namespace test

#endif
