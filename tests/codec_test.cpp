// SPDX-License-Identifier: MIT
#include "procpool/detail/wire/codec.hpp"

#include <gtest/gtest.h>
#include <cereal/types/memory.hpp>

#include <array>
#include <cereal/types/array.hpp>
#include <cereal/types/list.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/polymorphic.hpp>
#include <cereal/types/set.hpp>
#include <cereal/types/variant.hpp>
#include <chrono>
#include <complex>
#include <cstdint>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace codec_test {

namespace wire = procpool::detail::wire;
using wire::wire_type_t;

template <class T>
wire::buffer encoded(const T& value) {
    wire::buffer bytes;
    wire::pins pins;
    wire::encode({bytes, pins}, value);
    return bytes;
}

template <class T>
T decoded(std::span<const std::byte> bytes) {
    // On the heap, in a block of just this size, where a sanitizer sees a read past the end.
    const std::vector<std::byte> exact(bytes.begin(), bytes.end());
    wire::cursor from(exact);
    T value = wire::codec<T>::decode(from);
    EXPECT_EQ(from.left(), 0u) << "bytes were left over";
    return value;
}

template <class T>
wire_type_t<T> round_trip(const T& value) {
    return decoded<wire_type_t<T>>(encoded(value).bytes());
}

/// What comes back is equal, and `size` bytes were under way.
template <class T>
void expect_round_trip(const T& value, std::size_t size) {
    EXPECT_EQ(encoded(value).size(), size);
    EXPECT_TRUE(round_trip(value) == value);
    // No prefix of a message is a message.
    const wire::buffer bytes = encoded(value);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
        EXPECT_THROW(decoded<wire_type_t<T>>(bytes.bytes().first(cut)), procpool::SerializationError)
            << cut << " of " << bytes.size() << " bytes";
}

enum color { red, green = 7 };
enum class level : std::uint8_t { low = 1, high = 255 };

struct plain {
    std::int32_t id = 0;
    double weights[3] = {};
    bool flag = false;
    bool operator==(const plain&) const = default;
};

struct with_serialize {
    std::string name;
    std::map<int, std::vector<std::string>> rows;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(name, rows);
    }
    bool operator==(const with_serialize&) const = default;
};

class with_save_and_load {
public:
    with_save_and_load() = default;
    explicit with_save_and_load(int value) : text_(std::to_string(value)) {}
    template <class Archive>
    void save(Archive& archive) const {
        archive(std::stoi(text_));
    }
    template <class Archive>
    void load(Archive& archive) {
        int value = 0;
        archive(value);
        text_ = std::to_string(value);
    }
    bool operator==(const with_save_and_load&) const = default;

private:
    std::string text_ = "0";
};

class private_serialize {
public:
    private_serialize() = default;
    explicit private_serialize(std::string text) : text_(std::move(text)) {}
    bool operator==(const private_serialize&) const = default;

private:
    friend cereal::access;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(text_);
    }
    std::string text_;
};

class without_default_constructor {
public:
    explicit without_default_constructor(int value) : value_(value) {}
    template <class Archive>
    void serialize(Archive& archive) {
        archive(value_);
    }
    template <class Archive>
    static void load_and_construct(Archive& archive,
                                   cereal::construct<without_default_constructor>& construct) {
        int value = 0;
        archive(value);
        construct(value);
    }
    bool operator==(const without_default_constructor&) const = default;

private:
    int value_;
};

class private_constructor {
public:
    static private_constructor of(int value) {
        private_constructor made;
        made.value_ = value;
        return made;
    }
    int value() const { return value_; }

private:
    friend cereal::access;
    private_constructor() = default;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(value_);
    }
    int value_ = 0;
    std::string not_plain_;
};

struct plain_without_default_constructor {
    explicit plain_without_default_constructor(int x) : value(x) {}
    int value;
    bool operator==(const plain_without_default_constructor&) const = default;
};

struct move_only {
    std::unique_ptr<int> value;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(value);
    }
};

struct nothing_to_say {
    template <class Archive>
    void serialize(Archive&) {}
    bool operator==(const nothing_to_say&) const = default;
};

struct shape {
    virtual ~shape() = default;
    virtual double area() const = 0;
};
struct square : shape {
    double side = 0;
    double area() const override { return side * side; }
    template <class Archive>
    void serialize(Archive& archive) {
        archive(side);
    }
};

