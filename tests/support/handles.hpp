// SPDX-License-Identifier: MIT
// Objects in shared memory on their way to children of a test.
#ifndef PROCPOOL_TESTS_SUPPORT_HANDLES_HPP
#define PROCPOOL_TESTS_SUPPORT_HANDLES_HPP

#include <chrono>
#include <memory>
#include <tuple>
#include <utility>

#include "support/messages.hpp"
#include "support/processes.hpp"

namespace test {

/// Calls `body` in a child with what arrives there of `values`, as a task would get it.
template <class Body, class... Values>
auto passed(Body body, const Values&... values) {
    using arrived = std::tuple<Values...>;
    auto sent = std::make_shared<message>(encoded(arrived(values...)));
    return [body = std::move(body), sent]() mutable -> int {
        arrived here = decoded<arrived>(sent->bytes.bytes());
        return std::apply(body, here);
    };
}

/// What comes back to this process after a journey.
template <class T>
T returned(const T& value) {
    const message sent = encoded(value);
    return decoded<T>(sent.bytes.bytes());
}

/// Exit code of a child that runs `body` with `values`; -1 if it was killed.
template <class Body, class... Values>
int in_child(Body body, const Values&... values) {
    child_program child(passed(std::move(body), values...));
    const child_end end = child.wait();
    EXPECT_EQ(end.errors, "");
    return end.exit_code;
}

template <class Call>
auto time_of(Call call) {
    const auto begin = std::chrono::steady_clock::now();
    call();
    return std::chrono::steady_clock::now() - begin;
}

/// Waits until a child sleeps, in a call that blocks.
inline bool falls_asleep(const child_program& child) {
    return eventually([&] { return look_at(child.pid()).state == 'S'; });
}

}  // namespace test

#endif
