// SPDX-License-Identifier: MIT
// Runs the tests on Windows, and fails each that leaves handles behind.
#include <gtest/gtest.h>
#include <windows.h>

#include <cstdint>
#include <cstdio>

#include "procpool/start_method.hpp"
#include "support/freeze.hpp"
#include "support/wait.hpp"

namespace test {
namespace {

// GetProcessHandleCount() says 0 under Wine.
int open_handles() {
    constexpr std::uintptr_t most = 16384, step = 4;
    int count = 0;
    for (std::uintptr_t number = step; number < most; number += step) {
        DWORD flags = 0;
        if (::GetHandleInformation(reinterpret_cast<HANDLE>(number), &flags)) ++count;
    }
    return count;
}

/// What the system's own threads and the C++ library open once stays; so the same test may not open more each
/// time.
class leftover_check : public testing::EmptyTestEventListener {
    void OnTestStart(const testing::TestInfo&) override { before_ = open_handles(); }
    void OnTestEnd(const testing::TestInfo& info) override {
        if (info.result()->Skipped()) return;
        constexpr int opened_once = 48;
        EXPECT_TRUE(
            eventually([&] { return open_handles() <= before_ + opened_once; }, std::chrono::seconds(5)))
            << "handles left: " << open_handles() << " after " << before_;
    }
    int before_ = 0;
};

}  // namespace
}  // namespace test

int main(int argc, char** argv) {
    test::freeze_support(argc, argv);
    std::setvbuf(stdout, nullptr, _IONBF, 0);  // who reads it shall see how far a killed run has got
    testing::InitGoogleTest(&argc, argv);
    const int before = test::open_handles();
    testing::UnitTest::GetInstance()->listeners().Append(new test::leftover_check);
    const int result = RUN_ALL_TESTS();
    std::printf("handles: %d before all tests, %d after\n", before, test::open_handles());
    return result;
}
