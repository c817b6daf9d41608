// SPDX-License-Identifier: MIT
// Objects in shared memory on their way to children of a test.
#ifndef PROCPOOL_TESTS_SUPPORT_HANDLES_HPP
#define PROCPOOL_TESTS_SUPPORT_HANDLES_HPP

#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/messages.hpp"
#include "support/processes.hpp"

namespace test {

/// Calls `body` in a child with what arrives there of `values`, as a task would get it.
template <class Body, class... Values>
class passed_call {
    using arrived = std::tuple<Values...>;

public:
    passed_call(Body body, const Values&... values)
        : body_(std::move(body)), sent_(std::make_shared<message>(encoded(arrived(values...)))) {}

    int operator()() { return call_with(body_, sent_->bytes.bytes()); }

    // For a child that isn't a copy of this process: the body's own bytes, and then the message.
    std::vector<std::byte> bytes() const {
        static_assert(std::is_trivially_copyable_v<Body>);
        const auto own = std::as_bytes(std::span(&body_, 1));
        const auto sent = sent_->bytes.bytes();
        std::vector<std::byte> all(own.begin(), own.end());
        all.insert(all.end(), sent.begin(), sent.end());
        return all;
    }
    static int call(std::span<const std::byte> bytes) {
        alignas(Body) std::byte copy[sizeof(Body)];
        std::memcpy(copy, bytes.data(), sizeof copy);
        return call_with(*std::launder(reinterpret_cast<Body*>(copy)), bytes.subspan(sizeof copy));
    }

private:
    static int call_with(Body& body, std::span<const std::byte> sent) {
        arrived here = decoded<arrived>(sent);
        return std::apply(body, here);
    }

    Body body_;
    std::shared_ptr<message> sent_;
};
template <class Body, class... Values>
auto passed(Body body, const Values&... values) {
    return passed_call<Body, Values...>(std::move(body), values...);
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
