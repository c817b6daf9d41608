// SPDX-License-Identifier: MIT
// Messages that no worker sends unless it is corrupt: they fail, at once and without harm.
#include <gtest/gtest.h>

#include <atomic>
#include <cereal/types/deque.hpp>
#include <cereal/types/list.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/variant.hpp>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "procpool/detail/wire/codec.hpp"
#include "procpool/detail/wire/error_record.hpp"

namespace {
std::atomic<std::size_t> largest_allocation{0};
}  // namespace

// Not inlined: the compiler would see malloc() on one side of an allocation and delete on the other.
[[gnu::noinline]] void* operator new(std::size_t size) {
    std::size_t seen = largest_allocation.load(std::memory_order_relaxed);
    while (size > seen && !largest_allocation.compare_exchange_weak(seen, size)) {
    }
    if (void* const memory = std::malloc(size > 0 ? size : 1)) return memory;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

namespace wire = procpool::detail::wire;

struct plain {
    std::int64_t a = 0;
    double b = 0;
};

struct record {
    std::string name;
    std::u32string wide;
    std::vector<double> numbers;
    std::vector<bool> bits;
    std::map<std::string, std::vector<plain>> rows;
    std::deque<std::string> queue;
    std::optional<std::string> maybe;
    std::variant<int, std::string, std::vector<int>> either;
    std::unique_ptr<std::string> owner;
    std::shared_ptr<std::string> shared;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(name, wide, numbers, bits, rows, queue, maybe, either, owner, shared);
    }
};

struct constructed {
    explicit constructed(std::string value) : text(std::move(value)) {}
    std::string text;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(text);
    }
    template <class Archive>
    static void load_and_construct(Archive& archive, cereal::construct<constructed>& construct) {
        std::string text;
        archive(text);
        construct(std::move(text));
    }
};

struct nothing_to_say {
    template <class Archive>
    void serialize(Archive&) {}
};

/// Tries to decode a T from a block of just these bytes; true if that succeeds.
template <class T>
bool decodes(const std::vector<std::byte>& bytes) {
    const std::vector<std::byte> exact(bytes);
    wire::cursor from(exact);
    try {
        [[maybe_unused]] const T value = wire::codec<T>::decode(from);
        return true;
    } catch (const std::exception&) {
        return false;
    }
}

template <class T>
std::vector<std::byte> encoded(const T& value) {
    wire::buffer bytes;
    wire::pins pins;
    wire::encode({bytes, pins}, value);
    return {bytes.data(), bytes.data() + bytes.size()};
}

record full_record() {
    return {.name = "name",
            .wide = U"wide",
            .numbers = {1, 2, 3},
            .bits = {true, false},
            .rows = {{"a", {{1, 2}}}, {"b", {}}},
            .queue = {"x", "y"},
            .maybe = "maybe",
            .either = std::vector<int>{1, 2},
            .owner = std::make_unique<std::string>("owned"),
            .shared = std::make_shared<std::string>("shared")};
}

class HostileBytes : public testing::Test {
protected:
    /// Half of the bytes are small, so that sizes and counts are often plausible.
    std::vector<std::byte> random_bytes(std::size_t most) {
        std::vector<std::byte> bytes(random_() % (most + 1));
        for (std::byte& byte : bytes) {
            const auto draw = random_();
            byte = draw % 2 == 0 ? std::byte{0} : static_cast<std::byte>(draw >> 8);
            if (draw % 8 == 1) byte = static_cast<std::byte>((draw >> 8) % 9);
        }
        return bytes;
    }

    template <class T>
    void feed() {
        for (int i = 0; i < 500; ++i) decodes<T>(random_bytes(96));
    }

    std::mt19937 random_{20240607};  // NOLINT(cert-msc51-cpp): the same bytes in each run
};

