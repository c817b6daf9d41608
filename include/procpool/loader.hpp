// SPDX-License-Identifier: MIT
// Loader: batches of samples for training, made by workers in shared memory.
#ifndef PROCPOOL_LOADER_HPP
#define PROCPOOL_LOADER_HPP

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>

#include "procpool/array_view.hpp"
#include "procpool/detail/loader/batch_memory.hpp"
#include "procpool/detail/loader/batch_plan.hpp"
#include "procpool/detail/loader/batch_queue.hpp"
#include "procpool/detail/loader/order_range.hpp"
#include "procpool/detail/loader/run_samples.hpp"
#include "procpool/imap.hpp"
#include "procpool/loader_options.hpp"
#include "procpool/options.hpp"
#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"

namespace procpool::inline v0_1 {

/// One array of a batch: the element type, and the shape of one sample's part. See sample_array().
template <class T, std::size_t Rank>
struct SampleArray {
    using element = T;
    static constexpr std::size_t rank = Rank;
    std::array<std::size_t, Rank> shape{};
};

/// `mp::sample_array<std::uint8_t>(224, 224, 3)` is an image of each sample, `mp::sample_array<int>()` a
/// number. @throws std::invalid_argument if a size is less than 1
template <class T, std::integral... Sizes>
SampleArray<T, sizeof...(Sizes)> sample_array(Sizes... sizes) {
    static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T> && !std::is_const_v<T>,
                  "procpool: what samples consist of is plain data: numbers, or trivially copyable structs");
    if (!(std::cmp_greater(sizes, 0) && ...))
        throw std::invalid_argument("procpool: each size of a sample_array is 1 or more");
    return {{static_cast<std::size_t>(sizes)...}};
}

/// Samples in arrays that lie in shared memory, where workers have put them: number k of a sample's parts is
/// element k of arrays(), and the first index is that of the sample in the batch.
///
/// It can be moved, and is good until it is destroyed; then its memory is for another batch.
template <class... Arrays>
class Batch {
public:
    Batch(Batch&& other) noexcept = default;
    Batch& operator=(Batch&& other) noexcept {
        std::swap(memory_, other.memory_);
        std::swap(of_, other.of_);
        return *this;
    }
    ~Batch() {
        if (memory_) memory_->free.return_held(of_.slot);
    }

    /// Number of samples.
    std::size_t size() const noexcept { return of_.samples.size(); }
    std::uint64_t epoch() const noexcept { return of_.epoch; }
    /// Its number in the epoch.
    std::uint64_t number() const noexcept { return of_.number; }
    /// Which samples of the dataset it has.
    std::span<const std::uint64_t> samples() const noexcept { return of_.samples; }

    /// The Index-th part of all samples, of one dimension more than a sample's.
    template <std::size_t Index>
    auto array() const noexcept {
        const auto& slots = std::get<Index>(memory_->parts);
        const auto whole = slots[of_.slot];
        auto shape = whole.shape();
        shape[0] = size();
        return std::remove_cv_t<decltype(whole)>(whole.data(), shape);
    }
    /// All of them: `const auto [images, labels] = batch.arrays();`
    auto arrays() const noexcept {
        return [this]<std::size_t... Index>(std::index_sequence<Index...>) {
            return std::tuple(array<Index>()...);
        }(std::index_sequence_for<Arrays...>());
    }

private:
    template <class, class...>
    friend class Loader;
    Batch(std::shared_ptr<detail::loader::batch_memory<Arrays...>> memory, detail::loader::open_batch of)
        : memory_(std::move(memory)), of_(std::move(of)) {
        memory_->free.hand_out();
    }

    std::shared_ptr<detail::loader::batch_memory<Arrays...>> memory_;
    detail::loader::open_batch of_;
};

/// Batches of samples for training, that workers make ahead of the consumer: what DataLoader is in PyTorch,
/// and fit_generator in Keras.
///
/// A dataset has `size()`, and `get(i, parts...)` as a const member, which writes sample i into its place in
/// the batch: an `ArrayView<T, Rank>` for each sample_array of a shape, a `T&` for each of a number. The
/// memory may hold an earlier sample. Or it has `get(i)`, whose result is copied there: a range or a view of
/// as many elements, a number, or a tuple of these. In place of a dataset there may be a number of samples
/// and a function. It goes to each worker once, as what is bound by partial() does; each epoch uses the same
/// workers. In get() element_seed() depends on seed, epoch and sample only.
///
/// `for (const auto& batch : loader)` is the rest of an epoch, and the next such loop is the next epoch.
/// While the consumer uses a batch, workers make others, as far ahead as LoaderOptions::prefetch says; a
/// consumer that is slow makes them wait. A worker that dies costs the sample it was making, which is made
/// again.
///
/// It works on a Pool (with `processes = 0`, too) and on a ThreadPool, which must outlive it. One thread at a
/// time.
template <class Source, class... Arrays>
class Loader {
    static_assert(sizeof...(Arrays) > 0, "procpool: a Loader has at least one sample_array");
    static_assert(
        detail::loader::makes_samples<Source, detail::loader::cell<Arrays>...>,
        "procpool: a dataset has a const get(i, parts...) that takes a std::size_t and, for each "
        "sample_array, an ArrayView or a reference to a number; or get(i), which returns the sample");

public:
    /// What next() returns.
    using batch_type = Batch<Arrays...>;

