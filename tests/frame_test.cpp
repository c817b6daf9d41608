// SPDX-License-Identifier: MIT
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/wire/frame_reader.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace frame_test {

namespace wire = procpool::detail::wire;
using wire::result_header;

static_assert(sizeof(wire::task_header) == 64 && sizeof(result_header) == 32, "the headers have no padding");

void put(std::vector<std::byte>& stream, const result_header& header, const std::string& payload) {
    wire::buffer bytes;
    bytes.append_value(header);
    bytes.append(payload.data(), payload.size());
    stream.insert(stream.end(), bytes.data(), bytes.data() + bytes.size());
}

std::vector<std::byte> frame(const std::string& payload, result_header header = {}) {
    header.length = payload.size();
    std::vector<std::byte> stream;
    put(stream, header, payload);
    return stream;
}

void feed(wire::frame_reader& reader, const std::byte* from, std::size_t size) {
    std::byte* const at = reader.room(size);
    if (size > 0) std::memcpy(at, from, size);
    reader.filled(size);
}
void feed(wire::frame_reader& reader, const std::vector<std::byte>& bytes) {
    feed(reader, bytes.data(), bytes.size());
}

std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

// ---- frame_reader

TEST(FrameReader, cuts_a_stream_into_frames) {
    wire::frame_reader reader;
    std::vector<std::byte> stream = frame("first", {.sequence = 3, .stride = 5});
    for (const auto& more : {frame(""), frame("third", {.what = result_header::kind::error, .pinned = 1})})
        stream.insert(stream.end(), more.begin(), more.end());
    feed(reader, stream);

    const auto first = reader.next();
    ASSERT_TRUE(first);
    EXPECT_EQ(text_of(first->payload), "first");
    EXPECT_EQ(first->header.sequence, 3u);
    EXPECT_EQ(first->header.stride, 5u);
    EXPECT_TRUE(first->header.what == result_header::kind::values);
    const auto second = reader.next();
    ASSERT_TRUE(second);
    EXPECT_TRUE(second->payload.empty());
    const auto third = reader.next();
    ASSERT_TRUE(third);
    EXPECT_EQ(text_of(third->payload), "third");
    EXPECT_TRUE(third->header.what == result_header::kind::error);
    EXPECT_EQ(third->header.pinned, 1);
    EXPECT_EQ(text_of(first->payload), "first") << "payloads stay valid until more is read";
    EXPECT_FALSE(reader.next());
    EXPECT_EQ(reader.unfinished().size(), 0u);
}

TEST(FrameReader, finds_the_same_frames_wherever_the_stream_is_cut) {
    std::vector<std::byte> stream = frame("abc");
    const auto more = frame("defgh");
    stream.insert(stream.end(), more.begin(), more.end());
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
        wire::frame_reader reader;
        std::string found;
        const auto take = [&] {
            while (const auto next = reader.next()) found += text_of(next->payload) + ";";
        };
        feed(reader, stream.data(), cut);
        take();
        EXPECT_EQ(found, cut < 35 ? "" : cut < 72 ? "abc;" : "abc;defgh;") << cut;
        feed(reader, stream.data() + cut, stream.size() - cut);
        take();
        EXPECT_EQ(found, "abc;defgh;") << cut;
    }
}

TEST(FrameReader, finds_frames_that_arrive_byte_by_byte) {
    wire::frame_reader reader;
    const auto stream = frame("payload");
    for (std::size_t i = 0; i < stream.size(); ++i) {
        EXPECT_FALSE(reader.next());
        EXPECT_EQ(reader.unfinished().size(), i);
        feed(reader, &stream[i], 1);
    }
    ASSERT_TRUE(reader.next());
    EXPECT_EQ(reader.unfinished().size(), 0u);
}

TEST(FrameReader, room_that_was_not_filled_is_no_data) {
    wire::frame_reader reader;
    const auto stream = frame("x");
    std::memcpy(reader.room(1000), stream.data(), stream.size());
    reader.filled(10);
    EXPECT_FALSE(reader.next());
    feed(reader, stream.data() + 10, stream.size() - 10);
    ASSERT_TRUE(reader.next());
}

TEST(FrameReader, refuses_a_wrong_magic_number_or_kind_as_soon_as_the_header_is_there) {
    for (const auto& bad :
         {result_header{.magic = 0}, result_header{.magic = wire::task_header::magic_number},
          result_header{.what = static_cast<result_header::kind>(2)},
          result_header{.what = static_cast<result_header::kind>(0xFFFF)}}) {
        wire::frame_reader reader;
        const auto stream = frame("payload", bad);
        feed(reader, stream.data(), sizeof(result_header) - 1);
        EXPECT_FALSE(reader.next());
        feed(reader, stream.data() + sizeof(result_header) - 1, 1);
        EXPECT_THROW(reader.next(), wire::protocol_error);
    }
}

