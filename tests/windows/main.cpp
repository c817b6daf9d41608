// SPDX-License-Identifier: MIT
// Runs the tests on Windows, and fails each that leaves handles or processes behind.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "procpool/start_method.hpp"
#include "support/freeze.hpp"
#include "support/leftovers.hpp"
#include "support/wait.hpp"
#include "windows/calls.hpp"
#include "windows/child.hpp"

namespace test {
namespace {

/// What is opened once stays; so all tests together may leave so many more than there were when the first
/// began.
class leftover_check : public testing::EmptyTestEventListener {
public:
    void OnTestStart(const testing::TestInfo&) override { before_ = open_descriptors().size(); }
    void OnTestEnd(const testing::TestInfo& info) override {
        if (info.result()->Skipped()) return;
        constexpr std::chrono::seconds grace{5};
        EXPECT_TRUE(eventually([] { return other_processes().empty(); }, grace)) << "processes left";
        const auto allowed = [&] { return std::max(before_, first_ + windows::opened_once); };
        EXPECT_TRUE(eventually([&] { return open_descriptors().size() <= allowed(); }, grace))
            << "handles left: " << open_descriptors().size() << " after " << before_ << ", and " << first_
            << " at first";
    }

private:
    const std::size_t first_ = open_descriptors().size();
    std::size_t before_ = 0;
};

/// Ends the program when a test takes too long, so that the others can be run without it.
class deadline : public testing::EmptyTestEventListener {
public:
    deadline() {
        std::thread([this] { watch(); }).detach();
    }
    void OnTestStart(const testing::TestInfo&) override { began_ = now(); }
    void OnTestEnd(const testing::TestInfo&) override { began_ = 0; }

private:
    const long long most_ = [] {
        const char* const seconds = std::getenv("PROCPOOL_TEST_SECONDS");
        return (seconds ? std::atoll(seconds) : 90) * 1000;
    }();

    static long long now() {
        return std::chrono::duration_cast<std::chrono::milliseconds>(
                   std::chrono::steady_clock::now().time_since_epoch())
            .count();
    }
    void watch() const {
        for (;;) {
            std::this_thread::sleep_for(std::chrono::milliseconds(250));
            const long long began = began_;
            if (began == 0 || now() - began < most_) continue;
            std::printf("this test takes too long\n");
            windows::end_this_process();
        }
    }
    std::atomic<long long> began_{0};
};

}  // namespace
}  // namespace test

int main(int argc, char** argv) {
    test::freeze_support(argc, argv);
    test::windows::crash_quietly();
    test::windows::run_as_child();
    std::setvbuf(stdout, nullptr, _IONBF, 0);  // who reads it shall see how far a killed run has got
    testing::InitGoogleTest(&argc, argv);
    const std::size_t before = test::open_descriptors().size();
    testing::UnitTest::GetInstance()->listeners().Append(new test::leftover_check);
    testing::UnitTest::GetInstance()->listeners().Append(new test::deadline);
    const int result = RUN_ALL_TESTS();
    std::printf("handles: %zu before all tests, %zu after\n", before, test::open_descriptors().size());
    return result;
}
