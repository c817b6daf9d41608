// SPDX-License-Identifier: MIT
// The memory that a pool shares with its workers, as a test sees it.
#ifndef PROCPOOL_TESTS_SUPPORT_POOL_MEMORY_HPP
#define PROCPOOL_TESTS_SUPPORT_POOL_MEMORY_HPP

#include <cstddef>

#ifdef _WIN32
#include "windows/calls.hpp"
#else
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#endif

namespace test {

#ifdef _WIN32
inline bool is_in_pool_memory(const void* pointer) { return windows::is_in_section(pointer); }

/// Nothing tells how much memory a section has: tests that ask for it are in left_out.txt.
class pool_file {
public:
    std::size_t memory() const { return static_cast<std::size_t>(windows::not_there("memory of a section")); }
};
#else
/// Whether an address of this process is one of a pool's memory.
inline bool is_in_pool_memory(const void* pointer) {
    const auto address = reinterpret_cast<std::uintptr_t>(pointer);
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx", &begin, &end) == 2 && begin <= address && address < end)
            return line.find("memfd:procpool ") != std::string::npos;
    }
    return false;
}

/// The memory that the only pool of this process shares, as a file that stays when the pool is gone.
class pool_file {
public:
    pool_file() {
        for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
            std::error_code gone;
            const auto target = std::filesystem::read_symlink(entry.path(), gone).string();
            if (file_ < 0 && target.find("memfd:procpool ") != std::string::npos)
                file_ = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
        }
    }
    pool_file(const pool_file&) = delete;
    pool_file& operator=(const pool_file&) = delete;
    ~pool_file() { ::close(file_); }

    /// Bytes of memory that it takes.
    std::size_t memory() const {
        struct stat status{};
        EXPECT_EQ(::fstat(file_, &status), 0);
        return static_cast<std::size_t>(status.st_blocks) * 512;
    }

private:
    int file_ = -1;
};
#endif

}  // namespace test

#endif
