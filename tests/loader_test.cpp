// SPDX-License-Identifier: MIT
// Loader: batches of samples, made by workers in shared memory.
#include "procpool/loader.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "procpool/element_seed.hpp"
#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "support/message_of.hpp"
#include "support/processes.hpp"
#include "support/samples.hpp"
#include "support/shared.hpp"
#include "support/wait.hpp"

namespace loader_test {

namespace mp = procpool;
using test::flat;
using test::image;
using test::is_right;
using test::label;
using test::numbers_to;
using test::pictures;
using test::samples_of_epoch;
using test::sorted;

// ---- which samples

TEST(Loader, gives_each_sample_once_an_epoch_in_order) {
    mp::Pool pool(2);
    mp::Loader loader(pool, pictures{35}, {.batch_size = 8}, image, label);
    EXPECT_EQ(loader.size(), 5u);
    for (std::uint64_t epoch = 0; epoch < 4; ++epoch) {
        EXPECT_EQ(loader.epoch(), epoch);
        const auto batches = samples_of_epoch(loader);
        EXPECT_EQ(flat(batches), numbers_to(35));
        ASSERT_EQ(batches.size(), 5u);
        EXPECT_EQ(batches[4].size(), 3u);
    }
    EXPECT_EQ(loader.counts().batches, 20u);
    EXPECT_EQ(loader.counts().samples, 140u);
}

TEST(Loader, may_drop_the_last_short_batch) {
    mp::Pool pool(2);
    mp::Loader loader(pool, pictures{35}, {.batch_size = 8, .drop_last = true}, image, label);
    for (int epoch = 0; epoch < 3; ++epoch) EXPECT_EQ(flat(samples_of_epoch(loader)), numbers_to(32));
    mp::Loader none(pool, pictures{5}, {.batch_size = 8, .drop_last = true}, image, label);
    EXPECT_EQ(samples_of_epoch(none).size(), 0u);
    EXPECT_FALSE(none.next());
}

TEST(Loader, has_epochs_that_are_shorter_than_a_batch_or_empty) {
    mp::Pool pool(2);
    mp::Loader loader(pool, pictures{3}, {.batch_size = 8, .prefetch = 4}, image, label);
    for (int epoch = 0; epoch < 20; ++epoch) EXPECT_EQ(flat(samples_of_epoch(loader)), numbers_to(3));
    mp::Loader empty(pool, pictures{0}, {}, image, label);
    EXPECT_EQ(samples_of_epoch(empty).size(), 0u);
    EXPECT_EQ(samples_of_epoch(empty).size(), 0u);
}

TEST(Loader, shuffles_each_epoch_by_the_seed) {
    mp::Pool pool(2);
    const mp::LoaderOptions options{.batch_size = 8, .shuffle = true, .seed = 5};
    mp::Loader loader(pool, pictures{35}, options, image, label);
    mp::Loader again(pool, pictures{35}, options, image, label);
    std::set<std::vector<std::uint64_t>> orders;
    for (int epoch = 0; epoch < 3; ++epoch) {
        const auto order = flat(samples_of_epoch(loader));
        EXPECT_EQ(sorted(order), numbers_to(35));
        EXPECT_EQ(flat(samples_of_epoch(again)), order);
        orders.insert(order);
    }
    EXPECT_EQ(orders.size(), 3u);
}

TEST(Loader, ends_after_its_epochs) {
    mp::Pool pool(2);
    mp::Loader loader(pool, pictures{20}, {.batch_size = 8, .epochs = 2}, image, label);
    EXPECT_EQ(samples_of_epoch(loader).size(), 3u);
    EXPECT_EQ(samples_of_epoch(loader).size(), 3u);
    EXPECT_EQ(samples_of_epoch(loader).size(), 0u);
    EXPECT_FALSE(loader.next());
}

TEST(Loader, gives_batches_as_they_come) {
    mp::Pool pool(2);
    for (const std::size_t prefetch : {1, 3}) {
        mp::Loader loader(pool, pictures{100}, {.batch_size = 7, .prefetch = prefetch, .in_order = false},
                          image, label);
        for (int epoch = 0; epoch < 5; ++epoch)
            EXPECT_EQ(sorted(flat(samples_of_epoch(loader))), numbers_to(100));
    }
}

test::shared<std::atomic<int>> released;
test::shared<std::atomic<int>> begun;

TEST(Loader, that_gives_them_as_they_come_waits_for_no_slow_sample) {
    mp::Pool pool(2);
    released.reset();
    const auto first_is_slow = [](std::size_t i, int& to) {
        while (i == 0 && *released == 0) ::usleep(1000);
        to = static_cast<int>(2 * i);
    };
    // One epoch: of a second one the other worker might have begun the slow sample, too.
    mp::Loader loader(pool, 200, first_is_slow, {.batch_size = 5, .in_order = false, .epochs = 1}, label);
    std::size_t before = 0;
    for (const auto& batch : loader) {
        if (batch.number() == 0) break;
        if (++before == 39) *released = 1;
    }
    EXPECT_EQ(before, 39u);
}

// ---- how they are made

TEST(Loader, takes_samples_that_are_returned) {
    mp::Pool pool(2);
    const auto both = [](std::size_t i) {
        return std::tuple(std::vector<float>(12, static_cast<float>(i)), static_cast<long>(2 * i));
    };
    mp::Loader loader(pool, 20, both, {.batch_size = 8}, image, label);
    EXPECT_EQ(flat(samples_of_epoch(loader)), numbers_to(20));
    mp::Loader one(pool, 3, [](std::size_t i) { return i; }, {}, label);
    EXPECT_EQ(one.next()->array<0>()[2], 2);
}

TEST(Loader, works_on_threads_and_in_the_calling_thread) {
    mp::ThreadPool threads(2);
    mp::Loader on_threads(threads, pictures{35}, {.batch_size = 8}, image, label);
    mp::Pool none(mp::PoolOptions{.processes = 0});
    mp::Loader here(none, pictures{35}, {.batch_size = 8, .in_order = false}, image, label);
    for (int epoch = 0; epoch < 2; ++epoch) {
        EXPECT_EQ(flat(samples_of_epoch(on_threads)), numbers_to(35));
        EXPECT_EQ(sorted(flat(samples_of_epoch(here))), numbers_to(35));
    }
}

std::vector<std::uint64_t> seeds(std::size_t workers, bool in_order, std::uint64_t seed) {
    mp::Pool pool(static_cast<int>(workers));
    pool.map([](int i) { return i; }, std::vector{1, 2, 3});
    mp::Loader loader(
        pool, 20, [](std::size_t, std::uint64_t& to) { to = mp::element_seed(); },
        {.batch_size = 6, .in_order = in_order, .shuffle = true, .seed = seed},
        mp::sample_array<std::uint64_t>());
    std::vector<std::uint64_t> all(40);
    for (std::size_t epoch = 0; epoch < 2; ++epoch)
        for (const auto& batch : loader)
            for (std::size_t k = 0; k < batch.size(); ++k)
                all[20 * epoch + batch.samples()[k]] = batch.template array<0>()[k];
    return all;
}

TEST(Loader, has_element_seeds_that_depend_on_seed_epoch_and_sample_only) {
    const auto all = seeds(1, true, 7);
    EXPECT_EQ(std::set(all.begin(), all.end()).size(), 40u);
    EXPECT_EQ(seeds(3, false, 7), all);
    EXPECT_NE(seeds(1, true, 8), all);
}

/// Counts how often it arrives in a worker.
struct counted_arrivals : pictures {
    template <class Archive>
    void save(Archive& archive) const {
        archive(count);
    }
    template <class Archive>
    void load(Archive& archive) {
        archive(count);
        ++*begun;
    }
};

TEST(Loader, sends_the_dataset_to_each_worker_once_for_all_epochs) {
    mp::Pool pool(2);
    begun.reset();
    mp::Loader loader(pool, counted_arrivals{{35}}, {.batch_size = 8}, image, label);
    for (int epoch = 0; epoch < 5; ++epoch) EXPECT_EQ(flat(samples_of_epoch(loader)), numbers_to(35));
    EXPECT_LE(*begun, 2);
}

// ---- state

TEST(Loader, goes_on_where_another_one_was) {
    mp::Pool pool(2);
    for (const bool in_order : {true, false}) {
        const mp::LoaderOptions options{.batch_size = 8, .in_order = in_order, .shuffle = true, .seed = 3};
        for (const std::size_t taken : {0u, 2u, 5u, 7u}) {
            mp::Loader first(pool, pictures{35}, options, image, label);
            std::vector<std::uint64_t> before;
            for (std::size_t n = 0; n < taken; ++n)
                if (const auto batch = first.next())
                    before.insert(before.end(), batch->samples().begin(), batch->samples().end());
            const mp::LoaderState state = first.state();
            mp::Loader second(pool, pictures{35}, {.batch_size = 8, .in_order = in_order, .shuffle = true},
                              image, label);
            second.next();
            second.resume(state);
            EXPECT_EQ(second.epoch(), first.epoch());
            const auto rest = flat(samples_of_epoch(first));
            const auto resumed = flat(samples_of_epoch(second));
            EXPECT_EQ(sorted(resumed), sorted(rest));
            if (in_order) {
                EXPECT_EQ(resumed, rest);
                EXPECT_EQ(flat(samples_of_epoch(first)), flat(samples_of_epoch(second))) << "the next epoch";
            }
        }
    }
}

TEST(Loader, begins_any_epoch_when_told_so) {
    mp::Pool pool(2);
    mp::Loader loader(pool, pictures{35}, {.batch_size = 8, .shuffle = true}, image, label);
    const auto first = flat(samples_of_epoch(loader));
    auto kept = loader.next();
    loader.start_epoch(0);
    EXPECT_TRUE(is_right(*kept));
    kept.reset();
    EXPECT_EQ(flat(samples_of_epoch(loader)), first);
    loader.start_epoch(7);
    EXPECT_EQ(loader.next()->epoch(), 7u);
}

TEST(Loader, refuses_the_state_of_other_samples) {
    mp::Pool pool(1);
    mp::Loader loader(pool, pictures{35}, {.batch_size = 8}, image, label);
    mp::Loader other(pool, pictures{36}, {.batch_size = 8}, image, label);
    EXPECT_EQ(
        test::message_of<std::invalid_argument>([&] { loader.resume(other.state()); }),
        "procpool: this LoaderState is of 36 samples in batches of 8, and the Loader has 35 in batches of "
        "8; batch_size, shuffle and drop_last must be what they were");
    mp::LoaderState late = loader.state();
    late.batch = 6;
    EXPECT_THROW(loader.resume(late), std::invalid_argument);
    EXPECT_EQ(flat(samples_of_epoch(loader)), numbers_to(35));
}

// ---- memory

TEST(Loader, makes_no_more_than_it_may_ahead_of_a_slow_consumer) {
    mp::Pool pool(2);
    begun.reset();
    const auto counts = [](std::size_t, int&) { ++*begun; };
    mp::Loader loader(pool, 1000, counts, {.batch_size = 10, .prefetch = 3}, label);
    const auto first = loader.next();
    EXPECT_TRUE(test::eventually([] { return *begun >= 39; }));
    pool.apply([] {});
    EXPECT_LE(*begun, 50);
}

TEST(Loader, uses_the_workers_that_its_pool_has_got_since) {
    mp::Pool pool({.processes = 1, .max_processes = 6});
    const auto who = [](std::size_t, int& to) {
        ::usleep(2000);
        to = ::getpid();
    };
    mp::Loader loader(pool, 1000, who, {.batch_size = 4}, label);
    std::set<int> workers;
    const auto take = [&] {
        if (const auto batch = loader.next())
            for (const int worker : batch->array<0>()) workers.insert(worker);
    };
    take();
    EXPECT_EQ(workers.size(), 1u);
    pool.resize(6);
    EXPECT_TRUE(test::eventually([&] {
        take();
        return workers.size() == 6;
    })) << workers.size()
        << " of 6 workers make samples";
}

TEST(Loader, makes_few_batches_with_all_workers) {
    mp::Pool pool(4);
    begun.reset();
    released.reset();
    const auto waits = [](std::size_t, int&) {
        ++*begun;
        while (*released == 0) ::usleep(1000);
    };
    mp::Loader loader(pool, 16, waits, {.batch_size = 8, .prefetch = 4, .epochs = 1}, label);
    std::thread consumer([&] { EXPECT_EQ(loader.next()->size(), 8u); });
    EXPECT_TRUE(test::eventually([] { return *begun == 4; })) << *begun << " of 4 workers have a sample";
    *released = 1;
    consumer.join();
}

TEST(Loader, cuts_each_batch_into_as_many_orders_as_it_is_told) {
    namespace loader = mp::detail::loader;
    for (std::uint64_t samples = 1; samples <= 40; ++samples)
        for (std::uint64_t orders = 1; orders <= samples; ++orders) {
            loader::free_slots slots(1);
            loader::batch_plan plan({.samples = samples, .batch_size = samples, .epochs = 1});
            std::uint64_t made = 0;
            std::uint64_t placed = 0;
            while (const auto order = plan.next(slots, 0, orders)) {
                EXPECT_EQ(order->place, placed);
                placed += order->count;
                ++made;
            }
            EXPECT_EQ(placed, samples);
            EXPECT_EQ(made, orders) << "of " << samples << " samples";
        }
}

TEST(Loader, lets_the_consumer_have_as_many_batches_as_it_may) {
    mp::Pool pool(2);
    mp::Loader loader(pool, pictures{200}, {.batch_size = 8, .held = 3}, image, label);
    std::vector<mp::Loader<pictures, mp::SampleArray<float, 2>, mp::SampleArray<int, 0>>::batch_type> held;
    for (int n = 0; n < 3; ++n) held.push_back(std::move(*loader.next()));
    EXPECT_THROW(loader.next(), mp::Error);
    const auto kept = std::move(held.front());
    held.erase(held.begin());
    for (int n = 0; n < 20; ++n) {
        held.pop_back();
        held.push_back(std::move(*loader.next()));
        for (const auto& one : held) EXPECT_TRUE(is_right(one));
        EXPECT_TRUE(is_right(kept));
    }
}

TEST(Loader, may_end_before_its_batches) {
    mp::Pool pool(2);
    std::optional<mp::Batch<mp::SampleArray<float, 2>, mp::SampleArray<int, 0>>> kept;
    {
        mp::Loader loader(pool, pictures{200}, {.batch_size = 8}, image, label);
        kept = loader.next();
        mp::Loader moved = std::move(loader);
        EXPECT_FALSE(is_right(*kept) && moved.counts().batches != 1);
    }
    EXPECT_TRUE(is_right(*kept));
}

// ---- ends

TEST(Loader, ends_what_is_being_made_without_ending_workers) {
    mp::Pool pool(2);
    const auto before = sorted(test::workers());
    for (int round = 0; round < 5; ++round) {
        mp::Loader loader(pool, 1000, [](std::size_t, int&) { ::usleep(5000); }, {.batch_size = 4}, label);
        loader.next();
    }
    EXPECT_EQ(sorted(test::workers()), before);
}

TEST(Loader, ends_though_a_sample_never_does) {
    mp::Pool pool(1);
    begun.reset();
    {
        mp::Loader loader(
            pool, 1000,
            [](std::size_t i, int&) {
                if (i == 5) ++*begun;
                while (i == 5) ::pause();
            },
            {.batch_size = 4}, label);
        loader.next();
        EXPECT_TRUE(test::eventually([] { return *begun > 0; }));
    }
    EXPECT_EQ(pool.apply([] { return 1; }), 1);
}

TEST(Loader, tells_of_the_end_of_its_pool_though_it_skips_bad_samples) {
    mp::Pool pool(2);
    mp::Loader loader(pool, pictures{200}, {.batch_size = 8, .bad_samples = mp::bad_samples::skip}, image,
                      label);
    loader.next();
    pool.terminate();
    EXPECT_THROW(while (loader.next()){}, mp::Error);
    EXPECT_THROW(loader.next(), mp::Error);
    mp::Loader too_late(pool, pictures{200}, {}, image, label);
    EXPECT_THROW(too_late.next(), mp::PoolNotRunning);
}

TEST(Loader, may_be_destroyed_by_a_forked_child) {
    mp::Pool pool(1);
    std::optional loader(mp::Loader(pool, pictures{200}, {.batch_size = 8}, image, label));
    auto batch = loader->next();
    const pid_t child = ::fork();
    if (child == 0) {
        batch.reset();
        loader.reset();
        std::_Exit(0);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    batch.reset();
    EXPECT_TRUE(is_right(*loader->next()));
}

TEST(Loader, refuses_options_that_make_no_sense) {
    mp::Pool pool(1);
    const auto refusal = [&](const mp::LoaderOptions& options) {
        return test::message_of<std::invalid_argument>(
            [&] { mp::Loader(pool, pictures{3}, options, image, label); });
    };
    EXPECT_EQ(refusal({.batch_size = 0}), "procpool: LoaderOptions::batch_size is 1 or more");
    EXPECT_EQ(refusal({.prefetch = 0}), "procpool: LoaderOptions::prefetch is 1 or more");
    EXPECT_EQ(refusal({.held = 0}), "procpool: LoaderOptions::held is 1 or more");
    EXPECT_EQ(refusal({.retries = -1}), "procpool: LoaderOptions::retries is 0 or more");
    EXPECT_THROW(mp::sample_array<int>(3, 0), std::invalid_argument);
    mp::ThreadPool threads(1);
    mp::Loader limited(threads, pictures{3}, {.timeout = std::chrono::seconds(1)}, image, label);
    EXPECT_THROW(limited.next(), std::invalid_argument);
}

}  // namespace loader_test
