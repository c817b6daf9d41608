// SPDX-License-Identifier: MIT
#include "procpool/cpu_count.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "procpool/detail/os/cpu.hpp"
#include "support/wait.hpp"

namespace cpu_count_test {

using procpool::cpu_count;
using procpool::detail::os::affinity_count;
using procpool::detail::os::limit_to_cgroup_quota;
using procpool::detail::os::thread_count;

/// This thread's affinity mask, as it was before.
class Affinity {
public:
    Affinity() { ::sched_getaffinity(0, sizeof before_, &before_); }
    ~Affinity() { ::sched_setaffinity(0, sizeof before_, &before_); }
    int count() const { return CPU_COUNT(&before_); }
    /// Leaves just the first `count` of them.
    bool reduce_to(int count) const {
        cpu_set_t fewer;
        CPU_ZERO(&fewer);
        for (std::size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&fewer) < count; ++cpu)
            if (CPU_ISSET(cpu, &before_)) CPU_SET(cpu, &fewer);
        return ::sched_setaffinity(0, sizeof fewer, &fewer) == 0;
    }

private:
    cpu_set_t before_;
};

TEST(CpuCount, is_at_least_one_and_no_more_than_the_affinity_mask_holds) {
    const Affinity mask;
    EXPECT_GE(cpu_count(), 1);
    EXPECT_LE(cpu_count(), mask.count());
    EXPECT_EQ(affinity_count(), mask.count());
    EXPECT_EQ(cpu_count(), limit_to_cgroup_quota(affinity_count()));
}

TEST(CpuCount, follows_the_affinity_mask) {
    const Affinity mask;
    for (int count = 1; count <= std::min(mask.count(), 4); ++count) {
        ASSERT_TRUE(mask.reduce_to(count));
        EXPECT_EQ(affinity_count(), count);
        EXPECT_LE(cpu_count(), count);
    }
    ASSERT_TRUE(mask.reduce_to(1));
    EXPECT_EQ(cpu_count(), 1);
}

/// A machine with 8 processors, as its files show its cgroups.
class CgroupQuota : public testing::Test {
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
    int count() const { return limit_to_cgroup_quota(8, root); }

    std::string root;
};

TEST_F(CgroupQuota, does_not_count_where_there_is_none) {
    EXPECT_EQ(count(), 8);
    write("/proc/self/cgroup", "0::/user.slice\n");
    EXPECT_EQ(count(), 8);
    write("/sys/fs/cgroup/user.slice/cpu.max", "max 100000\n");
    EXPECT_EQ(count(), 8);
}

TEST_F(CgroupQuota, of_version_2_is_rounded_up) {
    write("/proc/self/cgroup", "0::/box\n");
    write("/sys/fs/cgroup/box/cpu.max", "150000 100000\n");
    EXPECT_EQ(count(), 2);
    write("/sys/fs/cgroup/box/cpu.max", "10000 100000\n");
    EXPECT_EQ(count(), 1) << "a tenth of a processor is one worker";
    write("/sys/fs/cgroup/box/cpu.max", "300000 100000\n");
    EXPECT_EQ(count(), 3);
}

TEST_F(CgroupQuota, more_than_the_processors_gives_no_more) {
    write("/proc/self/cgroup", "0::/box\n");
    write("/sys/fs/cgroup/box/cpu.max", "6400000 100000\n");
    EXPECT_EQ(count(), 8);
}

TEST_F(CgroupQuota, the_strictest_level_counts) {
    write("/proc/self/cgroup", "0::/a/b/c\n");
    write("/sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    write("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    write("/sys/fs/cgroup/a/b/c/cpu.max", "500000 100000\n");
    EXPECT_EQ(count(), 2);
}

TEST_F(CgroupQuota, in_a_container_is_found_at_the_top) {
    write("/proc/self/cgroup", "0::/what/only/the/host/sees\n");
    write("/sys/fs/cgroup/cpu.max", "400000 100000\n");
    EXPECT_EQ(count(), 4);
}

TEST_F(CgroupQuota, of_version_1_counts_as_well) {
    write("/proc/self/cgroup", "5:memory:/other\n4:cpu,cpuacct:/box\n");
    write("/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "-1\n");
    write("/sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n");
    EXPECT_EQ(count(), 8);
    write("/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "250000\n");
    EXPECT_EQ(count(), 3);
}

TEST(ThreadCount, counts_the_threads_of_this_process) {
    const int before = thread_count();
    EXPECT_GE(before, 1);
    std::atomic<bool> go{false};
    std::thread other([&] { test::eventually([&] { return go.load(); }); });
    EXPECT_EQ(thread_count(), before + 1);
    go = true;
    other.join();
    EXPECT_TRUE(test::eventually([&] { return thread_count() == before; }));
}

}  // namespace cpu_count_test