TEST(FrameReader, finds_the_next_frame_of_a_number_behind_what_is_none) {
    wire::frame_reader reader;
    std::vector<std::byte> stream;
    put(stream, {.sequence = 3, .length = 1000}, "PKR1 and no more");
    put(stream, {.sequence = 4, .length = 1}, "a");
    put(stream, {.sequence = 3, .length = 1}, "b");
    feed(reader, stream);
    EXPECT_FALSE(reader.next());
    EXPECT_TRUE(reader.skip_to(3));
    EXPECT_EQ(text_of(reader.next()->payload), "b");
    EXPECT_FALSE(reader.skip_to(3));
    EXPECT_FALSE(reader.next());
}

TEST(FrameReader, what_was_taken_for_a_frame_may_hold_one) {
    wire::frame_reader reader;
    std::vector<std::byte> stream;
    put(stream, {.sequence = 9, .length = sizeof(result_header) + 1}, "");
    put(stream, {.sequence = 3, .length = 1}, "a");
    feed(reader, stream);
    EXPECT_TRUE(reader.next());
    reader.reject();
    EXPECT_TRUE(reader.skip_to(3));
    EXPECT_EQ(text_of(reader.next()->payload), "a");
    EXPECT_TRUE(reader.unfinished().empty());
}

TEST(FrameReader, a_huge_length_claims_no_memory) {
    for (const std::uint64_t length : {std::uint64_t{1} << 40, ~std::uint64_t{0} - 31, ~std::uint64_t{0}}) {
        wire::frame_reader reader;
        std::vector<std::byte> stream;
        put(stream, {.length = length}, "some bytes");
        feed(reader, stream);
        EXPECT_FALSE(reader.next()) << length;
        EXPECT_EQ(reader.unfinished().size(), stream.size());
    }
}

TEST(FrameReader, random_bytes_are_an_error_or_unfinished_and_never_a_crash) {
    std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same bytes in each run
    for (int i = 0; i < 1000; ++i) {
        wire::frame_reader reader;
        std::vector<std::byte> stream = frame("abc");
        for (auto changes = random() % 5; changes > 0; --changes)
            stream[random() % stream.size()] = static_cast<std::byte>(random());
        feed(reader, stream);
        try {
            while (const auto next = reader.next()) EXPECT_LE(next->payload.size(), stream.size());
        } catch (const wire::protocol_error&) {
        }
    }
}

// ---- element_reader

std::string sized(const std::string& text) {
    const std::uint64_t size = text.size();
    return std::string(reinterpret_cast<const char*>(&size), sizeof size) + text;
}

TEST(ElementReader, walks_elements_of_one_size) {
    const std::string bytes = "aabbcc";
    wire::element_reader reader(bytes_of(bytes), 2);
    EXPECT_EQ(text_of(reader.next()), "aa");
    std::uint64_t count = 0;
    EXPECT_EQ(text_of(reader.next_run(10, count)), "bbcc");
    EXPECT_EQ(count, 2u);
    EXPECT_TRUE(reader.done());
    EXPECT_THROW(reader.next(), procpool::SerializationError);
}

TEST(ElementReader, walks_elements_that_begin_with_their_size) {
    const std::string bytes = sized("a") + sized("") + sized("ccc") + sized("d");
    wire::element_reader reader(bytes_of(bytes), wire::variable_stride);
    EXPECT_EQ(text_of(reader.next()), "a");
    std::uint64_t count = 0;
    EXPECT_EQ(text_of(reader.next_run(2, count)), sized("") + sized("ccc"));
    EXPECT_EQ(count, 2u);
    EXPECT_EQ(text_of(reader.rest()), sized("d"));
    EXPECT_TRUE(reader.done());
}

TEST(ElementReader, a_run_is_never_longer_than_asked_for) {
    const std::string bytes = "aabbcc";
    for (std::uint64_t most = 0; most < 4; ++most) {
        wire::element_reader reader(bytes_of(bytes), 2);
        std::uint64_t count = 99;
        EXPECT_EQ(reader.next_run(most, count).size(), 2 * most);
        EXPECT_EQ(count, most);
    }
}

TEST(ElementReader, refuses_elements_that_reach_past_the_end) {
    std::uint64_t count = 0;
    const std::string odd = "aab";
    wire::element_reader fixed(bytes_of(odd), 2);
    fixed.next();
    EXPECT_THROW(fixed.next(), procpool::SerializationError);

    for (const std::uint64_t lie : {std::uint64_t{2}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
        const std::string bytes(reinterpret_cast<const char*>(&lie), sizeof lie);
        const std::string alone = bytes + "x";
        wire::element_reader one(bytes_of(alone), wire::variable_stride);
        EXPECT_THROW(one.next(), procpool::SerializationError) << lie;
        const std::string after_a_good_one = sized("a") + alone;
        wire::element_reader run(bytes_of(after_a_good_one), wire::variable_stride);
        EXPECT_THROW(run.next_run(5, count), procpool::SerializationError) << lie;
    }
    const std::string cut = sized("abc").substr(0, 5);
    wire::element_reader reader(bytes_of(cut), wire::variable_stride);
    EXPECT_THROW(reader.next(), procpool::SerializationError);
}

}  // namespace frame_test
