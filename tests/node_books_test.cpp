// SPDX-License-Identifier: MIT
// The books on what a peer has got that answers in any order.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/runs_in_flight.hpp"
#include "support/nodes.hpp"

namespace node_books_test {

using namespace nodes_support;

class Books : public Nodes {
protected:
    void send(const std::shared_ptr<simulated_job>& job, std::uint64_t first, std::uint64_t count) {
        books.add_sent(job, std::make_shared<const scheduler::block>(block_of(first, count)));
    }
    /// First and count of each run.
    std::vector<std::pair<std::uint64_t, std::uint64_t>> parts() const {
        std::vector<std::pair<std::uint64_t, std::uint64_t>> all;
        for (const auto& one : books.runs()) all.emplace_back(one.elements.first, one.elements.count);
        return all;
    }
    void expect_counts() const {
        std::uint64_t elements = 0;
        std::size_t bytes = 0;
        for (const auto& one : books.runs()) {
            elements += one.elements.count;
            bytes += one.counted;
            EXPECT_EQ(numbers_in(scheduler::runs_in_flight::copy(one)),
                      numbers(one.elements.first, one.elements.count));
        }
        EXPECT_EQ(books.elements(), elements);
        EXPECT_EQ(books.bytes(), bytes);
        EXPECT_EQ(books.bytes(), 8 * elements);
        EXPECT_TRUE(books.all_sent());
    }
    scheduler::runs_in_flight books;
};

TEST_F(Books, take_results_at_the_begin_in_the_middle_and_at_the_end) {
    const auto job = make_job();
    send(job, 10, 10);
    EXPECT_EQ(books.got(*job, 10, 2), 2u);
    EXPECT_EQ(parts(), (ranges{{12, 8}}));
    expect_counts();
    EXPECT_EQ(books.got(*job, 15, 2), 2u);
    EXPECT_EQ(parts(), (ranges{{12, 3}, {17, 3}}));
    expect_counts();
    EXPECT_EQ(books.got(*job, 19, 1), 1u);
    EXPECT_EQ(parts(), (ranges{{12, 3}, {17, 2}}));
    expect_counts();
    EXPECT_EQ(books.results(), 5u);
    EXPECT_EQ(books.got(*job, 12, 3), 3u);
    EXPECT_EQ(books.got(*job, 17, 2), 2u);
    EXPECT_TRUE(books.runs().empty());
    expect_counts();
    EXPECT_EQ(books.results(), 10u);
}

TEST_F(Books, take_results_across_parts_and_runs_in_whatever_order_these_were_sent) {
    const auto job = make_job();
    send(job, 10, 10);
    send(job, 0, 10);  // given back elsewhere, and sent later
    books.remove(*job, 12, 2);
    EXPECT_FALSE(books.has(*job, 5, 10)) << "two are missing";
    EXPECT_TRUE(books.has(*job, 5, 7));
    EXPECT_TRUE(books.has(*job, 14, 6));
    EXPECT_FALSE(books.has(*job, 14, 7));
    EXPECT_EQ(books.got(*job, 5, 10), 8u);
    EXPECT_EQ(parts(), (ranges{{15, 5}, {0, 5}}));
    expect_counts();
}

TEST_F(Books, do_not_count_an_element_twice_nor_one_of_another_job_nor_one_that_was_removed) {
    const auto job = make_job();
    const auto other = make_job();
    send(job, 0, 4);
    send(other, 0, 4);
    EXPECT_EQ(books.got(*job, 1, 1), 1u);
    EXPECT_EQ(books.got(*job, 1, 1), 0u);
    EXPECT_EQ(books.remove(*job, 0, 1), 1u);
    EXPECT_EQ(books.got(*job, 0, 2), 0u);
    EXPECT_EQ(books.results(), 1u) << "what was removed has no result";
    EXPECT_EQ(books.got(*job, 4, 100), 0u);
    EXPECT_EQ(books.elements(), 6u);
    EXPECT_TRUE(books.has(*other, 0, 4));
    EXPECT_FALSE(books.has(*job, 1));
    EXPECT_TRUE(books.has(*job, 2));
    expect_counts();
}

TEST_F(Books, account_for_all_bytes_where_elements_differ_in_size) {
    const auto job = make_job();
    auto some = block_of(0, 3);
    some.bytes.extend(5);  // 29 bytes of 3 elements
    books.add_sent(job, std::make_shared<const scheduler::block>(std::move(some)));
    EXPECT_EQ(books.bytes(), 29u);
    books.remove(*job, 1, 1);
    EXPECT_LE(books.bytes(), 29u);
    EXPECT_GT(books.bytes(), 0u);
    books.got(*job, 0, 1);
    books.got(*job, 2, 1);
    EXPECT_EQ(books.bytes(), 0u);
    EXPECT_EQ(books.elements(), 0u);
}

TEST_F(Books, leave_the_parts_that_have_no_result) {
    const auto job = make_job();
    send(job, 0, 6);
    books.got(*job, 2, 2);
    const auto left = books.take_unfinished();
    ASSERT_EQ(left.size(), 2u);
    EXPECT_EQ(numbers_in(scheduler::runs_in_flight::copy(left[0])), numbers(0, 2));
    EXPECT_EQ(numbers_in(scheduler::runs_in_flight::copy(left[1])), numbers(4, 2));
    EXPECT_EQ(books.elements(), 0u);
    EXPECT_EQ(books.bytes(), 0u);
}

}  // namespace node_books_test