struct not_serialisable {
    std::string text;
};

template <class T>
concept sendable = wire::codec<T>::sendable;

static_assert(sendable<int> && sendable<plain> && sendable<std::vector<bool>> && sendable<move_only>);
static_assert(sendable<std::vector<without_default_constructor>> && sendable<int (*)(int)>);
static_assert(!sendable<int*> && !sendable<const char*> && !sendable<std::nullptr_t> && !sendable<void*>);
static_assert(!sendable<not_serialisable> && !sendable<std::vector<not_serialisable>>);
static_assert(!sendable<std::tuple<int, int*>> && !sendable<std::pair<not_serialisable, int>>);
static_assert(!sendable<std::vector<const char*>>);

static_assert(std::is_same_v<wire_type_t<const std::string&>, std::string>);
static_assert(std::is_same_v<wire_type_t<const char (&)[4]>, std::string>);
static_assert(std::is_same_v<wire_type_t<const wchar_t[4]>, std::wstring>);
static_assert(std::is_same_v<wire_type_t<std::string_view&&>, std::string>);
static_assert(std::is_same_v<wire_type_t<std::span<const int>>, std::vector<int>>);
static_assert(std::is_same_v<wire_type_t<std::vector<bool>::reference>, bool>);
static_assert(std::is_same_v<wire_type_t<long(int)>, long (*)(int)>);
static_assert(std::is_same_v<wire_type_t<long (&)(int) noexcept>, long (*)(int) noexcept>);
static_assert(
    std::is_same_v<wire_type_t<std::tuple<const int&, std::string_view>>, std::tuple<int, std::string>>);

// ---- round trips

TEST(Codec, numbers_and_enums_travel_as_their_bytes) {
    expect_round_trip(true, 1);
    expect_round_trip(false, 1);
    expect_round_trip('x', 1);
    expect_round_trip(std::numeric_limits<std::int8_t>::min(), 1);
    expect_round_trip(std::numeric_limits<std::uint16_t>::max(), 2);
    expect_round_trip(std::numeric_limits<std::int32_t>::min(), 4);
    expect_round_trip(std::numeric_limits<std::uint64_t>::max(), 8);
    expect_round_trip(0.1f, 4);
    expect_round_trip(-0.1, 8);
    expect_round_trip(1.0L / 3, sizeof(long double));
    expect_round_trip(std::numeric_limits<double>::infinity(), 8);
    EXPECT_TRUE(round_trip(std::numeric_limits<double>::quiet_NaN()) != 0);
    expect_round_trip(L'\u00e9', sizeof(wchar_t));
    expect_round_trip(green, sizeof(color));
    expect_round_trip(level::high, 1);
    expect_round_trip(std::byte{200}, 1);
}

TEST(Codec, strings_of_all_kinds_take_eight_bytes_and_their_characters) {
    expect_round_trip(std::string(), 8);
    expect_round_trip(std::string("h\0i", 3), 8 + 3);
    expect_round_trip(std::wstring(L"h\u00e9"), 8 + 2 * sizeof(wchar_t));
    expect_round_trip(std::u8string(u8"\u00e9"), 8 + 2);
    expect_round_trip(std::u16string(u"h\u00e9"), 8 + 4);
    expect_round_trip(std::u32string(U"h\u00e9"), 8 + 8);
    EXPECT_EQ(round_trip("literal"), "literal");
    EXPECT_EQ(round_trip(L"literal"), L"literal");
    EXPECT_EQ(round_trip(std::string_view("a\0b", 3)), std::string("a\0b", 3));
}

TEST(Codec, vectors_of_plain_elements_take_eight_bytes_and_their_elements) {
    expect_round_trip(std::vector<int>{}, 8);
    expect_round_trip(std::vector<int>{1, -2, 3}, 8 + 12);
    expect_round_trip(std::vector<double>(20, 0.5), 8 + 160);
    expect_round_trip(std::vector<level>{level::low, level::high}, 8 + 2);
    expect_round_trip(std::vector<plain>{{1, {1, 2, 3}, true}, {}}, 8 + 2 * sizeof(plain));
    expect_round_trip(std::vector<plain_without_default_constructor>{plain_without_default_constructor(4)},
                      8 + 4);
    const std::vector<int> base{5, 6, 7};
    EXPECT_EQ(round_trip(std::span(base)), base);
    EXPECT_EQ(round_trip(std::span<const int, 2>(base.begin(), 2)), (std::vector<int>{5, 6}));
}