    /// Takes a copy of the dataset, and begins with the first epoch. Workers begin with the first next().
    /// @throws std::invalid_argument if an option makes no sense
    /// @throws std::system_error if there is no memory for the batches
    template <class Pool>
    Loader(Pool& pool, Source dataset, LoaderOptions options, Arrays... arrays)
        : Loader(pool, static_cast<std::size_t>(dataset.size()), std::move(dataset), std::move(options),
                 arrays...) {}

    /// The same for a function in place of a dataset, and so many samples.
    template <class Pool>
    Loader(Pool& pool, std::size_t samples, Source function, LoaderOptions options, Arrays... arrays) {
        static_assert(
            std::is_same_v<Pool, procpool::Pool> || std::is_same_v<Pool, ThreadPool>,
            "procpool: a Loader works on a Pool or a ThreadPool: its batches lie in memory that other "
            "machines don't see");
        core_ = std::make_unique<core>(samples, std::move(options), arrays...);
        core_->count_workers = [&pool] { return std::max<std::size_t>(pool.size(), 1); };
        core_->start = [&pool, task = make_task(std::move(function), *core_->memory)](
                           core& from, const MapOptions& how) -> ImapOutcomes<bool> {
            detail::loader::order_range<core> orders(from);
            if (from.options.in_order) return pool.try_imap(task, std::move(orders), how);
            return pool.try_imap_unordered(task, std::move(orders), how);
        };
    }

    Loader(Loader&&) noexcept = default;
    Loader& operator=(Loader&& other) noexcept {
        core_.swap(other.core_);
        return *this;
    }
    /// What is being made is waited for, for a second at the most; then its workers are ended.
    ~Loader() = default;

    /// The next batch of this epoch; nothing at its end, and then the first of the next one.
    /// @throws Error if the consumer has LoaderOptions::held batches already
    /// @throws what get() threw, WorkerDied or TaskTimeout for a sample that can't be made, unless these are
    /// skipped; the next call goes on with the next batch
    /// @throws PoolTerminated, PoolNotRunning if the pool has ended, SerializationError if the dataset can't
    /// be sent
    std::optional<batch_type> next() {
        auto ready = core_->next();
        if (!ready) return std::nullopt;
        return batch_type(core_->memory, std::move(*ready));
    }

    /// The rest of this epoch. Each step drops the batch before.
    class iterator {
    public:
        using value_type = batch_type;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;

        iterator() = default;
        batch_type& operator*() const { return *current(); }
        batch_type* operator->() const { return &*current(); }
        iterator& operator++() {
            from_->advance();
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator& at, std::default_sentinel_t) { return !at.current(); }

    private:
        friend Loader;
        explicit iterator(Loader* from) : from_(from) {}
        std::optional<batch_type>& current() const { return from_->core_->current; }
        Loader* from_ = nullptr;
    };
    /// Waits for the first batch.
    iterator begin() {
        advance();
        return iterator(this);
    }
    std::default_sentinel_t end() const noexcept { return std::default_sentinel; }

    /// Number of batches in an epoch.
    std::uint64_t size() const noexcept { return core_->plan.batches_per_epoch(); }
    /// The epoch that is under way; the first is 0.
    std::uint64_t epoch() const noexcept { return core_->epoch; }
    LoaderCounts counts() const noexcept { return core_->counts; }

    /// How far it is, for resume().
    LoaderState state() const { return core_->state(); }
    /// Goes on behind what next() had given when `state` was taken, in this run of the program or another.
    /// What is being made is waited for. Batches that the consumer has stay good.
    /// @throws std::invalid_argument if the state is of other samples, or of other batches
    void resume(const LoaderState& state) { core_->resume(state); }
    /// Goes on with the beginning of an epoch, as resume() does.
    void start_epoch(std::uint64_t epoch) {
        LoaderState from = core_->state();
        from.epoch = epoch;
        from.batch = 0;
        from.ahead.clear();
        core_->resume(from);
    }

private:
    using memory_type = detail::loader::batch_memory<Arrays...>;

    static auto make_task(Source source, const memory_type& memory) {
        return partial(&detail::loader::run_samples<Source, Arrays...>, std::move(source), memory.run,
                       memory.states, memory.parts);
    }

    struct core final : detail::loader::batch_queue {
        core(std::size_t samples, LoaderOptions how, const Arrays&... arrays)
            : batch_queue(samples, std::move(how)),
              memory(std::make_shared<memory_type>(slots_wanted(), options.batch_size, arrays...)) {
            use(memory->free, memory->run, memory->states);
        }
        ~core() override { stop_soon(); }

        std::size_t workers() const override { return count_workers(); }
        ImapOutcomes<bool> begin_orders(const MapOptions& how) override { return start(*this, how); }
        void close_gaps(const detail::loader::open_batch& batch) override { memory->close_gaps(batch); }

        std::shared_ptr<memory_type> memory;
        std::function<ImapOutcomes<bool>(core&, const MapOptions&)> start;
        std::function<std::size_t()> count_workers;
        std::optional<batch_type> current;  // the iterator's
    };

    void advance() {
        core_->current.reset();
        core_->current = next();
    }

    std::unique_ptr<core> core_;
};

}  // namespace procpool::inline v0_1

#endif
