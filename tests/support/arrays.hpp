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

namespace test {

#ifdef _WIN32  // nothing tells them apart there; the handles of all are counted
inline std::size_t mappings(long = 0) { return 0; }
inline std::size_t descriptors(long = 0) { return 0; }
#else
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

#endif

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

}  // namespace test

#endif
