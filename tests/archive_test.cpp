// SPDX-License-Identifier: MIT
#include "procpool/detail/wire/archive.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cereal/types/list.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/memory.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace archive_test {

namespace wire = procpool::detail::wire;

struct point {
    double x = 0;
    double y = 0;
    std::int32_t mark = 0;
    bool operator==(const point&) const = default;
};

struct named {
    std::string name;
    std::vector<point> points;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(CEREAL_NVP(name), cereal::make_nvp("points", points));
    }
    bool operator==(const named&) const = default;
};

struct trivial_but_serialised {
    std::int64_t kept = 0;
    std::int64_t left_out = 0;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(kept);
    }
};

struct versioned {
    std::int32_t value = 0;
    std::uint32_t version_seen = 0;
    template <class Archive>
    void serialize(Archive& archive, const std::uint32_t version) {
        archive(value);
        version_seen = version;
    }
};

struct empty {};

static_assert(wire::plain_data<point>);
static_assert(wire::plain_data<empty>);
static_assert(!wire::plain_data<named>);
static_assert(!wire::plain_data<trivial_but_serialised>, "its own serialize function is preferred");
static_assert(!wire::plain_data<std::string>);
static_assert(!wire::plain_data<int>, "numbers are not classes");

template <class... T>
wire::buffer saved(const T&... values) {
    wire::buffer bytes;
    wire::pins pins;
    wire::output_archive archive({bytes, pins});
    archive(values...);
    return bytes;
}

template <class T>
T loaded(const wire::buffer& bytes) {
    wire::cursor from(bytes.bytes());
    wire::input_archive archive(from);
    T value{};
    archive(value);
    EXPECT_EQ(archive.left(), 0u);
    return value;
}

wire::buffer size_tag(std::uint64_t size, std::size_t bytes_after) {
    wire::buffer bytes;
    bytes.append_value(size);
    for (std::size_t i = 0; i < bytes_after; ++i) bytes.append_value(std::byte{0});
    return bytes;
}

// ---- the archives

TEST(Archive, numbers_take_just_their_bytes) {
    EXPECT_EQ(saved(true).size(), 1u);
    EXPECT_EQ(saved('x', std::int16_t{1}, 2, 3LL, 4.0f, 5.0).size(), 1u + 2 + 4 + 8 + 4 + 8);
    EXPECT_EQ(loaded<double>(saved(0.1)), 0.1);
    EXPECT_EQ(loaded<std::int64_t>(saved(std::int64_t{-5})), -5);
}

TEST(Archive, any_byte_of_a_bool_that_is_not_zero_means_true) {
    for (const int byte : {0, 1, 2, 255})
        EXPECT_EQ(loaded<bool>(saved(static_cast<unsigned char>(byte))), byte != 0);
}

TEST(Archive, names_of_values_add_no_bytes) {
    const named value{"ab", {{1, 2, 3}}};
    EXPECT_EQ(saved(value).size(), 8u + 2 + 8 + sizeof(point));
    EXPECT_EQ(loaded<named>(saved(value)), value);
}

TEST(Archive, plain_data_takes_just_its_bytes_inside_of_serialised_types_too) {
    const point value{1.5, -2.5, 7};
    EXPECT_EQ(saved(value).size(), sizeof(point));
    EXPECT_EQ(loaded<point>(saved(value)), value);
    const std::map<std::string, point> places{{"a", value}, {"b", {}}};
    EXPECT_EQ((loaded<std::map<std::string, point>>(saved(places))), places);
}

TEST(Archive, a_serialize_function_is_used_for_trivially_copyable_types_too) {
    const wire::buffer bytes = saved(trivial_but_serialised{4, 5});
    EXPECT_EQ(bytes.size(), 8u);
    const auto value = loaded<trivial_but_serialised>(bytes);
    EXPECT_EQ(value.kept, 4);
    EXPECT_EQ(value.left_out, 0);
}

TEST(Archive, empty_classes_round_trip_within_containers) {
    EXPECT_EQ(loaded<std::list<empty>>(saved(std::list<empty>(3))).size(), 3u);
}

TEST(Archive, vectors_of_numbers_are_saved_as_their_bytes) {
    std::vector<double> values(1000);
    std::iota(values.begin(), values.end(), 0.5);
    EXPECT_EQ(saved(values).size(), 8u + 8 * values.size());
    EXPECT_EQ(loaded<std::vector<double>>(saved(values)), values);
}

TEST(Archive, versions_of_classes_travel) {
    const auto value = loaded<versioned>(saved(versioned{42, 0}));
    EXPECT_EQ(value.value, 42);
    EXPECT_EQ(value.version_seen, 0u);
}

