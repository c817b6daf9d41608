// SPDX-License-Identifier: MIT
// A loader between its plan, its workers and its consumer: what knows no types of samples.
#ifndef PROCPOOL_DETAIL_LOADER_BATCH_QUEUE_HPP
#define PROCPOOL_DETAIL_LOADER_BATCH_QUEUE_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/pool_options.hpp"
#include "procpool/detail/loader/batch_plan.hpp"
#include "procpool/detail/loader/checks.hpp"
#include "procpool/detail/loader/free_slots.hpp"
#include "procpool/detail/loader/orders_in_flight.hpp"
#include "procpool/detail/os/fork_stamp.hpp"
#include "procpool/error.hpp"
#include "procpool/imap.hpp"
#include "procpool/loader_options.hpp"
#include "procpool/options.hpp"
#include "procpool/shared_array.hpp"

namespace procpool::inline v0_1::detail::loader {

/// One thread at a time.
class batch_queue {
public:
    batch_queue(std::size_t samples, LoaderOptions how)
        : options(checked(std::move(how))),
          plan({.samples = samples,
                .batch_size = options.batch_size,
                .shuffle = options.shuffle,
                .drop_last = options.drop_last,
                .seed = job::seed_of(PoolOptions{.seed = options.seed}),
                .epochs = options.epochs.value_or(~std::uint64_t{0})}) {}
    batch_queue(const batch_queue&) = delete;
    batch_queue& operator=(const batch_queue&) = delete;
    virtual ~batch_queue() = default;

    /// The next batch of this epoch; nothing at its end.
    std::optional<open_batch> next() {
        if (failed_) std::rethrow_exception(failed_);
        if (stopping_)
            throw Error("procpool: resume() or start_epoch() of this Loader was interrupted; call it again");
        if (free_->held() >= options.held)
            throw Error(
                "procpool: the consumer of a Loader has as many batches as LoaderOptions::held says, " +
                std::to_string(options.held) + "; drop one before the next, or let it have more");
        while (epoch < plan.settings().epochs) {
            if (auto ready = plan.take_ready(epoch, options.in_order)) {
                if (finish(*ready)) return ready;
            } else if (plan.is_through(epoch)) {
                begin_epoch(epoch + 1);
                return std::nullopt;
            } else {
                take_result();
            }
        }
        return std::nullopt;
    }

    LoaderState state() const {
        return {.seed = plan.settings().seed,
                .epoch = epoch,
                .batch = batch_,
                .ahead = {ahead_.begin(), ahead_.end()},
                .samples = plan.settings().samples,
                .batch_size = plan.settings().batch_size,
                .shuffle = plan.settings().shuffle,
                .drop_last = plan.settings().drop_last};
    }
    void resume(const LoaderState& from) {
        require_same(from, plan);
        stop();
        stopping_ = false;
        orders_.forget_again();
        epoch = from.epoch;
        batch_ = from.batch;
        ahead_ = {from.ahead.begin(), from.ahead.end()};
        failed_ = nullptr;
        plan.begin_at(from.seed, epoch, batch_, ahead_, *free_);
    }

    /// For the orders of samples, as imap pulls them.
    std::optional<sample_order> next_order() {
        // A pool that has become larger or smaller gets another stream.
        if (stopping_ || (orders_.pulled() > 0 && workers() != workers_)) return std::nullopt;
        auto order = orders_.take_again();
        if (!order) {
            // The first batch and the last ones are waited for: all workers take part in them.
            const bool is_awaited = orders_.pulled() < workers_ || plan.batches_left() <= workers_;
            order = plan.next(*free_, run_, std::max(orders_of_batch(), is_awaited ? workers_ : 1));
            if (!order) return std::nullopt;
            for (std::uint32_t place = order->place; place < order->place + order->count; ++place)
                states_(order->slot, place) = {.sample = plan.sample_in(order->slot, place)};
        }
        orders_.add(*order);
        return order;
    }

    LoaderOptions options;
    batch_plan plan;
    std::uint64_t epoch = 0;
    LoaderCounts counts;

protected:
    /// Number of the pool's workers now.
    virtual std::size_t workers() const = 0;
    virtual ImapOutcomes<bool> begin_orders(const MapOptions& how) = 0;
    /// Samples are missing in this batch.
    virtual void close_gaps(const open_batch& batch) = 0;

    /// So many batches are there at a time.
    std::uint32_t slots_wanted() const {
        // While one is filled others are ahead, and short ones at the ends of epochs make them more.
        const plan_settings& how = plan.settings();
        std::uint64_t wanted = options.held + options.prefetch + 1;
        if (!options.in_order) wanted += options.prefetch;  // one that is slow keeps its place meanwhile
        if (how.samples > 0 && !how.drop_last && how.samples % how.batch_size != 0)
            wanted += std::min<std::uint64_t>(ahead() / how.samples + 1, options.prefetch);
        return static_cast<std::uint32_t>(wanted);
    }
    void use(free_slots& free, const SharedArray<std::uint64_t, 1>& wanted,
             const SharedArray<sample_state, 2>& states) {
        free_ = &free;
        wanted_ = wanted;
        states_ = states;
    }
    /// At the end: as stop(), but not for ever.
    void stop_soon() noexcept {
        constexpr std::chrono::seconds patience{1};
        if (!stream_) return;
        if (!made_.is_here()) {  // nor is its memory
            stream_.reset();
            return;
        }
        try {
            want_no_more();
            const auto until = std::chrono::steady_clock::now() + patience;
            while (stream_->next(std::max(until - std::chrono::steady_clock::now(),
                                          std::chrono::steady_clock::duration::zero()))) {
            }
        } catch (const std::exception&) {  // then they are ended
        }
        stream_.reset();
    }

private:
    /// Samples that are made ahead of those that were taken.
    std::uint64_t ahead() const noexcept { return std::uint64_t{options.prefetch} * options.batch_size; }

