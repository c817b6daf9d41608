// SPDX-License-Identifier: MIT
// Runs the tests, and fails each that leaves a process, a descriptor, a thread or shared memory behind.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "procpool/start_method.hpp"
#include "support/freeze.hpp"
#include "support/leftovers.hpp"
#include "support/wait.hpp"

namespace test {
namespace {

/// The pools of all tests start their workers like this, unless they say otherwise.
bool choose_start_method(std::string_view argument) {
    using procpool::start_method;
    constexpr std::array methods{std::pair{"--fork", start_method::fork},
                                 std::pair{"--forkserver", start_method::forkserver},
                                 std::pair{"--spawn", start_method::spawn}};
    for (const auto& [name, method] : methods) {
        if (argument != name) continue;
        procpool::set_start_method(method);
        return true;
    }
    return false;
}

class leftover_check : public testing::EmptyTestEventListener {
    void OnTestStart(const testing::TestInfo&) override {
        descriptors_ = open_descriptors();
        shared_memory_ = named_shared_memory();
        threads_ = threads();
    }

    void OnTestEnd(const testing::TestInfo& info) override {
        if (info.result()->Skipped()) return;
        constexpr std::chrono::seconds grace{5};
        EXPECT_TRUE(eventually([] { return other_processes().empty(); }, grace))
            << "processes left: " << testing::PrintToString(other_processes());
        EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child was left";
        EXPECT_EQ(errno, ECHILD);
        EXPECT_EQ(open_descriptors(), descriptors_) << "descriptors left";
        EXPECT_EQ(memfd_mappings(), std::vector<std::string>{}) << "shared memory left mapped";
        EXPECT_EQ(named_shared_memory(), shared_memory_) << "named shared memory left";
        EXPECT_TRUE(eventually([&] { return threads() <= threads_; }, grace)) << "threads left";
    }

    std::set<std::string> descriptors_;
    std::set<std::string> shared_memory_;
    int threads_ = 0;
};

}  // namespace
}  // namespace test

int main(int argc, char** argv) {
    test::freeze_support(argc, argv);
    testing::InitGoogleTest(&argc, argv);
    if (argc > 1 && !test::choose_start_method(argv[1])) return 2;
    std::thread([] {}).join();  // the thread sanitizer starts one of its own with the first
    ::setpgid(0, 0);            // all that descends from here can be found by it
    testing::UnitTest::GetInstance()->listeners().Append(new test::leftover_check);
    return RUN_ALL_TESTS();
}