TEST(Codec, vectors_of_bool_take_a_byte_an_element) {
    std::vector<bool> bits{true, false, true, true};
    expect_round_trip(bits, 8 + 4);
    EXPECT_EQ(round_trip(bits[1]), false);
    EXPECT_EQ(round_trip(bits[2]), true);
    expect_round_trip(std::vector<std::vector<bool>>{bits, {}, bits}, 8 + 12 + 8 + 12);
}

TEST(Codec, vectors_of_anything_else_take_their_elements_one_by_one) {
    expect_round_trip(std::vector<std::string>{"", "ab", "c"}, 8 + 3 * 8 + 3);
    expect_round_trip(std::vector<std::vector<std::uint16_t>>{{1, 2}, {}, {3}}, 8 + 3 * 8 + 6);
    expect_round_trip(std::vector<with_serialize>{{"a", {{1, {"x", "y"}}}}, {}},
                      8 + 9 + (8 + 4 + 8 + 18) + 16);
    expect_round_trip(std::vector<without_default_constructor>(3, without_default_constructor(7)), 8 + 3 * 5);
    EXPECT_EQ(round_trip(std::vector<nothing_to_say>(1000)).size(), 1000u);
}

TEST(Codec, tuples_and_pairs_take_what_their_members_take) {
    expect_round_trip(std::tuple<>{}, 0);
    expect_round_trip(std::tuple{1, 'x', 2.5}, 4 + 1 + 8);
    expect_round_trip(std::tuple{std::string("ab"), std::vector<int>{1}, true}, 10 + 12 + 1);
    expect_round_trip(std::pair{1, std::string("x")}, 4 + 9);
    expect_round_trip(std::pair{std::tuple{1, std::pair{2, 3}}, std::vector{std::pair{'a', 'b'}}},
                      12 + 8 + 2);
}

TEST(Codec, tuples_of_views_and_references_become_tuples_of_values) {
    const int number = 5;
    const std::vector<double> numbers{1, 2};
    const auto back =
        round_trip(std::tuple<const int&, std::string_view, const char(&)[3], std::span<const double>>(
            number, "view", "ab", numbers));
    static_assert(
        std::is_same_v<decltype(back), const std::tuple<int, std::string, std::string, std::vector<double>>>);
    EXPECT_EQ(back, (std::tuple{5, std::string("view"), std::string("ab"), numbers}));
    EXPECT_EQ(round_trip(std::pair<std::string_view, std::tuple<std::span<const double>>>("x", numbers)),
              (std::pair{std::string("x"), std::tuple{numbers}}));
}

TEST(Codec, references_to_objects_that_only_move_are_encoded_without_a_copy) {
    const auto pointer = std::make_unique<std::string>("moved");
    const auto back = round_trip(std::forward_as_tuple(pointer, 3));
    EXPECT_EQ(*std::get<0>(back), "moved");
}

TEST(Codec, plain_classes_take_their_bytes) {
    expect_round_trip(plain{3, {1, 2, 3}, true}, sizeof(plain));
    expect_round_trip(plain_without_default_constructor(4), 4);
    expect_round_trip(std::complex<double>(1, 2), 16);
    expect_round_trip(std::chrono::milliseconds(5), 8);
}

TEST(Codec, classes_with_cereal_functions_travel_by_them) {
    expect_round_trip(with_serialize{"name", {{1, {"a"}}, {2, {}}}}, 8 + 4 + 8 + (4 + 8 + 9) + (4 + 8));
    expect_round_trip(with_save_and_load(-12), 4);
    expect_round_trip(private_serialize("secret"), 8 + 6);
    EXPECT_EQ(*round_trip(move_only{std::make_unique<int>(4)}).value, 4);
}

TEST(Codec, a_class_without_default_constructor_is_built_by_load_and_construct) {
    expect_round_trip(without_default_constructor(7), 1 + 4);
}