    void begin_epoch(std::uint64_t next) {
        epoch = next;
        batch_ = 0;
        ahead_.clear();
    }

    /// So many that what is made ahead has one for each worker, and no more, since each wakes the consumer.
    std::size_t orders_of_batch() const noexcept {
        if (options.timeout) return options.batch_size;  // it is for a sample
        return std::clamp<std::size_t>((workers_ + options.prefetch - 1) / options.prefetch, 1,
                                       options.batch_size);
    }

    void take_result() {
        if (!stream_) {
            orders_.begin_stream();
            workers_ = workers();
            stream_.emplace(begin_orders(map_options()));
            // With slots, and batches to make, there is always an order; without, there was one before.
            if (orders_.pulled() == 0 && !plan.is_through(epoch)) {
                stream_.reset();
                throw Error("procpool: a Loader has no room for its next batch");
            }
        }
        const auto outcome = stream_->next();
        if (!outcome) {  // all slots were taken, or there is no more
            stream_.reset();
            return;
        }
        const auto order = orders_.take(stream_->index());
        if (!order || (outcome->error() && is_of_the_pool(outcome->error()))) fail(outcome->error());
        settle(*order, outcome->error());
    }

    /// Its samples were made one after the other: an error is about the first that isn't done.
    void settle(sample_order order, const std::exception_ptr& error) {
        const auto go_on_behind_first = [&] {
            ++order.place;
            --order.count;
        };
        const auto count_repeats = [&] {
            const std::uint32_t begun =
                std::atomic_ref(states_(order.slot, order.place).begun).load(std::memory_order_relaxed);
            counts.repeated += begun > 1 ? begun - 1 : 0;
        };
        const auto first_is = [&](sample_state::stage what) {
            return std::atomic_ref(states_(order.slot, order.place).at).load(std::memory_order_acquire) ==
                   what;
        };
        while (order.count > 0 && first_is(sample_state::stage::made)) {
            count_repeats();
            plan.note_arrival(order.slot);
            go_on_behind_first();
        }
        if (!error || order.count == 0) return orders_.give_again(order);

        sample_order failed = order;
        failed.count = 1;
        const bool threw = first_is(sample_state::stage::threw);
        const bool retried = options.retry_exceptions || (!threw && is_end_of_worker(error));
        const bool is_last = plan.note_failure(order.slot, order.place) > (retried ? options.retries : 0);
        if (is_last) count_repeats();
        go_on_behind_first();
        if (!is_last) {
            states_(failed.slot, failed.place).at = sample_state::stage::wanted;
            orders_.give_again(failed);
        }
        orders_.give_again(order);
        if (is_last) give_up(failed, threw, error);
    }
    void give_up(const sample_order& of, bool threw, const std::exception_ptr& error) {
        const std::uint64_t sample = plan.sample_in(of.slot, of.place);
        const std::exception_ptr told = threw ? error : end_of_worker_at(sample, error);
        plan.give_up(of.slot, of.place, told);
        if (options.on_bad_sample) options.on_bad_sample(sample, told);
    }

    /// All is ready: whether it is to be given out.
    bool finish(open_batch& batch) {
        if (batch.number == batch_) {
            ++batch_;
            while (ahead_.erase(batch_) != 0) ++batch_;
        } else {
            ahead_.insert(batch.number);
        }
        counts.skipped += batch.missing.size();
        if (!batch.missing.empty()) {
            if (options.bad_samples == bad_samples::raise) {
                free_->give_back(batch.slot);
                std::rethrow_exception(batch.error);
            }
            close_gaps(batch);
            for (auto gap = batch.missing.rbegin(); gap != batch.missing.rend(); ++gap)
                batch.samples.erase(batch.samples.begin() + *gap);
        }
        if (batch.samples.empty()) {
            free_->give_back(batch.slot);
            return false;
        }
        ++counts.batches;
        counts.samples += batch.samples.size();
        return true;
    }

    MapOptions map_options() const {
        // One more: orders are pulled before a result is taken.
        const std::uint64_t orders = std::uint64_t{options.prefetch} * orders_of_batch() + 1;
        constexpr auto most = std::uint64_t{std::numeric_limits<std::ptrdiff_t>::max()};
        return {.timeout = options.timeout,
                .buffersize = static_cast<std::ptrdiff_t>(std::min(orders, most)),
                .name = options.name};
    }

    [[noreturn]] void fail(const std::exception_ptr& error) {
        failed_ =
            error ? error : std::make_exception_ptr(Error("procpool: a Loader's pool has lost its samples"));
        std::rethrow_exception(failed_);
    }

    /// What waits in workers is nothing to them.
    void want_no_more() noexcept {
        stopping_ = true;
        std::atomic_ref(wanted_[0]).store(++run_, std::memory_order_relaxed);
    }
    /// Waits until no worker writes to the memory any more.
    void stop() {
        if (!stream_) return;
        want_no_more();
        while (stream_->next()) {
        }
        stream_.reset();
    }

    const os::fork_stamp made_;
    free_slots* free_ = nullptr;
    SharedArray<std::uint64_t, 1> wanted_;  // the number of the run that is wanted
    SharedArray<sample_state, 2> states_;
    std::size_t workers_ = 1;
    std::uint64_t run_ = 0;
    bool stopping_ = false;
    std::optional<ImapOutcomes<bool>> stream_;
    orders_in_flight orders_;
    std::uint64_t batch_ = 0;        // the first that wasn't given out
    std::set<std::uint64_t> ahead_;  // those behind it that were
    std::exception_ptr failed_;
};

}  // namespace procpool::inline v0_1::detail::loader

#endif
