// SPDX-License-Identifier: MIT
#include "procpool/detail/wire/arena.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cereal/types/memory.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cereal/types/vector.hpp>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/wire/borrowed.hpp"
#include "procpool/detail/wire/codec.hpp"
#include "procpool/detail/wire/frame.hpp"

namespace arena_test {

namespace os = procpool::detail::os;
namespace wire = procpool::detail::wire;
using procpool::SerializationError;

constexpr std::size_t mib = 1 << 20;

/// One writer, and the same process as the reader.
class arena : public testing::Test {
protected:
    std::shared_ptr<wire::arena> make(std::size_t limit) {
        return std::make_shared<wire::arena>(window_, range, limit);
    }
    /// Bytes of memory behind the file.
    std::size_t memory() const {
        struct stat status{};
        EXPECT_EQ(::fstat(file_.get(), &status), 0);
        return static_cast<std::size_t>(status.st_blocks) * 512;
    }
    static bool is_refused(wire::arena_place place, std::uint64_t size) {
        return !wire::arena_window::find(place, size);
    }

    static constexpr std::size_t range = 64 * mib;
    static constexpr std::uint64_t pool = 4711;
    static constexpr std::uint64_t first = 10 * range;
    os::fd file_ = os::make_memfd("test", range);
    std::shared_ptr<const wire::arena_window> window_ =
        std::make_shared<const wire::arena_window>(pool, first, os::mapping(file_, 0, range));
};

TEST_F(arena, parts_are_found_where_they_were_put) {
    const auto writer = make(range);
    std::vector<wire::arena_part> parts;
    for (const std::size_t size : {std::size_t{1}, wire::arena_threshold, mib + 1, 5 * mib}) {
        parts.push_back(writer->allocate(size).value());
        std::memset(parts.back().memory.get(), static_cast<int>(parts.size()), size);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(parts.back().memory.get()) % 64, 0u);
        const auto found = wire::arena_window::find(parts.back().place, size);
        ASSERT_TRUE(found);
        EXPECT_EQ(found->data(), parts.back().memory.get());
        EXPECT_EQ(found->size(), size);
    }
    for (std::size_t i = 0; i < parts.size(); ++i)
        EXPECT_EQ(*parts[i].memory, static_cast<std::byte>(i + 1)) << "a part lies in another";
}

TEST_F(arena, memory_of_parts_that_are_gone_is_used_again) {
    const auto writer = make(range);
    const auto offset = writer->allocate(mib)->place.offset;
    const std::size_t taken = writer->reserved();
    for (std::size_t i = 0; i < 1000; ++i) EXPECT_EQ(writer->allocate(mib + i)->place.offset, offset);
    EXPECT_EQ(writer->reserved(), taken);
}

// As results of an imap, four of which are on their way at a time.
TEST_F(arena, parts_of_many_sizes_take_memory_for_what_is_alive_only) {
    const auto writer = make(range);
    std::array<std::optional<wire::arena_part>, 4> alive;
    std::array<std::size_t, 4> sizes{};
    std::size_t most_alive = 0;
    std::uint32_t random = 1;
    for (int i = 0; i < 400; ++i) {
        random = random * 1664525 + 1013904223;
        const auto at = static_cast<std::size_t>(i) % alive.size();
        alive[at].reset();
        sizes[at] = wire::arena_threshold + (random >> 8) % (4 * mib);
        alive[at] = writer->allocate(sizes[at]);
        ASSERT_TRUE(alive[at]);
        std::memset(alive[at]->memory.get(), i, sizes[at]);
        most_alive = std::max(most_alive, std::accumulate(sizes.begin(), sizes.end(), std::size_t{0}));
        ASSERT_LE(writer->reserved(), 2 * most_alive) << "after " << i;
    }
    EXPECT_LE(memory(), 2 * most_alive);
    EXPECT_GE(memory(), writer->reserved());
}

TEST_F(arena, small_changes_of_size_take_no_new_memory) {
    const auto writer = make(range);
    std::array<std::optional<wire::arena_part>, 4> alive;
    const auto refill = [&](std::size_t size) {
        for (auto& part : alive) {
            part.reset();
            part = writer->allocate(size);
            ASSERT_TRUE(part);
        }
    };
    refill(mib);
    for (const std::size_t size : {900 * 1024, 1000 * 1024, 1024 * 1024, 930 * 1024}) {
        const auto before = writer->reserved();
        refill(size);
        EXPECT_EQ(writer->reserved(), before) << size;
    }
}

/// One whose parts a reader may keep.
class arena_with_reader : public arena {
protected:
    using lending = wire::arena_part_header::lending;

