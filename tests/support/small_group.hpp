// SPDX-License-Identifier: MIT
// A control group that limits memory, for tests that may make one.
#ifndef PROCPOOL_TESTS_SUPPORT_SMALL_GROUP_HPP
#define PROCPOOL_TESTS_SUPPORT_SMALL_GROUP_HPP

#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>

#include "support/wait.hpp"

namespace test {

/// A control group with little memory for a process and all that descend from it.
class small_group {
public:
    explicit small_group(std::size_t bytes) {
        for (const bool version_1 : {true, false}) {
            path_ = std::string(version_1 ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup") + "/procpool_test_" +
                    std::to_string(::getpid());
            std::error_code refused;
            if (!std::filesystem::create_directory(path_, refused)) continue;
            limited_ = write(version_1 ? "memory.limit_in_bytes" : "memory.max", std::to_string(bytes));
            // Or else it would be swapped out instead.
            write(version_1 ? "memory.swappiness" : "memory.swap.max", "0");
            if (limited_) return;
            std::filesystem::remove(path_, refused);
        }
    }
    small_group(const small_group&) = delete;
    small_group& operator=(const small_group&) = delete;
    ~small_group() {
        std::error_code ignored;
        if (limited_) eventually([&] { return std::filesystem::remove(path_, ignored); });
    }

    bool limited() const noexcept { return limited_; }
    bool take_this_process() const { return write("cgroup.procs", std::to_string(::getpid())); }

private:
    bool write(const std::string& file, const std::string& text) const {
        std::ofstream to(path_ + "/" + file);
        to << text << std::flush;
        return to.good();
    }

    std::string path_;
    bool limited_ = false;
};

}  // namespace test

#endif
