// SPDX-License-Identifier: MIT
// Buffers: results that stay where the worker has made them.
#include "procpool/buffer.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cereal/types/vector.hpp>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "support/pool_memory.hpp"
#include "support/processes.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace buffer_test {

namespace mp = procpool;

constexpr std::size_t mib = 1 << 20;
using numbers = mp::Buffer<std::uint32_t>;
using test::is_in_pool_memory;
using test::pool_file;

/// `bytes` of numbers that begin with `first`.
numbers filled(std::size_t bytes, std::uint32_t first) {
    numbers all(bytes / sizeof(std::uint32_t));
    std::iota(all.begin(), all.end(), first);
    return all;
}
numbers one_mib(std::uint32_t first) { return filled(mib, first); }

bool holds(const numbers& all, std::size_t bytes, std::uint32_t first) {
    if (all.size() != bytes / sizeof(std::uint32_t)) return false;
    for (const std::uint32_t one : all)
        if (one != first++) return false;
    return true;
}

// ---- what it is

TEST(Buffer, is_an_array_that_grows_and_moves) {
    numbers all(3, 7u);
    EXPECT_EQ(std::vector<std::uint32_t>(all), std::vector(3, 7u));
    for (std::uint32_t i = 0; i < 1000; ++i) all.push_back(all[0] + i);
    EXPECT_EQ(all.size(), 1003u);
    EXPECT_EQ(all[1002], 1006u);
    const std::uint32_t* const before = all.data();
    all.resize(10);
    EXPECT_EQ(all.data(), before);
    EXPECT_GE(all.capacity(), 1003u);
    const numbers moved = std::move(all);
    EXPECT_EQ(moved.data(), before);
    EXPECT_TRUE(all.empty());  // NOLINT(bugprone-use-after-move): that is what is tested
    const std::span<const std::uint32_t> view = moved;
    EXPECT_EQ(view[2], 7u);
    EXPECT_EQ(numbers(std::vector{1u, 2u, 3u})[2], 3u);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(moved.data()) % 64, 0u);
    EXPECT_THROW(numbers(~std::size_t{0} / 2), std::bad_alloc);
}

// ---- there and back

TEST(Buffer, is_the_memory_that_the_task_has_filled) {
    mp::Pool pool(2);
    std::uint32_t i = 0;
    for (const numbers& all : pool.map(one_mib, std::vector{0u, 1u, 2u, 3u, 4u})) {
        EXPECT_TRUE(is_in_pool_memory(all.data()));
        EXPECT_TRUE(holds(all, mib, i++));
    }
    const numbers small = pool.apply(filled, 1000u, 5u);
    EXPECT_FALSE(is_in_pool_memory(small.data()));
    EXPECT_TRUE(holds(small, 1000, 5));
    EXPECT_TRUE(pool.apply(filled, 0u, 5u).empty());
}

