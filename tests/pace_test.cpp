// SPDX-License-Identifier: MIT
// How long who waits for messages of other machines sleeps.
#include "procpool/detail/mpi/pace.hpp"

#include <chrono>

#include <gtest/gtest.h>

namespace pace_test {

using namespace std::chrono_literals;
using procpool::detail::steady_time;
using procpool::detail::mpi::pace;

constexpr steady_time start{std::chrono::hours(1)};

/// The nap of somebody to whom nothing has come for a long time.
std::chrono::nanoseconds nap_after_long(pace& who, steady_time now, bool busy, bool has_bell) {
    for (int i = 0; i < 1000; ++i) who.next(now, busy, has_bell);
    return who.next(now, busy, has_bell);
}

TEST(Pace, looks_again_at_once_after_a_message_and_sleeps_long_when_none_comes) {
    pace who(2);
    who.received(start);
    EXPECT_EQ(who.next(start, false, true), 0ns);
    EXPECT_EQ(nap_after_long(who, start, false, true), 100ms);
    who.restart();
    EXPECT_EQ(who.next(start, false, true), 0ns);
}

TEST(Pace, takes_short_naps_while_a_message_is_on_its_way_or_nobody_can_ring) {
    pace who(2);
    EXPECT_EQ(nap_after_long(who, start, true, true), 100us);
    EXPECT_EQ(nap_after_long(who, start, false, false), 1ms);
}

TEST(Pace, stays_awake_for_a_quick_call_but_not_for_long) {
    pace who(2);
    nap_after_long(who, start, false, true);
    who.stay_awake(start);
    EXPECT_TRUE(who.is_awake());
    EXPECT_EQ(nap_after_long(who, start + 100us, false, true), 0ns);
    EXPECT_EQ(who.next(start + 1ms, false, true), 100ms);
    EXPECT_FALSE(who.is_awake());
}

TEST(Pace, does_not_stay_awake_soon_after_it_was_in_vain) {
    pace who(2);
    const auto stays_awake = [&] {
        who.stay_awake(start);
        return who.is_awake();
    };
    ASSERT_TRUE(stays_awake());
    who.next(start + 1ms, false, true);  // in vain
    EXPECT_FALSE(stays_awake());
    EXPECT_FALSE(stays_awake());
    ASSERT_TRUE(stays_awake());
    who.next(start + 1ms, false, true);  // once more
    for (int i = 0; i < 4; ++i) EXPECT_FALSE(stays_awake());
    ASSERT_TRUE(stays_awake());
    who.received(start + 100us);
    EXPECT_FALSE(who.is_awake());
    EXPECT_TRUE(stays_awake()) << "the last time was not in vain";
}

TEST(Pace, does_not_stay_awake_where_others_have_taken_the_processor_meanwhile) {
    pace who(2);
    who.stay_awake(start);
    ASSERT_TRUE(who.is_awake());
    who.received(start + 4ms);
    who.stay_awake(start + 4ms);
    EXPECT_FALSE(who.is_awake());
}

TEST(Pace, does_not_stay_awake_on_the_only_processor) {
    pace who(1);
    who.stay_awake(start);
    EXPECT_FALSE(who.is_awake());
}

}  // namespace pace_test
