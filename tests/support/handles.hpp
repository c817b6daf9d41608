// SPDX-License-Identifier: MIT
// Objects in shared memory on their way to children of a test.
#ifndef PROCPOOL_TESTS_SUPPORT_HANDLES_HPP
#define PROCPOOL_TESTS_SUPPORT_HANDLES_HPP

#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "procpool/detail/wire/codec.hpp"
#include "support/processes.hpp"

namespace test {

/// Calls `body` in a child with what arrives there of `values`, as a task would get it.
template <class Body, class... Values>
auto passed(Body body, const Values&... values) {
    namespace wire = procpool::detail::wire;
    using arrived = std::tuple<Values...>;
    struct message {
        wire::buffer bytes;
        wire::pins held;
    };
    auto sent = std::make_shared<message>();
    wire::codec<arrived>::encode({sent->bytes, sent->held}, arrived(values...));
    return [body = std::move(body), sent]() mutable -> int {
        wire::cursor from(sent->bytes.bytes());
        arrived here = wire::codec<arrived>::decode(from);
        return std::apply(body, here);
    };
}

/// What comes back to this process after a journey.
template <class T>
T returned(const T& value) {
    namespace wire = procpool::detail::wire;
    wire::buffer bytes;
    wire::pins held;
    wire::codec<T>::encode({bytes, held}, value);
    wire::cursor from(bytes.bytes());
    return wire::codec<T>::decode(from);
}

/// Exit code of a child that runs `body` with `values`; -1 if it was killed.
template <class Body, class... Values>
int in_child(Body body, const Values&... values) {
    child_program child(passed(std::move(body), values...));
    const child_end end = child.wait();
    EXPECT_EQ(end.errors, "");
    return end.exit_code;
}

/// Waits until a child sleeps, in a call that blocks.
inline bool falls_asleep(const child_program& child) {
    return eventually([&] { return look_at(child.pid()).state == 'S'; });
}

}  // namespace test

#endif
