// SPDX-License-Identifier: MIT
// Messages that no worker sends unless it is corrupt: they fail, at once and without harm.
#include <gtest/gtest.h>
#include <cereal/types/memory.hpp>

#include <atomic>
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
#include "support/sendable_types.hpp"

namespace {
std::atomic<std::size_t> largest_allocation{0};
std::atomic<std::size_t> allocated{0};  // in all
}  // namespace

// Not inlined: the compiler would see malloc() on one side of an allocation and delete on the other.
[[gnu::noinline]] void* operator new(std::size_t size) {
    allocated += size;
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

using test::chain, test::constructed, test::full_record, test::nothing_to_say, test::owners, test::plain,
    test::record, test::tree;

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
    feed<owners>();
    feed<tree>();
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
                   std::vector<nothing_to_say>, std::list<nothing_to_say>, std::vector<std::optional<int>>,
                   std::list<std::string>, std::map<int, int>, std::deque<double>,
                   std::vector<std::pair<int, std::string>>, std::tuple<std::string, int>, record>;
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

TEST_F(HostileBytes, two_billion_elements_in_ten_bytes_are_refused_before_a_megabyte_is_claimed) {
    std::vector<std::byte> bytes(10);
    const std::uint64_t claim = std::uint64_t{1} << 31;
    std::memcpy(bytes.data(), &claim, sizeof claim);
    allocated = 0;
    EXPECT_FALSE(decodes<std::vector<int>>(bytes));
    EXPECT_FALSE(decodes<std::vector<std::string>>(bytes));
    EXPECT_FALSE((decodes<std::map<std::string, std::list<int>>>(bytes)));
    EXPECT_FALSE(decodes<record>(bytes));
    // Those that take no bytes never use up the two that are left.
    EXPECT_FALSE(decodes<std::vector<nothing_to_say>>(bytes));
    EXPECT_FALSE(decodes<std::list<nothing_to_say>>(bytes));
    EXPECT_LT(allocated, std::size_t{1} << 20);
}

TEST_F(HostileBytes, elements_that_take_no_bytes_are_not_multiplied_by_nesting) {
    wire::buffer bytes;
    constexpr std::uint64_t lists = 1000;
    bytes.append_value(lists);
    for (std::uint64_t left = lists; left > 0; --left) bytes.append_value((left - 1) * sizeof left);
    allocated = 0;
    decodes<std::list<std::list<nothing_to_say>>>({bytes.data(), bytes.data() + bytes.size()});
    decodes<std::vector<std::vector<nothing_to_say>>>({bytes.data(), bytes.data() + bytes.size()});
    EXPECT_LT(allocated, std::size_t{1} << 20);
}

TEST_F(HostileBytes, objects_nested_without_end_are_an_error) {
    EXPECT_FALSE(decodes<chain>(std::vector(std::size_t{1} << 20, std::byte{1})));
    wire::buffer bytes;
    for (int i = 0; i < 100'000; ++i) {
        bytes.append_value('x');
        bytes.append_value(std::uint64_t{1});
    }
    EXPECT_FALSE(decodes<tree>({bytes.data(), bytes.data() + bytes.size()}));
    // A few hundred fit even where a sanitizer makes frames large.
    std::vector<std::byte> some(200, std::byte{1});
    some.push_back(std::byte{0});
    EXPECT_TRUE(decodes<chain>(some));
}

TEST_F(HostileBytes, a_pointer_to_a_shared_object_of_another_type_is_an_error) {
    const auto text = std::make_shared<std::string>("text");
    std::vector<std::byte> bytes = encoded(owners{.one = text, .other = text, .numbers = nullptr});
    EXPECT_TRUE(decodes<owners>(bytes));
    bytes[bytes.size() - sizeof(std::uint32_t)] = std::byte{1};  // the text's id
    EXPECT_FALSE(decodes<owners>(bytes));
}

TEST_F(HostileBytes, an_object_that_must_be_there_but_is_not_is_an_error) {
    EXPECT_FALSE(decodes<constructed>({std::byte{0}}));
    EXPECT_FALSE(decodes<std::vector<constructed>>({std::byte{1}, {}, {}, {}, {}, {}, {}, {}, std::byte{0}}));
}

}  // namespace