    void keep(const wire::arena_part& part) {
        wire::header_of_part(part.memory.get()).lent.store(lending::kept);
    }
    void give_back(std::byte* part, wire::arena_place place) {
        wire::returned_parts(returned_).give_back(part, place.offset);
    }

    std::atomic<std::uint64_t> returned_{0};
    std::shared_ptr<wire::arena> writer_ =
        std::make_shared<wire::arena>(window_, range, range, nullptr, &returned_);
};

TEST_F(arena_with_reader, what_is_kept_is_not_used_again_until_it_comes_back) {
    auto part = writer_->allocate(mib);
    std::byte* const at = part->memory.get();
    const auto place = part->place;
    keep(*part);
    part.reset();
    EXPECT_NE(writer_->allocate(mib)->place.offset, place.offset);
    writer_->trim();
    EXPECT_FALSE(is_refused(place, mib)) << "its memory was given back";
    give_back(at, place);
    writer_->trim();
    EXPECT_EQ(memory(), 0u);
    EXPECT_TRUE(is_refused(place, mib));
}

TEST_F(arena_with_reader, what_comes_back_before_it_is_free_is_used_again_when_it_is) {
    auto part = writer_->allocate(mib);
    const auto place = part->place;
    keep(*part);
    give_back(part->memory.get(), place);
    EXPECT_NE(writer_->allocate(mib)->place.offset, place.offset);
    part.reset();
    EXPECT_EQ(writer_->allocate(mib)->place.offset, place.offset);
}

TEST_F(arena_with_reader, what_comes_back_emptied_counts_as_no_memory) {
    auto part = writer_->allocate(mib);
    std::byte* const at = part->memory.get();
    const auto place = part->place;
    keep(*part);
    part.reset();
    wire::header_of_part(at).lent.store(lending::emptied);
    give_back(at, place);
    writer_->allocate(1);
    EXPECT_LT(writer_->reserved(), mib);
}

TEST_F(arena_with_reader, garbage_in_the_list_of_what_comes_back_does_no_harm) {
    for (const std::uint64_t garbage : {std::uint64_t{1}, first, first + 64, first + 4096 + 64,
                                        first + range + 64, first + range - 4096 + 64, ~std::uint64_t{0}}) {
        returned_ = garbage;
        EXPECT_TRUE(writer_->allocate(mib));
        EXPECT_EQ(returned_, 0u);
    }
    auto part = writer_->allocate(mib);
    keep(*part);
    give_back(part->memory.get(), part->place);
    wire::header_of_part(part->memory.get()).next_returned = part->place.offset;  // round in circles
    EXPECT_TRUE(writer_->allocate(mib));
}

TEST_F(arena, range_of_small_parts_serves_large_ones_later) {
    const auto writer = make(range);
    {
        std::vector<std::optional<wire::arena_part>> parts;
        do parts.push_back(writer->allocate(mib));
        while (parts.back());
        EXPECT_GE(parts.size(), 50u);
    }
    EXPECT_TRUE(writer->allocate(40 * mib));
    EXPECT_LE(memory(), 64 * mib);
}

TEST_F(arena, takes_no_more_memory_than_its_limit) {
    const auto writer = make(8 * mib);
    EXPECT_FALSE(writer->allocate(9 * mib));
    std::vector<std::optional<wire::arena_part>> parts;
    do parts.push_back(writer->allocate(mib));
    while (parts.back());
    EXPECT_GE(parts.size(), 7u);
    EXPECT_LE(memory(), 8 * mib);
    parts.clear();
    // What is free makes room for another size.
    EXPECT_TRUE(writer->allocate(7 * mib));
    EXPECT_LE(memory(), 8 * mib);
}

TEST_F(arena, refuses_what_has_no_place_in_its_range) {
    const auto writer = make(range);
    std::vector<std::optional<wire::arena_part>> parts;
    do parts.push_back(writer->allocate(3 * mib));
    while (parts.back());
    EXPECT_GE(parts.size(), 15u);
    parts.front().reset();
    EXPECT_TRUE(writer->allocate(2 * mib)) << "a larger piece serves a smaller part, too";
}

TEST_F(arena, gives_memory_back_when_told_to) {
    const auto writer = make(range);
    const auto kept = writer->allocate(2 * mib);
    std::memset(kept->memory.get(), 7, 2 * mib);
    {
        const auto gone = writer->allocate(20 * mib);
    }
    EXPECT_GE(memory(), 22 * mib);
    writer->trim();
    EXPECT_LT(memory(), 3 * mib);
    EXPECT_EQ(*kept->memory, std::byte{7});
    const auto again = writer->allocate(20 * mib);
    std::memset(again->memory.get(), 8, 20 * mib);
}

