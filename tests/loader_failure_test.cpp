// SPDX-License-Identifier: MIT
// Loader: samples that can't be made, and workers that die of them.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "procpool/error.hpp"
#include "procpool/loader.hpp"
#include "procpool/pool.hpp"
#include "procpool/shared_array.hpp"
#include "procpool/thread_pool.hpp"
#include "procpool/wait_hook.hpp"
#include "support/samples.hpp"
#include "support/shared.hpp"
#include "support/wait.hpp"

namespace loader_failure_test {

namespace mp = procpool;
using test::flat;
using test::image;
using test::label;
using test::numbers_to;
using test::pictures;
using test::samples_of_epoch;
using test::sorted;

test::shared<std::atomic<int>> begun;

struct unlucky : std::runtime_error {
    using std::runtime_error::runtime_error;
};

const auto some_are_bad = [](std::size_t i, mp::ArrayView<float, 2> to, int& number) {
    if (i % 7 == 3 || (i >= 16 && i < 24)) throw std::out_of_range("bad");
    pictures{}.get(i, to, number);
};

TEST(LoaderFailure, skips_bad_samples_and_counts_them) {
    mp::Pool pool(2);
    mp::Loader loader(pool, 40, some_are_bad, {.batch_size = 8, .bad_samples = mp::bad_samples::skip}, image,
                      label);
    for (int epoch = 0; epoch < 2; ++epoch) {
        const auto batches = samples_of_epoch(loader);
        EXPECT_EQ(batches.size(), 4u) << "one has no samples at all";
        for (const std::uint64_t i : flat(batches)) EXPECT_FALSE(i % 7 == 3 || (i >= 16 && i < 24));
    }
    EXPECT_EQ(loader.counts().skipped, 2 * 13u);
    EXPECT_EQ(loader.counts().samples, 2 * 27u);
}

TEST(LoaderFailure, throws_what_a_bad_sample_threw_and_goes_on_with_the_next_batch) {
    mp::Pool pool(2);
    mp::Loader loader(pool, 14, some_are_bad, {.batch_size = 7}, image, label);
    EXPECT_THROW(loader.next(), std::out_of_range);
    EXPECT_THROW(loader.next(), std::out_of_range);
    EXPECT_FALSE(loader.next());
    mp::Loader other(pool, 10, some_are_bad, {.batch_size = 2}, image, label);
    EXPECT_EQ(other.next()->number(), 0u);
    EXPECT_THROW(other.next(), std::out_of_range);
    EXPECT_EQ(other.next()->number(), 2u);
}

TEST(LoaderFailure, makes_samples_again_if_told_so_and_counts_that) {
    mp::Pool pool(2);
    begun.reset();
    const auto bad_once = [](std::size_t i, int& to) {
        if (i == 5 && ++*begun < 3) throw std::out_of_range("bad");
        to = static_cast<int>(2 * i);
    };
    mp::Loader loader(pool, 10, bad_once,
                      {.batch_size = 4, .epochs = 1, .retries = 2, .retry_exceptions = true}, label);
    std::size_t batches = 0;
    for (const auto& batch : loader) {
        ++batches;
        for (std::size_t k = 0; k < batch.size(); ++k)
            EXPECT_EQ(batch.array<0>()[k], static_cast<int>(2 * batch.samples()[k]));
    }
    EXPECT_EQ(batches, 3u);
    EXPECT_EQ(loader.counts().repeated, 2u);
}

TEST(LoaderFailure, makes_again_what_a_worker_held_that_died) {
    mp::Pool pool(2);
    begun.reset();
    const auto dies_once = [](std::size_t i, mp::ArrayView<float, 2> to, int& number) {
        pictures{}.get(i, to, number);
        if (i == 11 && ++*begun == 1) {
            to.fill(-1);
            ::raise(SIGKILL);
        }
    };
    for (const bool in_order : {true, false}) {
        begun.reset();
        mp::Loader loader(pool, 40, dies_once, {.batch_size = 8, .in_order = in_order, .epochs = 1}, image,
                          label);
        EXPECT_EQ(sorted(flat(samples_of_epoch(loader))), numbers_to(40));
        EXPECT_EQ(loader.counts().repeated, 1u);
    }
}

TEST(LoaderFailure, tells_of_a_sample_that_kills_each_worker) {
    mp::Pool pool(2);
    const auto dies = [](std::size_t i, int& to) {
        if (i == 5) ::raise(SIGKILL);
        to = static_cast<int>(2 * i);
    };
    mp::Loader raises(pool, 12, dies, {.batch_size = 4, .retries = 1}, label);
    EXPECT_EQ(raises.next()->number(), 0u);
    EXPECT_THROW(raises.next(), mp::WorkerDied);
    EXPECT_EQ(raises.next()->number(), 2u);
    mp::Loader skips(pool, 12, dies, {.batch_size = 4, .bad_samples = mp::bad_samples::skip, .retries = 0},
                     label);
    EXPECT_EQ(skips.next()->size(), 4u);
    EXPECT_EQ(skips.next()->size(), 3u);
}

// Of each sample how often it was begun. Workers get several samples at a time.
test::shared<std::array<std::atomic<int>, 32>> begun_of;

std::vector<int> times_begun(std::size_t samples) {
    std::vector<int> all;
    for (std::size_t i = 0; i < samples; ++i) all.push_back((*begun_of)[i]);
    return all;
}

TEST(LoaderFailure, makes_no_other_sample_again_when_a_worker_dies) {
    mp::Pool pool(2);
    const auto dies_once = [](std::size_t i, int& to) {
        if (++(*begun_of)[i] == 1 && (i == 3 || i == 16)) ::raise(SIGKILL);
        to = static_cast<int>(2 * i);
    };
    for (const bool in_order : {true, false}) {
        begun_of.reset();
        mp::Loader loader(pool, 32, dies_once, {.batch_size = 16, .in_order = in_order, .epochs = 1}, label);
        std::size_t samples = 0;
        for (const auto& batch : loader)
            for (std::size_t k = 0; k < batch.size(); ++k, ++samples)
                EXPECT_EQ(batch.array<0>()[k], static_cast<int>(2 * batch.samples()[k]));
        EXPECT_EQ(samples, 32u);
        std::vector<int> expected(32, 1);
        expected[3] = expected[16] = 2;
        EXPECT_EQ(times_begun(32), expected);
        EXPECT_EQ(loader.counts().repeated, 2u);
    }
}

TEST(LoaderFailure, makes_no_other_sample_again_when_some_throw) {
    mp::Pool pool(2);
    begun_of.reset();
    const auto bad = [](std::size_t i, int& to) {
        ++(*begun_of)[i];
        if (i == 0 || i == 4 || i == 5 || i == 15) throw std::out_of_range("bad");
        to = static_cast<int>(2 * i);
    };
    mp::Loader loader(pool, 16, bad,
                      {.batch_size = 16, .epochs = 1, .bad_samples = mp::bad_samples::skip, .retries = 0},
                      label);
    const auto batch = loader.next();
    ASSERT_TRUE(batch);
    const std::vector<std::uint64_t> good{1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14};
    EXPECT_EQ(std::vector(batch->samples().begin(), batch->samples().end()), good);
    EXPECT_EQ(times_begun(16), std::vector<int>(16, 1));
    EXPECT_EQ(loader.counts().skipped, 4u);
}

TEST(LoaderFailure, makes_no_sample_again_that_is_done_when_the_pool_runs_an_order_again) {
    const mp::SharedArray<std::uint64_t, 1> run({1});
    const mp::SharedArray<mp::detail::loader::sample_state, 2> states({1, 4});
    const std::tuple<mp::SharedArray<int, 2>> slots(mp::SharedArray<int, 2>({1, 4}));
    begun_of.reset();
    const auto third_throws_once = [](std::size_t i, int& to) {
        if (++(*begun_of)[i] == 1 && i == 2) throw std::out_of_range("bad");
        to = static_cast<int>(2 * i);
    };
    for (std::uint64_t i = 0; i < 4; ++i) states(0, i) = {.sample = i};
    const auto once = [&] {
        return mp::detail::loader::run_samples<decltype(third_throws_once), mp::SampleArray<int, 0>>(
            third_throws_once, run, states, slots, {.count = 4});
    };
    EXPECT_THROW(once(), std::out_of_range);
    EXPECT_TRUE(once());
    EXPECT_EQ(times_begun(4), (std::vector<int>{1, 1, 2, 1}));
}

TEST(LoaderFailure, names_the_sample_that_has_killed_its_worker_and_not_the_order) {
    mp::Pool pool(2);
    const auto dies = [](std::size_t i, int& to) {
        if (i == 21) ::raise(SIGKILL);
        to = static_cast<int>(i);
    };
    mp::Loader loader(pool, 32, dies, {.batch_size = 32, .retries = 0}, label);
    try {
        loader.next();
        FAIL() << "nothing was thrown";
    } catch (const mp::WorkerDied& death) {
        EXPECT_EQ(death.index(), 21u);
        EXPECT_EQ(death.signal(), SIGKILL);
        EXPECT_EQ(std::string(death.what()).find("procpool: sample 21 could not be made: worker "), 0u)
            << death.what();
    }
}

TEST(LoaderFailure, of_a_time_limit_stays_a_timeout) {
    mp::Pool pool(2);
    const auto slow = [](std::size_t i, int& to) {
        while (i == 2) ::pause();
        to = static_cast<int>(i);
    };
    mp::Loader loader(pool, 4, slow, {.batch_size = 4, .retries = 0, .timeout = std::chrono::seconds(2)},
                      label);
    try {
        loader.next();
        FAIL() << "nothing was thrown";
    } catch (const mp::TaskTimeout& late) {
        EXPECT_EQ(late.index(), 2u);
    }
}

template <class Pool>
class LoaderFailureOnAnyPool : public ::testing::Test {};
using pools = ::testing::Types<mp::Pool, mp::ThreadPool>;
TYPED_TEST_SUITE(LoaderFailureOnAnyPool, pools);

TYPED_TEST(LoaderFailureOnAnyPool, takes_no_exception_for_a_death_whatever_its_type) {
    TypeParam pool(2);
    begun_of.reset();
    const auto throws = [](std::size_t i, int& to) {
        ++(*begun_of)[i];
        if (i == 3) throw mp::WorkerDied("of another pool", {.pid = 7});
        to = static_cast<int>(i);
    };
    mp::Loader loader(pool, 8, throws, {.batch_size = 8, .epochs = 1, .retries = 5}, label);
    try {
        loader.next();
        FAIL() << "nothing was thrown";
    } catch (const mp::WorkerDied& thrown) {
        EXPECT_STREQ(thrown.what(), "of another pool");
    }
    EXPECT_EQ(times_begun(8), std::vector<int>(8, 1)) << "an exception isn't tried again by default";
}

TYPED_TEST(LoaderFailureOnAnyPool, tells_which_samples_were_bad) {
    TypeParam pool(2);
    std::vector<std::uint64_t> told;
    mp::Loader loader(pool, 40, some_are_bad,
                      {.batch_size = 8,
                       .epochs = 1,
                       .bad_samples = mp::bad_samples::skip,
                       .on_bad_sample =
                           [&](std::uint64_t sample, const std::exception_ptr& error) {
                               told.push_back(sample);
                               EXPECT_THROW(std::rethrow_exception(error), std::out_of_range);
                           }},
                      image, label);
    const auto good = flat(samples_of_epoch(loader));
    EXPECT_EQ(told.size(), 13u);
    told.insert(told.end(), good.begin(), good.end());
    EXPECT_EQ(sorted(told), numbers_to(40));
}

TEST(LoaderFailure, whose_observer_of_bad_samples_throws_goes_on_behind_it) {
    mp::Pool pool(2);
    int calls = 0;
    mp::Loader loader(pool, 16, some_are_bad,
                      {.batch_size = 8,
                       .epochs = 1,
                       .bad_samples = mp::bad_samples::skip,
                       .on_bad_sample =
                           [&](std::uint64_t, const std::exception_ptr&) {
                               if (++calls == 1) throw unlucky("enough");
                           }},
                      image, label);
    std::vector<std::uint64_t> samples;
    int thrown = 0;
    for (;;) try {
            const auto batch = loader.next();
            if (!batch) break;
            samples.insert(samples.end(), batch->samples().begin(), batch->samples().end());
        } catch (const unlucky&) {
            ++thrown;
        }
    EXPECT_EQ(thrown, 1);
    EXPECT_EQ(calls, 2);
    EXPECT_EQ(sorted(samples), (std::vector<std::uint64_t>{0, 1, 2, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15}));
}

TEST(LoaderFailure, loses_nothing_that_was_printed_before_a_sample_kills_its_worker) {
    ::testing::internal::CaptureStdout();
    {
        mp::Pool pool(1);
        const auto prints = [](std::size_t i, int& to) {
            if (i == 6) ::raise(SIGKILL);
            std::printf("sample %zu\n", i);
            to = static_cast<int>(i);
        };
        mp::Loader loader(pool, 8, prints,
                          {.batch_size = 8, .epochs = 1, .bad_samples = mp::bad_samples::skip, .retries = 0},
                          label);
        EXPECT_EQ(loader.next()->size(), 7u);
    }
    const std::string printed = ::testing::internal::GetCapturedStdout();
    EXPECT_EQ(std::ranges::count(printed, '\n'), 7) << printed;
}

struct hold {
    std::atomic<bool> on{true};
    std::atomic<bool> reached;
};
test::shared<hold> held;

TEST(LoaderFailure, goes_on_when_a_resume_that_was_interrupted_is_called_again) {
    mp::Pool pool(2);
    held.reset();
    held->on = true;
    const auto waits = [](std::size_t i, mp::ArrayView<float, 2> to, int& number) {
        while (i >= 8 && held->on) {
            held->reached = true;
            ::usleep(1000);
        }
        pictures{}.get(i, to, number);
    };
    mp::Loader loader(pool, 16, waits, {.batch_size = 4, .epochs = 1}, image, label);
    ASSERT_TRUE(loader.next());
    const mp::LoaderState second = loader.state();
    ASSERT_TRUE(test::eventually([] { return held->reached.load(); }));
    {
        const mp::WaitHook hook([] { throw unlucky("interrupted"); }, std::chrono::milliseconds(1));
        EXPECT_THROW(loader.resume(second), unlucky);
    }
    EXPECT_THROW(loader.next(), mp::Error);
    held->on = false;
    loader.resume(second);
    EXPECT_EQ(flat(samples_of_epoch(loader)),
              (std::vector<std::uint64_t>{4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}));
}

TEST(LoaderFailure, gives_each_sample_the_time_that_it_may_take) {
    mp::Pool pool(2);
    const auto slow = [](std::size_t i, int& to) {
        while (i == 6) ::pause();
        ::usleep(150'000);
        to = static_cast<int>(2 * i);
    };
    mp::Loader loader(pool, 32, slow,
                      {.batch_size = 32,
                       .epochs = 1,
                       .bad_samples = mp::bad_samples::skip,
                       .retries = 0,
                       .timeout = std::chrono::seconds(2)},
                      label);
    const auto batch = loader.next();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->size(), 31u) << "in one go, they would all be too slow";
}

struct ends_workers {
    std::size_t size() const { return 8; }
    void get(std::size_t, int&) const {}
    template <class Archive>
    void save(Archive&) const {}
    template <class Archive>
    void load(Archive&) {
        ::raise(SIGKILL);
    }
};

TEST(LoaderFailure, whose_dataset_ends_each_worker_tells_so) {
    mp::Pool pool(2);
    mp::Loader loader(pool, ends_workers{}, {.batch_size = 4}, label);
    EXPECT_THROW(loader.next(), mp::WorkerDied);
}

}  // namespace loader_failure_test