TEST_F(HostileBytes, random_messages_are_values_or_errors_and_never_a_crash) {
    feed<bool>();
    feed<std::string>();
    feed<std::u16string>();
    feed<std::vector<int>>();
    feed<std::vector<bool>>();
    feed<std::vector<std::string>>();
    feed<std::vector<std::vector<std::vector<char>>>>();
    feed<std::vector<std::pair<std::string, plain>>>();
    feed<std::tuple<int, std::string, std::vector<bool>, plain>>();
    feed<std::vector<constructed>>();
    feed<std::optional<bool>>();
    feed<std::variant<bool, std::string>>();
    feed<std::map<std::string, std::list<int>>>();
    feed<std::vector<std::shared_ptr<std::string>>>();
    feed<record>();
    feed<std::vector<record>>();
    feed<int (*)(int)>();
}

TEST_F(HostileBytes, random_error_records_are_errors_of_some_kind) {
    for (int i = 0; i < 1000; ++i) {
        const std::vector<std::byte> bytes = random_bytes(96);
        try {
            EXPECT_NE(wire::decode_exception(wire::cursor(bytes), 1, 2), nullptr);
        } catch (const procpool::SerializationError&) {
        }
    }
}

TEST_F(HostileBytes, messages_with_changed_bytes_are_values_or_errors_and_never_a_crash) {
    const std::vector<std::byte> good = encoded(full_record());
    ASSERT_TRUE(decodes<record>(good));
    for (int i = 0; i < 3000; ++i) {
        std::vector<std::byte> bad = good;
        for (auto changes = random_() % 4 + 1; changes > 0; --changes)
            bad[random_() % bad.size()] = static_cast<std::byte>(random_());
        decodes<record>(bad);
    }
}

TEST_F(HostileBytes, a_message_cut_off_anywhere_is_an_error) {
    const std::vector<std::byte> good = encoded(full_record());
    for (std::size_t cut = 0; cut < good.size(); ++cut)
        EXPECT_FALSE(decodes<record>({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(cut)})) << cut;
}

// ---- sizes that lie

template <class T>
class LyingSize : public testing::Test {};
using types_that_begin_with_a_size =
    testing::Types<std::string, std::u32string, std::vector<double>, std::vector<bool>, std::vector<plain>,
                   std::vector<std::string>, std::vector<std::vector<int>>, std::vector<constructed>,
                   std::vector<std::optional<int>>, std::list<std::string>, std::map<int, int>,
                   std::deque<double>, std::vector<std::pair<int, std::string>>, std::tuple<std::string, int>,
                   record>;
TYPED_TEST_SUITE(LyingSize, types_that_begin_with_a_size);

TYPED_TEST(LyingSize, fails_without_claiming_memory_for_it) {
    for (const std::uint64_t claim : {std::uint64_t{1} << 20, std::uint64_t{1} << 31, std::uint64_t{1} << 62,
                                      ~std::uint64_t{0} / 8 + 2, ~std::uint64_t{0}}) {
        std::vector<std::byte> bytes(10);
        std::memcpy(bytes.data(), &claim, sizeof claim);
        largest_allocation = 0;
        EXPECT_FALSE(decodes<TypeParam>(bytes)) << claim;
        EXPECT_LT(largest_allocation, 4096u) << claim;
    }
}

TEST_F(HostileBytes, countless_elements_that_take_no_bytes_are_an_error) {
    std::vector<std::byte> bytes(8);
    const std::uint64_t claim = std::uint64_t{1} << 62;
    std::memcpy(bytes.data(), &claim, sizeof claim);
    EXPECT_FALSE(decodes<std::vector<nothing_to_say>>(bytes));
}

TEST_F(HostileBytes, an_object_that_must_be_there_but_is_not_is_an_error) {
    EXPECT_FALSE(decodes<constructed>({std::byte{0}}));
    EXPECT_FALSE(decodes<std::vector<constructed>>({std::byte{1}, {}, {}, {}, {}, {}, {}, {}, std::byte{0}}));
}

}  // namespace