TEST_F(arena, believes_no_place_that_it_did_not_give) {
    const auto writer = make(range);
    const auto part = writer->allocate(mib);
    const wire::arena_place place = part->place;
    EXPECT_FALSE(is_refused(place, mib));
    EXPECT_TRUE(is_refused(place, mib - 1));
    EXPECT_TRUE(is_refused(place, ~std::uint64_t{0} >> 1));
    EXPECT_TRUE(is_refused({pool + 1, place.offset}, mib));
    EXPECT_TRUE(is_refused({pool, place.offset + 64}, mib));
    EXPECT_TRUE(is_refused({pool, place.offset + 1}, mib));
    for (const std::uint64_t offset : {std::uint64_t{0}, first - 64, first, first + range - 64, first + range,
                                       ~std::uint64_t{0}, ~std::uint64_t{0} - 63})
        EXPECT_TRUE(is_refused({pool, offset}, mib)) << offset;
    EXPECT_LT(memory(), 2 * mib) << "looking for them has taken memory";
}

TEST_F(arena, is_not_found_once_its_window_is_closed) {
    const auto place = make(range)->allocate(mib)->place;
    EXPECT_FALSE(is_refused(place, mib));
    window_.reset();
    EXPECT_TRUE(is_refused(place, mib));
}

TEST_F(arena, is_not_found_in_a_forked_child) {
    const auto part = make(range)->allocate(mib);
    const pid_t child = ::fork();
    if (child == 0) {
        const bool refused = is_refused(part->place, mib);
        ::_exit(refused ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST_F(arena, serves_several_threads) {
    const auto writer = make(range);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 200; ++i) {
                const auto part =
                    writer->allocate(wire::arena_threshold * static_cast<std::size_t>(1 + i % 5));
                std::memset(part->memory.get(), t, wire::arena_threshold);
                EXPECT_EQ(*part->memory, static_cast<std::byte>(t));
            }
        });
    for (std::thread& thread : threads) thread.join();
}

// ---- messages

class arena_message : public arena {
protected:
    template <class T>
    void encode(const T& value, std::shared_ptr<wire::arena> memory) {
        bytes_.clear();
        large_ = {std::move(memory)};
        wire::codec<T>::encode({bytes_, held_, &large_}, value);
    }
    template <class T>
    T decode() const {
        wire::cursor from(bytes_.bytes());
        T value = wire::codec<T>::decode(from);
        EXPECT_EQ(from.left(), 0u);
        return value;
    }

    wire::buffer bytes_;
    wire::pins held_;
    wire::large_parts large_;
};

template <class T>
std::vector<T> counting(std::size_t count) {
    std::vector<T> values(count);
    std::iota(values.begin(), values.end(), T{1});
    return values;
}

TEST_F(arena_message, holds_the_places_of_large_parts_only) {
    const auto writer = make(range);
    const auto small = counting<double>(wire::arena_threshold / sizeof(double) - 1);
    encode(small, writer);
    EXPECT_EQ(large_.parts.size(), 0u);
    EXPECT_EQ(decode<std::vector<double>>(), small);

    const auto large = counting<double>(wire::arena_threshold / sizeof(double));
    encode(large, writer);
    EXPECT_EQ(large_.parts.size(), 1u);
    EXPECT_EQ(large_.bytes, wire::arena_threshold);
    EXPECT_LT(bytes_.size(), 64u);
    EXPECT_EQ(decode<std::vector<double>>(), large);

    const std::string text(mib, 't');
    encode(text, writer);
    EXPECT_LT(bytes_.size(), 64u);
    EXPECT_EQ(decode<std::string>(), text);
}

struct measurement {
    int id = 0;
    std::vector<float> samples;
    std::vector<std::uint8_t> picture;

    template <class Archive>
    void serialize(Archive& archive) {
        archive(id, samples, picture);
    }
    friend bool operator==(const measurement&, const measurement&) = default;
};