TEST(Buffer, of_all_sizes_around_the_threshold_arrives_whole) {
    mp::Pool pool(2);
    for (const std::size_t bytes : {65'532u, 65'536u, 65'540u, 131'004u, 200'000u, 5'000'000u})
        for (std::uint32_t i = 0; i < 5; ++i) EXPECT_TRUE(holds(pool.apply(filled, bytes, i), bytes, i));
}

TEST(Buffer, may_be_made_larger_and_smaller_before_it_is_returned) {
    mp::Pool pool(1);
    const auto grown = pool.apply([] {
        numbers all;
        for (std::uint32_t i = 0; i < 100'000; ++i) all.push_back(i);
        return all;
    });
    EXPECT_TRUE(holds(grown, 400'000, 0));
    EXPECT_TRUE(is_in_pool_memory(grown.data()));
    const auto cut = pool.apply(
        [](std::size_t size) {
            numbers all = one_mib(3);
            all.resize(size);
            return all;
        },
        100'000u);
    EXPECT_TRUE(holds(cut, 400'000, 3));
    EXPECT_TRUE(is_in_pool_memory(cut.data()));
    EXPECT_TRUE(holds(pool.apply([] {
        numbers all = one_mib(3);
        all.resize(10);
        return all;
    }),
                      40, 3));
}

struct picture {
    int width = 0;
    numbers pixels;
    std::vector<numbers> tiles;

    template <class Archive>
    void serialize(Archive& archive) {
        archive(width, pixels, tiles);
    }
};

TEST(Buffer, stays_where_it_is_inside_of_structs_tuples_and_vectors) {
    mp::Pool pool(2);
    const picture one = pool.apply([] {
        picture made{3, one_mib(1), {}};
        for (std::uint32_t i = 0; i < 3; ++i) made.tiles.push_back(filled(100'000, i));
        return made;
    });
    EXPECT_TRUE(holds(one.pixels, mib, 1) && is_in_pool_memory(one.pixels.data()));
    for (std::uint32_t i = 0; i < 3; ++i)
        EXPECT_TRUE(holds(one.tiles[i], 100'000, i) && is_in_pool_memory(one.tiles[i].data()));
    const auto [number, all] = pool.apply([] { return std::tuple(1, one_mib(2)); });
    EXPECT_TRUE(number == 1 && holds(all, mib, 2) && is_in_pool_memory(all.data()));
}

TEST(Buffer, as_an_argument_is_copied_as_a_vector_is) {
    mp::Pool pool(2);
    const numbers sent = one_mib(9);
    const numbers back = pool.apply(
        [](numbers all) {
            all[0] += 1;
            return all;
        },
        sent);
    EXPECT_EQ(sent[0], 9u);
    EXPECT_EQ(back[0], 10u);
    EXPECT_EQ(back[100], 109u);
    EXPECT_TRUE(is_in_pool_memory(back.data()));
    EXPECT_EQ(pool.apply([](std::span<const std::uint32_t> all) { return all.back(); }, back),
              back[back.size() - 1]);
    EXPECT_EQ(pool.apply([](const std::vector<std::uint32_t>& all) { return all.at(3); }, back), 12u);
    EXPECT_TRUE(holds(pool.apply([](numbers all) { return all; }, pool.apply(filled, 100u, 1u)), 100, 1));
}

TEST(Buffer, that_stays_in_the_worker_is_copied_when_it_is_returned_again) {
    mp::Pool pool(1);
    const auto kept = [](std::uint32_t first) -> const numbers& {
        static numbers all(mib / sizeof(std::uint32_t));
        if (first > 0) all = one_mib(first);
        return all;
    };
    const numbers first = pool.apply(kept, 1u);
    const numbers again = pool.apply(kept, 0u);
    EXPECT_NE(first.data(), again.data());
    EXPECT_TRUE(holds(first, mib, 1) && holds(again, mib, 1));
    const numbers other = pool.apply(kept, 2u);
    EXPECT_TRUE(holds(first, mib, 1) && holds(other, mib, 2));
}

TEST(Buffer, is_ordinary_memory_where_tasks_run_in_the_program) {
    mp::ThreadPool threads(2);
    EXPECT_TRUE(holds(threads.map(one_mib, std::vector{1u, 2u})[1], mib, 2));
    mp::Pool none(mp::PoolOptions{.processes = 0});
    EXPECT_TRUE(holds(none.map(one_mib, std::vector{1u, 2u})[1], mib, 2));
}

TEST(Buffer, of_a_pool_in_a_task_arrives_whole) {
    mp::Pool pool(2);
    const auto results = pool.map(
        [](std::uint32_t i) {
            mp::Pool inner(1);
            return inner.apply(one_mib, i);
        },
        std::vector{1u, 2u});
    EXPECT_TRUE(holds(results[0], mib, 1) && holds(results[1], mib, 2));
}

// ---- memory

TEST(Buffer, that_is_dropped_makes_room_for_the_next) {
    mp::Pool pool(2);
    const pool_file file;
    std::uint32_t i = 0;
    std::size_t most = 0;
    for (const numbers& all : pool.imap(one_mib, test::views::iota(0u, 300u), {.buffersize = 4})) {
        EXPECT_TRUE(holds(all, mib, i++));
        most = std::max(most, file.memory());
    }
    EXPECT_EQ(i, 300u);
    EXPECT_LT(most, 30 * mib);
}

TEST(Buffer, beyond_the_limit_of_what_may_be_kept_is_copied) {
    for (const std::size_t limit : {std::size_t{0}, std::size_t{100'000}, 5 * mib}) {
        mp::Pool pool(mp::PoolOptions{.processes = 2, .arena_limit = limit});
        const pool_file file;
        std::vector<numbers> kept;
        for (std::uint32_t i = 0; i < 20; ++i) kept.push_back(pool.apply(one_mib, i));
        for (std::uint32_t i = 0; i < 20; ++i) EXPECT_TRUE(holds(kept[i], mib, i)) << limit;
        const auto stays = [](const numbers& one) { return is_in_pool_memory(one.data()); };
        EXPECT_EQ(std::ranges::any_of(kept, stays), limit > mib);
        EXPECT_FALSE(std::ranges::all_of(kept, stays));
        EXPECT_LE(file.memory(), 2 * limit + mib);
        kept.clear();
        EXPECT_EQ(stays(pool.apply(one_mib, 1u)), limit > mib) << "there is room again";
    }
}

TEST(Buffer, that_is_dropped_while_the_pool_is_idle_gives_its_memory_back) {
    mp::Pool pool(2);
    const pool_file file;
    std::vector<numbers> kept = pool.map(one_mib, test::views::iota(0u, 20u));
    kept.resize(10);
    EXPECT_TRUE(test::eventually([&] { return file.memory() < 11 * mib; })) << file.memory();
    for (std::uint32_t i = 0; i < 10; ++i) EXPECT_TRUE(holds(kept[i], mib, i));
    kept.clear();
    EXPECT_LT(file.memory(), mib);
    for (std::uint32_t round = 0; round < 3; ++round)
        for (std::uint32_t i = 0; const numbers& one : pool.map(one_mib, test::views::iota(0u, 20u)))
            EXPECT_TRUE(holds(one, mib, i++));
}

TEST(Buffer, may_be_dropped_by_any_thread) {
    mp::Pool pool(2);
    std::vector<std::thread> threads;
    for (std::uint32_t t = 0; t < 3; ++t)
        threads.emplace_back([&pool, t] {
            std::optional<numbers> kept;
            for (std::uint32_t i = 0; i < 20; ++i) {
                numbers one = pool.apply(filled, 100'000u, 100 * t + i);
                EXPECT_TRUE(holds(one, 100'000, 100 * t + i));
                if (i % 3 == 0) kept = std::move(one);
            }
            EXPECT_TRUE(holds(*kept, 100'000, 100 * t + 18));
        });
    for (std::thread& one : threads) one.join();
}

TEST(Buffer, of_a_call_that_was_given_up_takes_no_memory) {
    mp::Pool pool(1);
    const pool_file file;
    for (int round = 0; round < 3; ++round) {
        auto given_up = pool.map_async(one_mib, test::views::iota(0u, 30u));
        given_up.cancel();
    }
    pool.apply([] {});  // whatever the worker still made is there by then
    EXPECT_TRUE(test::eventually([&] { return file.memory() < mib; })) << file.memory();
}

// ---- ends

TEST(Buffer, survives_its_worker_and_those_after_it) {
    mp::Pool pool(1);
    const pool_file file;
    std::vector<numbers> kept;
    for (std::uint32_t i = 0; i < 6; ++i) {
        for (std::uint32_t k = 0; k < 3; ++k) kept.push_back(pool.apply(one_mib, 10 * i + k));
        kept.erase(kept.end() - 2);  // so that there is a gap
        EXPECT_THROW(pool.apply([] { ::raise(SIGKILL); }), mp::WorkerDied);
        EXPECT_TRUE(holds(pool.apply(one_mib, 99u), mib, 99));
    }
    for (std::uint32_t i = 0; i < 6; ++i) {
        EXPECT_TRUE(is_in_pool_memory(kept[2 * i].data()));
        EXPECT_TRUE(holds(kept[2 * i], mib, 10 * i) && holds(kept[2 * i + 1], mib, 10 * i + 2));
    }
    kept.clear();
    EXPECT_TRUE(test::eventually([&] { return file.memory() < mib; })) << file.memory();
}

TEST(Buffer, that_was_finished_before_a_death_arrives_and_stays) {
    mp::Pool pool(1);
    const auto outcomes = pool.try_map(
        [](std::uint32_t i) {
            if (i == 3) ::raise(SIGKILL);
            return one_mib(i);
        },
        std::vector{0u, 1u, 2u, 3u, 4u}, {.chunksize = 5});
    for (std::uint32_t i = 0; i < 5; ++i)
        if (i != 3) {
            EXPECT_TRUE(holds(outcomes[i].value(), mib, i));
        }
    EXPECT_THROW(outcomes[3].value(), mp::WorkerDied);
}

TEST(Buffer, survives_the_pool_which_leaves_no_other_memory) {
    std::optional<numbers> kept;
    std::optional<pool_file> file;
    for (const bool gracefully : {true, false}) {
        {
            mp::Pool pool(2);
            file.emplace();
            kept = std::move(pool.map(one_mib, test::views::iota(0u, 20u))[7]);
            if (gracefully) {
                pool.close();
                pool.join();
            }
        }
        EXPECT_TRUE(holds(*kept, mib, 7));
        EXPECT_LT(file->memory(), 2 * mib);
        kept.reset();
        EXPECT_LT(file->memory(), mib);
    }
}

TEST(Buffer, may_be_dropped_by_a_forked_child) {
    mp::Pool pool(1);
    std::optional<numbers> kept = pool.apply(one_mib, 5u);
    const pid_t child = ::fork();
    if (child == 0) {
        kept.reset();
        std::_Exit(0);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_TRUE(holds(*kept, mib, 5));
    for (std::uint32_t i = 0; i < 5; ++i) pool.apply(one_mib, i);
    EXPECT_TRUE(holds(*kept, mib, 5));
}

}  // namespace buffer_test
