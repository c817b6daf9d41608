// SPDX-License-Identifier: MIT
// Who is lost because nothing has come from it, and which definitions don't get through: by a clock of the
// test's own.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/mpi/definition_chain.hpp"
#include "procpool/detail/mpi/liveness.hpp"
#include "procpool/detail/mpi/protocol.hpp"
#include "procpool/error.hpp"

namespace node_liveness_test {

namespace mpi = procpool::detail::mpi;
using procpool::detail::steady_time;
using namespace std::chrono_literals;

constexpr steady_time begin{100h};

class Liveness : public testing::Test {
protected:
    static steady_time nothing_comes(int /*rank*/) { return {}; }
    /// Rank 0 at that time: @return who is silent.
    std::vector<int> silent_at(steady_time now) {
        listening.look(now);
        std::vector<int> ranks;
        listening.each_silent(now, limit, nothing_comes, [&](int rank, const mpi::silence& its) {
            ranks.push_back(rank);
            last = its;
        });
        return ranks;
    }
    std::chrono::nanoseconds limit = 2s;
    mpi::liveness listening;
    mpi::silence last;
};

TEST_F(Liveness, who_is_silent_for_the_limit_is_lost_and_no_earlier) {
    listening.hear(1, begin);
    listening.hear(2, begin + 1s);
    EXPECT_TRUE(silent_at(begin + 2s - 1ns).empty());
    EXPECT_EQ(silent_at(begin + 2s), std::vector{1});
    EXPECT_EQ(last.time, 2s);
    listening.hear(1, begin + 2s);
    EXPECT_EQ(silent_at(begin + 3s), std::vector{2});
    EXPECT_TRUE(listening.was_heard(1, begin + 3s, limit));
    EXPECT_FALSE(listening.was_heard(2, begin + 3s, limit));
    listening.forget(2);
    EXPECT_FALSE(listening.was_heard(2, begin + 1s, limit));
    EXPECT_TRUE(silent_at(begin + 3s).empty());
    EXPECT_EQ(listening.of(2, begin + 3s).time, 0s) << "it is forgotten";
}

TEST_F(Liveness, the_next_loss_is_due_when_who_was_heard_first_was_silent_for_the_limit) {
    EXPECT_EQ(listening.next(limit, nothing_comes), steady_time::max());
    listening.hear(1, begin + 500ms);
    listening.hear(2, begin);
    EXPECT_EQ(listening.next(limit, nothing_comes), begin + 2s);
    listening.hear(2, begin + 1s);
    EXPECT_EQ(listening.next(limit, nothing_comes), begin + 2500ms);
}

/// What rank 0 does: it sleeps until the next beat or loss, beats, and looks.
TEST_F(Liveness, a_loss_is_found_within_the_limit_and_another_beat) {
    for (const auto timeout : {2000ms, 2300ms, 3700ms, 30000ms}) {
        for (auto last_word = 0ms; last_word < 1000ms; last_word += 50ms) {
            mpi::liveness one;
            one.hear(1, begin + last_word);
            auto next_beat = begin + 1s;
            std::optional<mpi::silence> found;
            while (!found) {
                const auto now = std::min(next_beat, one.next(timeout, nothing_comes));
                one.look(now);
                if (now >= next_beat) {
                    one.count_beat();
                    next_beat = now + mpi::beat_interval;
                }
                one.each_silent(now, timeout, nothing_comes,
                                [&](int, const mpi::silence& its) { found = its; });
            }
            EXPECT_EQ(found->time, timeout);
            EXPECT_LE(found->beats, static_cast<std::uint64_t>(timeout / 1s + 1));
        }
    }
}

TEST_F(Liveness, a_message_that_is_still_coming_is_a_sign_of_life) {
    listening.hear(1, begin);
    const auto comes = [](int) { return begin + 1s; };
    EXPECT_EQ(listening.next(limit, comes), begin + 3s);
    bool any = false;
    listening.each_silent(begin + 2s, limit, comes, [&](int, const mpi::silence&) { any = true; });
    EXPECT_FALSE(any);
    listening.each_silent(begin + 3s, limit, comes, [&](int, const mpi::silence&) { any = true; });
    EXPECT_TRUE(any) << "it takes too long";
}

TEST_F(Liveness, who_was_stopped_itself_begins_to_count_anew) {
    listening.hear(1, begin);
    for (int second = 0; second < 2; ++second) EXPECT_TRUE(silent_at(begin + second * 1s).empty());
    EXPECT_TRUE(silent_at(begin + 10s).empty()) << "it has not listened for nine seconds";
    EXPECT_TRUE(silent_at(begin + 11s).empty());
    EXPECT_EQ(silent_at(begin + 12s), std::vector{1});
}

TEST_F(Liveness, beats_count_from_the_last_word) {
    listening.hear(1, begin);
    listening.count_beat();
    listening.hear(1, begin + 1s);
    listening.count_beat();
    listening.count_beat();
    EXPECT_EQ(listening.of(1, begin + 3s).beats, 2u);
    EXPECT_EQ(listening.of(1, begin + 3s).time, 2s);
}

// ---- definitions that come in parts

class PartialDefinition : public testing::Test {
protected:
    bool add(std::size_t part, steady_time now) {
        return definition.add(
            {.first = part * mpi::part_size, .count = bytes.size()},
            std::span<const std::byte>(bytes).subspan(part * mpi::part_size, mpi::part_size), now);
    }
    std::vector<std::byte> bytes = std::vector<std::byte>(4 * mpi::part_size);
    mpi::partial_definition definition;
};

TEST_F(PartialDefinition, is_asked_for_once_when_no_part_has_come_for_the_limit) {
    definition.add({.count = bytes.size()}, {}, begin);  // it is announced
    EXPECT_FALSE(definition.lacks_parts(begin + 2s - 1ns, 2s));
    EXPECT_FALSE(add(0, begin + 1s));
    EXPECT_FALSE(definition.lacks_parts(begin + 2s, 2s));
    EXPECT_FALSE(add(2, begin + 2s));
    EXPECT_FALSE(definition.lacks_parts(begin + 3s, 2s)) << "it comes slowly";
    EXPECT_TRUE(definition.lacks_parts(begin + 4s, 2s));
    EXPECT_FALSE(definition.lacks_parts(begin + 100s, 2s)) << "once";
}

TEST_F(PartialDefinition, is_complete_when_each_part_has_come_from_whomever) {
    EXPECT_FALSE(add(0, begin));
    EXPECT_FALSE(add(1, begin));
    for (std::size_t part = 0; part < 3; ++part) EXPECT_FALSE(add(part, begin)) << "sent again";
    EXPECT_TRUE(add(3, begin));
    EXPECT_FALSE(add(3, begin)) << "it was";
    EXPECT_EQ(definition.bytes().size(), bytes.size());
}

TEST_F(PartialDefinition, is_the_same_after_its_head_and_its_rest_were_cut_into_parts) {
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i / 1000);
    for (const std::size_t head :
         {std::size_t{0}, std::size_t{100}, mpi::part_size, 3 * mpi::part_size + 1}) {
        mpi::partial_definition parts;
        const std::span<const std::byte> all(bytes);
        bool is_complete = false;
        mpi::send_parts({}, {}, {all.first(head), all.subspan(head)}, [&](const auto& message) {
            mpi::each_frame(message.bytes(), [&](const auto& header, const auto& payload) {
                is_complete = parts.add(header, mpi::definition_part(payload).bytes, begin);
            });
        });
        EXPECT_TRUE(is_complete);
        EXPECT_TRUE(std::ranges::equal(parts.bytes(), bytes)) << head;
    }
}

TEST_F(PartialDefinition, refuses_parts_that_do_not_fit) {
    add(0, begin);
    EXPECT_THROW(definition.add({.first = 0, .count = 7}, std::span(bytes).first(7), begin),
                 procpool::SerializationError);
    EXPECT_THROW(
        definition.add({.first = mpi::part_size, .count = bytes.size()}, std::span(bytes).first(7), begin),
        procpool::SerializationError);
}

}  // namespace node_liveness_test
