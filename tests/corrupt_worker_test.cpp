// SPDX-License-Identifier: MIT
// What a corrupt worker sends, or leaves in the memory that it shares, harms nobody but itself.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "support/worker_link.hpp"

namespace corrupt_worker_test {

using namespace test;  // NOLINT(google-build-using-namespace): what the frames are made with
using wire::result_header;

class CorruptWorker : public WorkerLink {
protected:
    CorruptWorker() { give(0, 3); }
    bool refused(const std::string& bytes) {
        send_up(bytes);
        try {
            collected();
            return false;
        } catch (const procpool::SerializationError&) {
            return true;
        }
    }
};

TEST_F(CorruptWorker, is_refused_for_bytes_that_are_no_frame) { EXPECT_TRUE(refused(std::string(100, 'x'))); }
TEST_F(CorruptWorker, is_refused_for_a_kind_of_frame_that_is_none) {
    EXPECT_TRUE(refused(frame({.what = static_cast<result_header::kind>(9)}, "x")));
}
TEST_F(CorruptWorker, is_refused_for_results_out_of_step) { EXPECT_TRUE(refused(values(1, 1, "x"))); }
TEST_F(CorruptWorker, is_refused_for_results_that_come_twice) {
    EXPECT_FALSE(refused(values(0, 1, "x")));
    EXPECT_TRUE(refused(values(0, 1, "x")));
}
TEST_F(CorruptWorker, is_refused_for_more_results_than_it_was_given_elements) {
    EXPECT_FALSE(refused(values(0, 1, "abc")));
    EXPECT_TRUE(refused(values(3, 1, "d")));
}
TEST_F(CorruptWorker, is_refused_for_more_results_in_one_frame_than_it_was_given_elements) {
    EXPECT_TRUE(refused(values(0, 1, "abcd")));
}
TEST_F(CorruptWorker, is_refused_for_more_sized_results_than_it_was_given_elements) {
    EXPECT_TRUE(refused(values(0, 0, sized("a") + sized("b") + sized("c") + sized("d"))));
}
TEST_F(CorruptWorker, is_refused_for_an_error_too_many) {
    EXPECT_FALSE(refused(values(0, 1, "abc")));
    EXPECT_TRUE(refused(error(3, "d")));
}
TEST_F(CorruptWorker, is_refused_for_a_frame_that_ends_inside_a_result) {
    EXPECT_TRUE(refused(values(0, 2, "abc")));
}
TEST_F(CorruptWorker, is_refused_for_a_stride_longer_than_the_frame) {
    EXPECT_TRUE(refused(values(0, ~std::uint64_t{0}, "abc")));
}
TEST_F(CorruptWorker, is_refused_for_a_result_that_claims_more_bytes_than_its_frame_has) {
    std::string lie = sized("abc");
    lie[0] = 127;
    EXPECT_TRUE(refused(values(0, 0, lie)));
    EXPECT_EQ(link.work().results(), 0u);
}
TEST_F(CorruptWorker, is_refused_for_an_error_record_that_claims_more_bytes_than_its_frame_has) {
    EXPECT_TRUE(refused(frame({.what = result_header::kind::error}, "xx")));
}

TEST_F(CorruptWorker, keeps_the_results_before_its_mistake) {
    send_up(values(0, 1, "ab") + values(7, 1, "c"));
    std::vector<backend::delivery> found;
    link.receive(1 << 20);
    EXPECT_THROW(link.collect(found), wire::protocol_error);
    EXPECT_EQ(summary(found), "1:0+2=ab;");
    EXPECT_EQ(link.work().results(), 2u);
    const auto unfinished = link.take_unfinished();
    ASSERT_EQ(unfinished.size(), 1u);
    EXPECT_EQ(unfinished[0].left(), 1u);
}

TEST_F(CorruptWorker, that_claims_a_huge_frame_gets_no_memory_and_no_result) {
    send_up(frame({.stride = 1, .length = std::uint64_t{1} << 62}, std::string(1000, 'x')));
    EXPECT_EQ(collected(), "");
    EXPECT_EQ(link.work().elements(), 3u);
}

TEST_F(CorruptWorker, that_sends_results_before_it_got_elements_is_refused) {
    worker_end = link.connect(memory.data());
    link.take_unfinished();
    send_up(values(0, 1, "x"));
    EXPECT_THROW(collected(), wire::protocol_error);
}

TEST_F(CorruptWorker, never_breaks_the_pool_whatever_it_sends) {
    std::mt19937 random(11);  // NOLINT(cert-msc51-cpp): the same bytes in each run
    for (int i = 0; i < 500; ++i) {
        worker_end = link.connect(memory.data());
        link.take_unfinished();
        give(0, 5);
        std::string stream = values(0, 2, "aabb") + error(2, "what") + values(3, 0, sized("x") + sized("yy"));
        for (auto changes = random() % 4; changes > 0; --changes)
            stream[random() % stream.size()] = static_cast<char>(random());
        refused(stream);
        EXPECT_LE(link.work().results(), 5u);
        // It may scribble over the memory that it shares, too.
        for (std::size_t at = 0; at < 10 * sizeof(std::uint64_t); at += sizeof(std::uint64_t)) {
            const std::uint64_t word =
                random() % 3 == 0 ? random() : random() % (worker::outbox_capacity + 10);
            std::memcpy(memory.data() + at, &word, sizeof word);
        }
        worker_end.reset();
        std::vector<backend::delivery> found;
        try {
            link.receive_remains();
            link.collect(found);
        } catch (const procpool::SerializationError&) {
        }
        link.take_timing();
        if (const auto interrupted = link.interrupted()) link.take_interrupted(*interrupted->of);
        std::uint64_t left = 0;
        for (const auto& one : link.take_unfinished()) left += one.left();
        EXPECT_LE(left, 5u);
    }
}

TEST_F(CorruptWorker, may_tell_any_times) {
    box().busy_ns = std::numeric_limits<std::int64_t>::max();
    EXPECT_GT(link.take_timing().first, 0.0);
    box().busy_ns = std::numeric_limits<std::int64_t>::min();
    EXPECT_LT(link.take_timing().first, 0.0);
}

TEST_F(CorruptWorker, with_an_outbox_that_cannot_be_leaves_nothing) {
    for (const auto& [base, committed, open] :
         {std::array<std::uint64_t, 3>{1, 50, ~std::uint64_t{0}},  // it forgot what was never received
          std::array<std::uint64_t, 3>{0, worker::outbox_capacity + 1, ~std::uint64_t{0}},
          std::array<std::uint64_t, 3>{50, 1, 0}, std::array<std::uint64_t, 3>{0, ~std::uint64_t{0}, 0}}) {
        worker_end = link.connect(memory.data());
        box().base = base;
        box().committed = committed;
        box().open_frame = open;
        worker_end.reset();
        link.receive_remains();
        std::vector<backend::delivery> found;
        link.collect(found);
        EXPECT_TRUE(found.empty()) << base << " " << committed;
    }
}

}  // namespace corrupt_worker_test