TEST(Archive, one_object_behind_two_shared_pointers_stays_one) {
    const auto object = std::make_shared<std::string>("shared");
    using two = std::vector<std::shared_ptr<std::string>>;
    const auto copies = loaded<two>(saved(two{object, object, nullptr}));
    ASSERT_EQ(copies.size(), 3u);
    EXPECT_EQ(*copies[0], "shared");
    EXPECT_EQ(copies[0], copies[1]);
    EXPECT_EQ(copies[2], nullptr);
}

TEST(Archive, keeps_alive_what_a_message_refers_to) {
    wire::buffer bytes;
    wire::pins pins;
    auto object = std::make_shared<int>(3);
    wire::output_archive({bytes, pins}).pin(object);
    EXPECT_EQ(object.use_count(), 2);
    pins.clear();
    EXPECT_EQ(object.use_count(), 1);
}

TEST(Archive, refuses_sizes_greater_than_the_bytes_that_are_left) {
    EXPECT_THROW(loaded<std::vector<char>>(size_tag(11, 10)), procpool::SerializationError);
    EXPECT_THROW(loaded<std::string>(size_tag(~std::uint64_t{0}, 10)), procpool::SerializationError);
    EXPECT_THROW(loaded<std::list<int>>(size_tag(std::uint64_t{1} << 31, 10)), procpool::SerializationError);
    EXPECT_EQ(loaded<std::string>(size_tag(10, 10)).size(), 10u);
}

TEST(Archive, says_what_a_message_claims) {
    try {
        loaded<std::vector<char>>(size_tag(11, 10));
        FAIL();
    } catch (const procpool::SerializationError& error) {
        EXPECT_STREQ(error.what(), "procpool: a message claims 11 elements in 10 bytes");
    }
}

// ---- the buffer and the cursor that they use

TEST(Buffer, keeps_its_bytes_while_it_grows) {
    wire::buffer bytes;
    for (std::uint32_t i = 0; i < 100'000; ++i) bytes.append_value(i);
    ASSERT_EQ(bytes.size(), 400'000u);
    wire::cursor from(bytes.bytes());
    for (std::uint32_t i = 0; i < 100'000; ++i) ASSERT_EQ(from.value<std::uint32_t>(), i);
    EXPECT_LT(bytes.capacity(), 800'000u);
}

TEST(Buffer, forgets_bytes_at_the_front_and_at_the_end) {
    wire::buffer bytes;
    bytes.append("abcdef", 6);
    bytes.drop_front(2);
    bytes.shrink_to(3);
    bytes.shrink_to(10);  // never grows it
    ASSERT_EQ(bytes.size(), 3u);
    EXPECT_EQ(std::memcmp(bytes.data(), "cde", 3), 0);
    bytes.drop_front(3);
    EXPECT_TRUE(bytes.empty());
    bytes.append(nullptr, 0);
    EXPECT_TRUE(bytes.empty());
}

TEST(Buffer, is_empty_and_usable_after_a_move) {
    wire::buffer bytes;
    bytes.append("abc", 3);
    wire::buffer other(std::move(bytes));
    EXPECT_EQ(other.size(), 3u);
    EXPECT_TRUE(bytes.empty());  // NOLINT(bugprone-use-after-move): that is the point
    bytes.append("x", 1);        // NOLINT(clang-analyzer-cplusplus.Move)
    EXPECT_EQ(bytes.size(), 1u);
    EXPECT_EQ(std::memcmp(other.data(), "abc", 3), 0);
}

TEST(Cursor, never_reads_past_the_end) {
    const std::array<std::byte, 7> bytes{};
    wire::cursor from(bytes);
    EXPECT_THROW(from.value<std::uint64_t>(), procpool::SerializationError);
    EXPECT_EQ(from.left(), 7u) << "a failed read takes nothing";
    from.value<std::uint32_t>();
    EXPECT_EQ(from.take(3).size(), 3u);
    EXPECT_EQ(from.take(0).size(), 0u);
    EXPECT_THROW(from.take(1), procpool::SerializationError);
    EXPECT_THROW(from.take(~std::size_t{0}), procpool::SerializationError);
}

TEST(Cursor, checks_a_size_against_the_bytes_that_are_left) {
    const wire::buffer bytes = size_tag(5, 4);
    wire::cursor from(bytes.bytes());
    EXPECT_THROW(from.sized(), procpool::SerializationError);
    const wire::buffer good = size_tag(4, 4);
    wire::cursor again(good.bytes());
    EXPECT_EQ(again.sized().size(), 4u);
}

}  // namespace archive_test