TEST_F(arena_message, holds_the_places_of_what_cereal_calls_binary_data) {
    const measurement value{7, counting<float>(mib), counting<std::uint8_t>(100'000)};
    encode(value, make(range));
    EXPECT_EQ(large_.parts.size(), 2u);
    EXPECT_LT(bytes_.size(), 200u);
    EXPECT_EQ(decode<measurement>(), value);
}

TEST_F(arena_message, holds_everything_if_there_is_no_arena_or_no_room_in_it) {
    const auto value = std::tuple(3, counting<int>(mib), std::string(mib, 'x'));
    for (const auto& memory : {std::shared_ptr<wire::arena>(), make(0), make(wire::arena_threshold)}) {
        encode(value, memory);
        EXPECT_EQ(large_.parts.size(), 0u);
        EXPECT_GT(bytes_.size(), 5 * mib);
        EXPECT_EQ(decode<std::remove_cv_t<decltype(value)>>(), value);
    }
}

TEST_F(arena_message, with_a_place_that_is_wrong_is_refused) {
    encode(counting<int>(mib), make(range));
    for (std::size_t at = 0; at < bytes_.size(); ++at) {
        bytes_.data()[at] ^= std::byte{1};
        EXPECT_THROW(decode<std::vector<int>>(), SerializationError) << at;
        bytes_.data()[at] ^= std::byte{1};
    }
    for (std::size_t size = 0; size < bytes_.size(); ++size) {
        wire::cursor from(bytes_.bytes().first(size));
        EXPECT_THROW(wire::codec<std::vector<int>>::decode(from), SerializationError) << size;
    }
}

/// Elements one after the other, each with its size in front.
template <class T>
void encode_elements(const std::vector<T>& elements, wire::sink out) {
    for (const T& element : elements) {
        const std::size_t begin = wire::begin_sized(out);
        wire::codec<T>::encode(out, element);
        wire::end_sized(out, begin);
    }
}

TEST_F(arena_message, holds_the_place_of_a_large_element_of_small_parts) {
    using words = std::vector<std::string>;
    const std::vector<words> elements{words(3, "small"), words(1000, std::string(100, 'l')), words(2, "end")};
    for (const auto& memory : {make(range), std::shared_ptr<wire::arena>()}) {
        bytes_.clear();
        large_ = {memory};
        encode_elements(elements, {bytes_, held_, &large_});
        EXPECT_EQ(large_.parts.size(), memory ? 1u : 0u);
        EXPECT_EQ(large_.bytes > wire::arena_threshold, memory != nullptr);
        EXPECT_EQ(bytes_.size() < 200, memory != nullptr);

        wire::element_reader reader(bytes_.bytes(), wire::variable_stride);
        for (const words& element : elements) {
            wire::cursor from(reader.next());
            EXPECT_EQ(wire::codec<words>::decode(from), element);
            EXPECT_EQ(from.left(), 0u);
        }
        EXPECT_TRUE(reader.done());

        wire::element_reader passing(bytes_.bytes(), wire::variable_stride);
        std::uint64_t passed = 0;
        passing.next_run(2, passed);
        EXPECT_EQ(passed, 2u);
        wire::cursor last(passing.next());
        EXPECT_EQ(wire::codec<words>::decode(last), elements[2]);
    }
}

TEST_F(arena_message, with_the_wrong_place_of_an_element_is_refused_without_the_others) {
    const std::vector<std::string> elements{std::string(mib, 'l'), "small"};
    large_ = {make(range)};
    const wire::sink out{bytes_, held_, &large_};
    const std::size_t begin = wire::begin_sized(out);
    bytes_.append(elements[0].data(), elements[0].size());
    wire::end_sized(out, begin);
    encode_elements<std::string>({elements[1]}, out);
    bytes_.data()[sizeof(std::uint64_t)] ^= std::byte{1};
    wire::element_reader reader(bytes_.bytes(), wire::variable_stride);
    EXPECT_THROW(reader.next(), SerializationError);
    wire::cursor from(reader.next());
    EXPECT_EQ(wire::codec<std::string>::decode(from), elements[1]);
}

// ---- views

template <class Owner, class View>
using borrowed = wire::borrowed<Owner, View>;

TEST_F(arena_message, is_viewed_where_it_lies) {
    const auto values = counting<double>(mib);
    encode(values, make(range));
    wire::cursor from(bytes_.bytes());
    const borrowed<std::vector<double>, std::span<const double>> argument(from);
    const std::span<const double> view = argument;
    EXPECT_EQ(static_cast<const void*>(view.data()), large_.parts[0].get());
    EXPECT_TRUE(std::ranges::equal(view, values));
}

TEST_F(arena_message, that_is_small_is_viewed_as_a_copy_where_it_is_not_aligned) {
    const auto values = counting<double>(3);
    for (std::size_t shift = 0; shift < 8; ++shift) {
        bytes_.clear();
        bytes_.extend(shift);
        wire::codec<std::vector<double>>::encode({bytes_, held_}, values);
        wire::cursor from(bytes_.bytes().subspan(shift));
        borrowed<std::vector<double>, std::span<const double>> argument(from);
        const auto moved = std::move(argument);
        const std::span<const double> view = moved;
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view.data()) % alignof(double), 0u);
        EXPECT_TRUE(std::ranges::equal(view, values));
        EXPECT_EQ(from.left(), 0u);
    }
}

}  // namespace arena_test
