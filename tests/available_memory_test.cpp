// SPDX-License-Identifier: MIT
#include "procpool/detail/os/available_memory.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace available_memory_test {

using procpool::detail::os::available_memory;
using procpool::detail::os::unknown_memory;

/// A machine as its files in /proc and /sys show it.
class available_memory_of : public testing::Test {
protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "procpool-machine-XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        root = name;
    }
    void TearDown() override { std::filesystem::remove_all(root); }

    void write(const std::string& path, const std::string& text) const {
        const std::filesystem::path file = root + path;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << text;
    }
    void write_meminfo() const {
        write("/proc/meminfo",
              "MemTotal: 9000 kB\nMemAvailable:   8000 kB\nSwapTotal: 3000 kB\nSwapFree: 2000 kB\n");
    }

    std::string root;
};

TEST_F(available_memory_of, an_unreadable_machine_is_unknown) {
    EXPECT_EQ(available_memory(root), unknown_memory);
}

TEST_F(available_memory_of, a_machine_without_limits_is_its_memory_and_swap) {
    write_meminfo();
    write("/proc/self/cgroup", "0::/user.slice\n");
    write("/sys/fs/cgroup/user.slice/memory.max", "max\n");
    write("/sys/fs/cgroup/user.slice/memory.current", "1000\n");
    EXPECT_EQ(available_memory(root), 10000u * 1024);
}

TEST_F(available_memory_of, a_cgroup_leaves_what_it_has_not_used_and_its_cached_files) {
    write_meminfo();
    write("/proc/self/cgroup", "0::/a/b\n");
    write("/sys/fs/cgroup/a/b/memory.max", "1000000\n");
    write("/sys/fs/cgroup/a/b/memory.current", "900000\n");
    write("/sys/fs/cgroup/a/b/memory.stat", "anon 5\ninactive_file 50000\nactive_file 10000\nshmem 7\n");
    EXPECT_EQ(available_memory(root), 160000u);
}

TEST_F(available_memory_of, the_strictest_of_the_cgroups_above_counts) {
    write_meminfo();
    write("/proc/self/cgroup", "0::/a/b\n");
    write("/sys/fs/cgroup/a/b/memory.max", "1000000\n");
    write("/sys/fs/cgroup/a/b/memory.current", "0\n");
    write("/sys/fs/cgroup/a/memory.max", "2000\n");
    write("/sys/fs/cgroup/a/memory.current", "500\n");
    EXPECT_EQ(available_memory(root), 1500u);
}

TEST_F(available_memory_of, a_container_sees_its_own_cgroup_on_top) {
    write_meminfo();
    write("/proc/self/cgroup", "12:cpu,cpuacct:/docker/4711\n5:memory:/docker/4711\n0::/\n");
    write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "3000\n");
    write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "1000\n");
    write("/sys/fs/cgroup/memory/memory.stat",
          "inactive_file 9999\ntotal_inactive_file 100\ntotal_active_file 10\n");
    EXPECT_EQ(available_memory(root), 2110u);
}

TEST_F(available_memory_of, an_overdrawn_cgroup_leaves_nothing) {
    write_meminfo();
    write("/proc/self/cgroup", "0::/\n");
    write("/sys/fs/cgroup/memory.max", "3000\n");
    write("/sys/fs/cgroup/memory.current", "4000\n");
    EXPECT_EQ(available_memory(root), 0u);
}

TEST_F(available_memory_of, this_machine_is_known) {
    EXPECT_GT(available_memory(), 0u);
    EXPECT_LT(available_memory(), unknown_memory);
}

}  // namespace available_memory_test
