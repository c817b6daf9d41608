// SPDX-License-Identifier: MIT
#include "procpool/detail/scheduler/window.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <exception>
#include <span>

namespace window_test {

namespace scheduler = procpool::detail::scheduler;

constexpr std::size_t workers = 2;
constexpr std::uint64_t plenty = 1'000'000;  // elements

class a_job final : public scheduler::remote_job {
public:
    a_job() : remote_job({}, false) {
        timing = &times;
        expected = plenty;
    }
    void accept(std::uint64_t, std::uint64_t, std::uint64_t, std::span<const std::byte>) override {}
    void fail(std::uint64_t, std::exception_ptr) override {}

    /// From now on an element of it is known to take so long.
    void takes_ns(double mean) { times.add(mean, 1); }

    scheduler::task_timing times;
};

class Window : public testing::Test {
protected:
    std::uint64_t given(std::uint64_t out = 0, std::size_t out_bytes = 0,
                        std::uint64_t may_take = plenty) const {
        return scheduler::elements_to_give(job, workers, out, out_bytes, may_take);
    }
    a_job job;
};

TEST_F(Window, a_worker_has_one_chunk_while_nothing_is_known) {
    job.chunk = 5;
    EXPECT_EQ(given(), 5u);
    EXPECT_EQ(given(5), 0u);
}

TEST_F(Window, a_worker_has_work_for_a_millisecond) {
    job.takes_ns(1000);
    EXPECT_EQ(given(), 1000u);
    EXPECT_EQ(given(400), 600u);
    EXPECT_EQ(given(1000), 0u);
}

TEST_F(Window, a_worker_has_work_for_16_milliseconds_where_it_keeps_results_longer) {
    job.bulk = true;
    job.takes_ns(10'000);
    EXPECT_EQ(given(), 1600u);
    EXPECT_EQ(given(1500), 100u);
}

TEST_F(Window, a_worker_has_two_chunks_however_long_they_take_up_to_20_ms) {
    job.chunk = 100;
    job.takes_ns(150e3);
    EXPECT_EQ(given(), 200u);
    EXPECT_EQ(given(100), 100u);
}

TEST_F(Window, a_worker_has_one_chunk_that_takes_longer) {
    job.chunk = 100;
    job.takes_ns(250e3);
    EXPECT_EQ(given(), 100u);
    EXPECT_EQ(given(100), 0u);
}

TEST_F(Window, pieces_are_whole_chunks) {
    job.chunk = 300;
    job.takes_ns(1000);
    EXPECT_EQ(given(), 900u);
    EXPECT_EQ(given(300), 600u);
}

TEST_F(Window, pieces_get_smaller_towards_the_end) {
    job.takes_ns(1000);
    job.expected = 400;
    EXPECT_EQ(given(), 100u) << "half of a worker's share";
    job.expected = 1;
    EXPECT_EQ(given(), 1u);
}

TEST_F(Window, elements_that_nobody_has_count_as_left_wherever_they_are) {
    job.takes_ns(1000);
    job.expected = 200;
    job.ready_elements = 200;
    EXPECT_EQ(given(), 100u);
}

TEST_F(Window, no_more_than_8192_elements_however_quick) {
    job.takes_ns(1);
    EXPECT_EQ(given(), 8192u);
    job.guided = true;
    EXPECT_EQ(given(), 32768u) << "in a few large pieces";
}

TEST_F(Window, who_has_many_bytes_gets_no_more) {
    job.takes_ns(1000);
    EXPECT_GT(given(1, 256 * 1024 - 1), 0u);
    EXPECT_EQ(given(1, 256 * 1024), 0u);
    EXPECT_GT(given(0, 256 * 1024), 0u) << "who has nothing is given something, however large";
}

TEST_F(Window, a_worker_that_may_take_few_more_gets_no_more_than_these) {
    job.takes_ns(1000);
    EXPECT_EQ(given(0, 0, 7), 7u);
}

TEST_F(Window, a_chunk_is_claimed_together) {
    job.chunk = 12;
    EXPECT_EQ(scheduler::elements_together(job), 12u);
    job.takes_ns(10);
    EXPECT_EQ(scheduler::elements_together(job), 12u) << "and no other, which it may wait for";
}

TEST_F(Window, without_a_chunksize_elements_are_claimed_one_by_one_until_their_time_is_known) {
    job.guided = true;
    EXPECT_EQ(scheduler::elements_together(job), 1u);
}

TEST_F(Window, without_a_chunksize_what_takes_20_us_is_claimed_together) {
    job.guided = true;
    job.takes_ns(1000);
    EXPECT_EQ(scheduler::elements_together(job), 20u);
}

TEST_F(Window, without_a_chunksize_slow_elements_are_claimed_one_by_one) {
    job.guided = true;
    job.takes_ns(50e3);
    EXPECT_EQ(scheduler::elements_together(job), 1u);
}

TEST_F(Window, without_a_chunksize_no_more_than_1024_elements_are_claimed_together) {
    job.guided = true;
    job.takes_ns(1);
    EXPECT_EQ(scheduler::elements_together(job), 1024u);
}

}  // namespace window_test
