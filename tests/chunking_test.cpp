// SPDX-License-Identifier: MIT
// How input is cut into chunks, and turned into blocks of encoded elements.
#include "procpool/detail/job/chunking.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <list>
#include <numeric>
#include <optional>
#include <ranges>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "procpool/detail/call/encode.hpp"
#include "support/views.hpp"

namespace chunking_test {

namespace call = procpool::detail::call;
namespace job = procpool::detail::job;
namespace scheduler = procpool::detail::scheduler;
namespace wire = procpool::detail::wire;

// ---- the chunk rule

TEST(Chunking, default_is_four_chunks_a_worker_rounded_up) {
    EXPECT_EQ(job::default_chunksize(16, 4), 1u);
    EXPECT_EQ(job::default_chunksize(17, 4), 2u);
    EXPECT_EQ(job::default_chunksize(32, 4), 2u);
    EXPECT_EQ(job::default_chunksize(100, 2), 13u);
    EXPECT_EQ(job::default_chunksize(1'000'000, 1), 250'000u);
}

TEST(Chunking, default_is_at_least_one_element) {
    EXPECT_EQ(job::default_chunksize(0, 4), 1u);
    EXPECT_EQ(job::default_chunksize(1, 64), 1u);
}

TEST(Chunking, default_follows_pythons_divmod_for_all_small_inputs) {
    for (std::uint64_t workers = 1; workers <= 9; ++workers)
        for (std::uint64_t n = 1; n <= 200; ++n) {
            const std::uint64_t python = n / (4 * workers) + (n % (4 * workers) == 0 ? 0 : 1);
            ASSERT_EQ(job::default_chunksize(n, workers), python) << n << " elements, " << workers;
        }
}

TEST(Chunking, default_does_not_overflow) {
    const auto most = std::numeric_limits<std::uint64_t>::max();
    EXPECT_EQ(job::default_chunksize(most, 1), most / 4 + 1);
}

TEST(Chunking, pieces_are_half_of_a_workers_share_of_what_is_left) {
    EXPECT_EQ(job::guided_chunksize(100, 2), 25u);
    EXPECT_EQ(job::guided_chunksize(75, 2), 18u);
    EXPECT_EQ(job::guided_chunksize(1'000'000, 1), 500'000u);
}

TEST(Chunking, pieces_are_one_element_at_the_end) {
    for (const std::uint64_t left : {0u, 1u, 3u, 7u}) EXPECT_EQ(job::guided_chunksize(left, 4), 1u) << left;
}

TEST(Chunking, pieces_never_grow) {
    for (std::size_t workers = 1; workers <= 9; ++workers) {
        std::uint64_t before = std::numeric_limits<std::uint64_t>::max();
        for (std::uint64_t left = 1000; left > 0;) {
            const std::uint64_t piece = job::guided_chunksize(left, workers);
            ASSERT_LE(piece, std::min(before, left));
            before = piece;
            left -= piece;
        }
    }
}

TEST(Chunking, a_size_that_is_given_is_taken) {
    EXPECT_EQ(job::checked_size(std::nullopt, "chunksize"), std::nullopt);
    EXPECT_EQ(job::checked_size(1, "chunksize"), 1u);
    EXPECT_EQ(job::checked_size(std::numeric_limits<std::ptrdiff_t>::max(), "chunksize"),
              static_cast<std::uint64_t>(std::numeric_limits<std::ptrdiff_t>::max()));
}

TEST(Chunking, a_size_below_one_is_refused_by_name_and_value) {
    for (const std::ptrdiff_t bad :
         {std::ptrdiff_t{0}, std::ptrdiff_t{-1}, std::numeric_limits<std::ptrdiff_t>::min()}) {
        try {
            job::checked_size(bad, "buffersize");
            FAIL() << bad;
        } catch (const std::invalid_argument& error) {
            const std::string text = error.what();
            EXPECT_NE(text.find("buffersize"), std::string::npos) << text;
            EXPECT_NE(text.find(std::to_string(bad)), std::string::npos) << text;
        }
    }
}

// ---- one element

template <class T>
T decode(std::span<const std::byte> bytes) {
    wire::cursor from(bytes);
    T value = wire::codec<T>::decode(from);
    EXPECT_EQ(from.left(), 0u);
    return value;
}

/// All elements of a block, in order.
template <class T>
std::vector<T> decode_all(const scheduler::block& elements) {
    std::vector<T> values;
    wire::element_reader reader(elements.payload(), elements.stride);
    for (std::uint64_t i = 0; i < elements.count; ++i) values.push_back(decode<T>(reader.next()));
    EXPECT_TRUE(reader.done());
    return values;
}

/// Throws when it is serialised, if `bad`.
struct Fussy {
    std::string text;
    bool bad = false;
    template <class Archive>
    void save(Archive& archive) const {
        archive(text);
        if (bad) throw std::domain_error("too fussy for " + text);
    }
    template <class Archive>
    void load(Archive& archive) {
        archive(text);
    }
};

TEST(Encode, elements_of_one_size_have_a_stride_and_others_none) {
    EXPECT_EQ(call::encoded_size<int>, sizeof(int));
    EXPECT_EQ((call::encoded_size<std::tuple<int, double>>), sizeof(int) + sizeof(double));
    EXPECT_EQ((call::encoded_size<std::pair<char, char>>), 2u);
    EXPECT_EQ(call::encoded_size<std::string>, wire::variable_stride);
    EXPECT_EQ((call::encoded_size<std::tuple<int, std::string>>), wire::variable_stride);
}

TEST(Encode, an_element_that_fails_leaves_the_block_as_it_was) {
    scheduler::block elements;
    call::append_element(elements, Fussy{"first"});
    const std::size_t before = elements.bytes.size();
    try {
        call::append_element(elements, Fussy{"second", true});
        FAIL();
    } catch (const procpool::SerializationError& error) {
        const std::string text = error.what();
        EXPECT_NE(text.find("Fussy"), std::string::npos) << text;
        EXPECT_NE(text.find("too fussy for second"), std::string::npos) << text;
    }
    EXPECT_EQ(elements.bytes.size(), before);
    EXPECT_EQ(elements.count, 1u);
    call::append_element(elements, Fussy{"third"});
    const auto all = decode_all<Fussy>(elements);
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[1].text, "third");
}

TEST(Encode, take_front_splits_between_elements) {
    scheduler::block elements;
    elements.first = 10;
    for (const char* const word : {"a", "", "long enough to need the heap", "d"})
        call::append_element(elements, std::string(word));
    const scheduler::block front = elements.take_front(3);
    EXPECT_EQ(decode_all<std::string>(front),
              (std::vector<std::string>{"a", "", "long enough to need the heap"}));
    EXPECT_EQ(front.first, 10u);
    EXPECT_EQ(elements.first, 13u);
    EXPECT_EQ(decode_all<std::string>(elements), std::vector<std::string>{"d"});
}

TEST(Encode, blocks_that_follow_each_other_can_be_joined) {
    scheduler::block joined;
    for (int block = 0; block < 3; ++block) {
        scheduler::block next;
        next.first = 2 * static_cast<std::uint64_t>(block);
        for (const char letter : {'a', 'b'})
            call::append_element(next, std::string(1, letter) + std::to_string(block));
        joined.append(std::move(next));
        if (block == 1) {
            EXPECT_EQ(decode_all<std::string>(joined.take_front(3)),
                      (std::vector<std::string>{"a0", "b0", "a1"}));
        }
    }
    EXPECT_EQ(joined.first, 3u);
    EXPECT_EQ(decode_all<std::string>(joined), (std::vector<std::string>{"b1", "a2", "b2"}));
}

// ---- a range of them

template <class Range>
auto make_encoder(Range& range) {
    return call::range_encoder(std::ranges::begin(range), std::ranges::end(range), nullptr);
}

/// Encodes a whole range and decodes it; each block but the last must consist of whole chunks.
template <class T, class Range>
std::vector<T> round_trip(Range&& range, std::uint64_t chunk) {
    auto encoder = make_encoder(range);
    std::vector<T> all;
    bool last_was_short = false;
    while (!encoder.at_end()) {
        const scheduler::block next = encoder.next(chunk);
        EXPECT_FALSE(encoder.take_error());
        if (next.count == 0) continue;
        EXPECT_FALSE(last_was_short) << "a block that is no whole number of chunks is not the last";
        last_was_short = next.count % chunk != 0;
        EXPECT_EQ(next.first, all.size());
        const std::vector<T> values = decode_all<T>(next);
        all.insert(all.end(), values.begin(), values.end());
    }
    EXPECT_EQ(encoder.encoded(), all.size());
    return all;
}

TEST(RangeEncoder, blocks_are_whole_chunks_whatever_the_range) {
    std::vector<int> numbers(10'000);
    std::iota(numbers.begin(), numbers.end(), -5000);
    for (const std::uint64_t chunk : {1u, 7u, 2048u, 2049u, 9999u, 10'000u, 20'000u}) {
        EXPECT_EQ(round_trip<int>(numbers, chunk), numbers) << chunk;
        EXPECT_EQ(round_trip<int>(std::list<int>(numbers.begin(), numbers.end()), chunk), numbers) << chunk;
    }
}

TEST(RangeEncoder, long_elements_make_small_blocks) {
    const std::vector<std::string> input(10, std::string(100'000, 'x'));
    auto encoder = make_encoder(input);
    EXPECT_EQ(encoder.next(1).count, 1u);
    EXPECT_EQ(encoder.next(3).count, 3u);
    EXPECT_EQ(round_trip<std::string>(input, 4), input);
}

TEST(RangeEncoder, takes_no_more_than_asked_for) {
    const std::vector<int> numbers{1, 2, 3, 4, 5};
    const std::list<int> nodes{1, 2, 3, 4, 5};
    auto from_vector = make_encoder(numbers);
    auto from_list = make_encoder(nodes);
    EXPECT_EQ(decode_all<int>(from_vector.next(1, 2)), (std::vector{1, 2}));
    EXPECT_EQ(decode_all<int>(from_list.next(1, 2)), (std::vector{1, 2}));
    EXPECT_EQ(decode_all<int>(from_list.next(4, 4)), (std::vector{3, 4, 5}));
    EXPECT_TRUE(from_list.at_end());
}

TEST(RangeEncoder, reads_an_input_range_once) {
    std::istringstream text("3 1 4 1 5");
    EXPECT_EQ(round_trip<int>(test::views::istream<int>(text), 2), (std::vector{3, 1, 4, 1, 5}));
}

TEST(RangeEncoder, does_not_pull_an_input_range_beyond_what_was_asked_for) {
    std::istringstream text("3 1 4 1 5");
    auto input = test::views::istream<int>(text);
    auto encoder = make_encoder(input);
    EXPECT_EQ(encoder.next(1, 2).count, 2u);
    int next = 0;
    text >> next;
    EXPECT_EQ(next, 4) << "the third number was read though only two were wanted";
}

TEST(RangeEncoder, an_element_that_fails_ends_its_block_and_counts) {
    const std::vector<Fussy> input{{"a"}, {"b"}, {"c", true}, {"d"}};
    auto encoder = make_encoder(input);
    EXPECT_EQ(encoder.next(4).count, 2u);
    EXPECT_FALSE(encoder.at_end());
    EXPECT_THROW(std::rethrow_exception(encoder.take_error()), procpool::SerializationError);
    EXPECT_EQ(encoder.encoded(), 3u);
    const auto rest = encoder.next(4);
    EXPECT_EQ(rest.first, 3u);
    EXPECT_EQ(decode_all<Fussy>(rest).at(0).text, "d");
    EXPECT_FALSE(encoder.take_error());
    EXPECT_TRUE(encoder.at_end());
}

TEST(RangeEncoder, an_element_that_fails_may_be_the_last) {
    const std::vector<Fussy> input{{"a", true}};
    auto encoder = make_encoder(input);
    EXPECT_EQ(encoder.next(1).count, 0u);
    EXPECT_FALSE(encoder.at_end());
    EXPECT_TRUE(encoder.take_error());
    EXPECT_TRUE(encoder.at_end());
}

TEST(RangeEncoder, what_the_range_throws_comes_after_the_elements_before) {
    auto input = test::views::iota(0, 10) | test::views::transform([](int i) {
                     if (i == 3) throw std::range_error("no third");
                     return i;
                 });
    auto encoder = make_encoder(input);
    EXPECT_EQ(decode_all<int>(encoder.next(10)), (std::vector{0, 1, 2}));
    EXPECT_FALSE(encoder.at_end());
    EXPECT_THROW(encoder.next(10), std::range_error);
}

TEST(RangeEncoder, what_an_increment_throws_costs_no_element) {
    std::istringstream text("1 2 x");
    text.exceptions(std::ios::failbit);
    auto input = test::views::istream<int>(text);
    auto encoder = make_encoder(input);
    EXPECT_EQ(decode_all<int>(encoder.next(1, 1)), std::vector{1});
    EXPECT_EQ(decode_all<int>(encoder.next(1, 1)), std::vector{2});
    EXPECT_THROW(encoder.next(1, 1), std::ios::failure);
}

TEST(RangeEncoder, views_and_tuples_of_references_travel_as_values) {
    std::vector<int> numbers{1, 2};
    std::vector<std::string> words{"one", "two"};
    auto pairs = test::views::iota(0, 2) | test::views::transform([&](int i) {
                     return std::tuple<int&, const std::string&>(numbers[static_cast<std::size_t>(i)],
                                                                 words[static_cast<std::size_t>(i)]);
                 });
    using pair = std::tuple<int, std::string>;
    EXPECT_EQ(round_trip<pair>(pairs, 1), (std::vector<pair>{{1, "one"}, {2, "two"}}));
    EXPECT_EQ(round_trip<std::string>(std::vector<std::string_view>{"a", "b"}, 1),
              (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(round_trip<bool>(std::vector<bool>{true, false, true}, 2), (std::vector{true, false, true}));
}

}  // namespace chunking_test