TEST(Codec, a_class_whose_default_constructor_only_cereal_may_use_travels_behind_a_pointer) {
    const auto object = std::make_unique<private_constructor>(private_constructor::of(9));
    EXPECT_EQ(round_trip(object)->value(), 9);
    EXPECT_EQ(round_trip(std::make_shared<private_constructor>(private_constructor::of(8)))->value(), 8);
}

TEST(Codec, owning_pointers_travel_with_what_they_own) {
    EXPECT_EQ(*round_trip(std::make_unique<std::string>("x")), "x");
    EXPECT_EQ(round_trip(std::unique_ptr<std::string>()), nullptr);
    EXPECT_EQ(*round_trip(std::make_shared<with_save_and_load>(3)), with_save_and_load(3));
    EXPECT_EQ(round_trip(std::shared_ptr<int>()), nullptr);
    std::vector<std::unique_ptr<int>> owners;
    owners.push_back(std::make_unique<int>(1));
    owners.push_back(nullptr);
    const auto back = round_trip(owners);
    ASSERT_EQ(back.size(), 2u);
    EXPECT_EQ(*back[0], 1);
    EXPECT_EQ(back[1], nullptr);
}

TEST(Codec, a_registered_class_travels_behind_a_pointer_to_its_base) {
    auto big = std::make_unique<square>();
    big->side = 3;
    const auto back = round_trip(std::unique_ptr<shape>(std::move(big)));
    ASSERT_NE(back, nullptr);
    EXPECT_EQ(back->area(), 9);
}

TEST(Codec, whatever_cereal_has_a_header_for_travels) {
    expect_round_trip(std::optional<int>(3), 1 + 4);
    expect_round_trip(std::optional<std::string>(), 1);
    expect_round_trip(std::variant<int, std::string>("text"), 4 + 8 + 4);
    expect_round_trip(std::map<std::string, std::vector<int>>{{"a", {1, 2}}, {"b", {}}}, 8 + 9 + 16 + 9 + 8);
    expect_round_trip(std::set<int>{3, 1, 2}, 8 + 12);
    expect_round_trip(std::list<std::string>{"a"}, 8 + 9);
    expect_round_trip(std::array<std::string, 2>{"a", "b"}, 2 * 9);
    expect_round_trip(std::vector<std::optional<std::string>>{{}, "x"}, 8 + 1 + 10);
    expect_round_trip(std::tuple{std::map<int, int>{{1, 2}}, std::optional<double>(1)}, 8 + 8 + 9);
}

TEST(Codec, function_pointers_are_found_again) {
    constexpr auto doubled = +[](int x) { return 2 * x; };
    EXPECT_EQ(round_trip(doubled)(4), 8);
    EXPECT_EQ(round_trip(std::vector{doubled, doubled})[1](5), 10);
}

// ---- pointers in plain data

struct sneaky {
    std::int64_t number = 0;
    const void* pointer = nullptr;
};

TEST(Codec, plain_data_that_holds_a_pointer_into_this_process_is_refused_by_name) {
    const auto on_heap = std::make_unique<int>(1);
    static const int in_program = 1;
    const int on_stack = 1;
    for (const int* pointer : {static_cast<const int*>(on_heap.get()), &on_stack, &in_program}) {
        try {
            encoded(sneaky{1, pointer});
            FAIL() << pointer;
        } catch (const procpool::SerializationError& error) {
            EXPECT_NE(std::string(error.what()).find("sneaky holds a pointer into this process's"),
                      std::string::npos)
                << error.what();
        }
        EXPECT_THROW(encoded(std::vector{sneaky{}, sneaky{1, pointer}}), procpool::SerializationError);
        EXPECT_THROW(encoded(std::tuple{1, sneaky{1, pointer}}), procpool::SerializationError);
    }
    EXPECT_NO_THROW(encoded(sneaky{}));
    EXPECT_NO_THROW(encoded(sneaky{-1, reinterpret_cast<const void*>(std::uintptr_t{4096})}));
}

TEST(Codec, numbers_that_look_like_pointers_are_just_numbers) {
    const int here = 0;
    const auto address = reinterpret_cast<std::uintptr_t>(&here);
    expect_round_trip(address, 8);
    expect_round_trip(std::vector{address}, 16);
}

}  // namespace codec_test

CEREAL_REGISTER_TYPE(codec_test::square)
CEREAL_REGISTER_POLYMORPHIC_RELATION(codec_test::shape, codec_test::square)
