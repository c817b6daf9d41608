// SPDX-License-Identifier: MIT
// What tests need that kill one process after the other in calls that block.
#ifndef PROCPOOL_TESTS_SUPPORT_KILLS_HPP
#define PROCPOOL_TESTS_SUPPORT_KILLS_HPP

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "procpool/event.hpp"
#include "procpool/semaphore.hpp"
#include "support/handles.hpp"
#include "support/rounds.hpp"

namespace test {

inline int kills() { return rounds(40); }

inline std::minstd_rand dice{std::random_device{}()};

/// Waits for up to half a millisecond; half of the waits are very short.
inline void wait_a_moment() {
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::microseconds(dice() % (dice() % 2 == 0 ? 30 : 500));
    while (std::chrono::steady_clock::now() < until) {
    }
}

/// Another process that takes part in each round: it does `call(values...)` and says so.
class partner {
public:
    template <class Call, class... Values>
    explicit partner(Call call, const Values&... values)
        : child_(passed(
              [call](const procpool::Semaphore& begin, const procpool::Semaphore& end,
                     const procpool::Event& stop, const Values&... mine) {
                  for (;;) {
                      begin.acquire();
                      if (stop.is_set()) return 0;
                      if (!call(mine...)) return 1;
                      end.release();
                  }
              },
              begin_, end_, stop_, values...)) {}
    ~partner() {
        stop_.set();
        begin_.release();
        EXPECT_EQ(child_.wait().exit_code, 0);
    }
    void begin() const { begin_.release(); }
    bool ends_soon() const { return end_.acquire(std::chrono::milliseconds(1)); }
    void expect_end() const { EXPECT_TRUE(end_.acquire(patience)); }

private:
    const procpool::Semaphore begin_{0}, end_{0};
    const procpool::Event stop_;
    child_program child_;
};

}  // namespace test

#endif
