// SPDX-License-Identifier: MIT
#include "support/wait.hpp"

#include <unistd.h>

namespace test {

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds most) {
    const auto deadline = std::chrono::steady_clock::now() + most;
    for (;;) {
        if (condition()) return true;
        if (std::chrono::steady_clock::now() >= deadline) return false;
        ::usleep(200);
    }
}

}  // namespace test
