// SPDX-License-Identifier: MIT
// How a Loader makes batches, and how far it is.
#ifndef PROCPOOL_LOADER_OPTIONS_HPP
#define PROCPOOL_LOADER_OPTIONS_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace procpool::inline v0_1 {

/// What a Loader does about a sample that can't be made.
enum class bad_samples {
    raise,  ///< Loader::next() throws its error in place of its batch, and goes on with the next batch
    skip,   ///< its batch has a sample less
};

/// `mp::Loader loader(pool, photos, {.batch_size = 32, .shuffle = true}, ...);`
struct LoaderOptions {
    /// Samples in a batch, 1 or more.
    std::size_t batch_size = 32;
    /// Batches that are made ahead of the consumer, 1 or more.
    std::size_t prefetch = 2;
    /// Batches that the consumer may have at a time, 1 or more. With `prefetch` it says how much memory a
    /// Loader takes: room for about `prefetch + held + 1` batches, twice the first if not `in_order`.
    std::size_t held = 1;
    /// Whether batches come in the order of their numbers. If not, a slow sample keeps only its own batch
    /// waiting.
    bool in_order = true;
    /// Whether each epoch has the samples in an order of its own.
    bool shuffle = false;
    /// Where the random numbers begin: the order of samples, and element_seed() in get(). Drawn by default.
    std::optional<std::uint64_t> seed = {};
    /// Whether the last batch of an epoch is left out if it would be shorter.
    bool drop_last = false;
    /// Epochs that there will be, so that nothing is made ahead for another one. No limit by default.
    std::optional<std::uint64_t> epochs = {};
    /// What becomes of a sample whose get() throws, or whose workers have died.
    procpool::bad_samples bad_samples = procpool::bad_samples::raise;
    /// Called by next() for each of these samples with its number and its error, whatever becomes of it then,
    /// also for batches that are made ahead. What it throws, next() throws; the call after that goes on. It
    /// must not use the Loader.
    std::function<void(std::uint64_t, const std::exception_ptr&)> on_bad_sample = {};
    /// Times that a sample is made again after its worker died or its time was over, 0 or more.
    int retries = 2;
    /// Whether `retries` are for samples whose get() throws, too.
    bool retry_exceptions = false;
    /// Time that each sample may take, see MapOptions::timeout. Not with a ThreadPool.
    std::optional<std::chrono::nanoseconds> timeout = {};
    /// What observers know it by.
    std::string name = "loader";
};

/// How far a Loader is: plain data for a checkpoint, by cereal for example. See Loader::resume().
struct LoaderState {
    /// LoaderOptions::seed, or what was drawn.
    std::uint64_t seed = 0;
    /// The epoch that is under way.
    std::uint64_t epoch = 0;
    /// The first of its batches that next() hasn't given.
    std::uint64_t batch = 0;
    /// Those behind it that next() has given; none if they come in order.
    std::vector<std::uint64_t> ahead = {};
    /// Number of samples, and of those in a batch.
    std::uint64_t samples = 0;
    std::uint64_t batch_size = 0;
    bool shuffle = false;
    bool drop_last = false;

    template <class Archive>
    void serialize(Archive& archive) {
        archive(seed, epoch, batch, ahead, samples, batch_size, shuffle, drop_last);
    }
};

/// What a Loader has done so far.
struct LoaderCounts {
    std::uint64_t batches = 0;   ///< that next() has given
    std::uint64_t samples = 0;   ///< in these
    std::uint64_t skipped = 0;   ///< samples that could not be made
    std::uint64_t repeated = 0;  ///< times that a sample was begun again
};

}  // namespace procpool::inline v0_1

#endif
