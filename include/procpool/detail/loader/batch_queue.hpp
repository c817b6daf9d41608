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
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/pool_options.hpp"
#include "procpool/detail/loader/batch_plan.hpp"
#include "procpool/detail/loader/free_slots.hpp"
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
        require_same(from);
        stop();
        epoch = from.epoch;
        batch_ = from.batch;
        ahead_ = {from.ahead.begin(), from.ahead.end()};
        failed_ = nullptr;
        plan.begin_at(from.seed, epoch, batch_, ahead_, *free_);
    }

    /// For the orders of samples, as imap pulls them.
    std::optional<sample_order> next_order() {
        if (stopping_) return std::nullopt;
        const auto order = plan.next(*free_, run_);
        if (!order) return std::nullopt;
        std::atomic_ref(begun_(order->slot, order->place)).store(0, std::memory_order_relaxed);
        orders_.emplace(pulled_++, *order);
        return order;
    }

    LoaderOptions options;
    batch_plan plan;
    std::uint64_t epoch = 0;
    LoaderCounts counts;

protected:
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
             const SharedArray<std::uint32_t, 2>& begun) {
        free_ = &free;
        wanted_ = wanted;
        begun_ = begun;
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
    static LoaderOptions checked(LoaderOptions how) {
        const auto require = [](bool good, const char* what) {
            if (!good) throw std::invalid_argument(std::string("procpool: LoaderOptions::") + what);
        };
        require(how.batch_size > 0, "batch_size is 1 or more");
        require(how.prefetch > 0, "prefetch is 1 or more");
        require(how.held > 0, "held is 1 or more");
        require(how.retries >= 0, "retries is 0 or more");
        constexpr std::size_t most = 1 << 20;
        require(how.prefetch <= most && how.held <= most, "prefetch and held are a million at the most");
        require(how.batch_size <= std::numeric_limits<std::uint32_t>::max(),
                "batch_size is 2^32 at the most");
        return how;
    }
    /// Samples that are made ahead of those that were taken.
    std::uint64_t ahead() const noexcept { return std::uint64_t{options.prefetch} * options.batch_size; }

    void require_same(const LoaderState& from) const {
        const plan_settings& own = plan.settings();
        if (from.samples != own.samples || from.batch_size != own.batch_size || from.shuffle != own.shuffle ||
            from.drop_last != own.drop_last)
            throw std::invalid_argument("procpool: this LoaderState is of " + std::to_string(from.samples) +
                                        " samples in batches of " + std::to_string(from.batch_size) +
                                        ", and the Loader has " + std::to_string(own.samples) +
                                        " in batches of " + std::to_string(own.batch_size) +
                                        "; batch_size, shuffle and drop_last must be what they were");
        if (from.batch > plan.batches_per_epoch())
            throw std::invalid_argument("procpool: this LoaderState is at batch " +
                                        std::to_string(from.batch) + " of an epoch, which has " +
                                        std::to_string(plan.batches_per_epoch()));
    }

    void begin_epoch(std::uint64_t next) {
        epoch = next;
        batch_ = 0;
        ahead_.clear();
    }

    void take_result() {
        if (!stream_) {
            pulled_ = 0;
            orders_.clear();
            stream_.emplace(begin_orders(map_options()));
            // With slots, and batches to make, there is always an order; without, there was one before.
            if (pulled_ == 0 && !plan.is_through(epoch)) {
                stream_.reset();
                throw Error("procpool: a Loader has no room for its next batch");
            }
        }
        const auto outcome = stream_->next();
        if (!outcome) {  // all slots were taken, or there is no more
            stream_.reset();
            return;
        }
        const auto at = orders_.find(stream_->index());
        if (at == orders_.end()) fail(outcome->error());
        const sample_order order = at->second;
        orders_.erase(at);
        if (outcome->error() && is_of_the_pool(outcome->error())) fail(outcome->error());
        const std::uint32_t begun =
            std::atomic_ref(begun_(order.slot, order.place)).load(std::memory_order_relaxed);
        counts.repeated += begun > 1 ? begun - 1 : 0;
        plan.settle(order, outcome->error());
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
        return {.timeout = options.timeout,
                .retries = options.retries,
                .buffersize = static_cast<std::ptrdiff_t>(
                    std::min<std::uint64_t>(ahead(), std::numeric_limits<std::ptrdiff_t>::max())),
                .retry_exceptions = options.retry_exceptions,
                .name = options.name};
    }

    /// Whether it has nothing to do with a sample.
    static bool is_of_the_pool(const std::exception_ptr& error) {
        try {
            std::rethrow_exception(error);
        } catch (const PoolTerminated&) {
        } catch (const PoolNotRunning&) {
        } catch (const BootstrapError&) {
        } catch (const TaskCancelled&) {
        } catch (const SerializationError&) {
        } catch (...) {
            return false;
        }
        return true;
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
        stopping_ = false;
    }

    const os::fork_stamp made_;
    free_slots* free_ = nullptr;
    SharedArray<std::uint64_t, 1> wanted_;  // the number of the run that is wanted
    SharedArray<std::uint32_t, 2> begun_;   // how often each sample was
    std::uint64_t run_ = 0;
    bool stopping_ = false;
    std::optional<ImapOutcomes<bool>> stream_;
    std::uint64_t pulled_ = 0;                                // by it
    std::unordered_map<std::uint64_t, sample_order> orders_;  // of these, by position
    std::uint64_t batch_ = 0;                                 // the first that wasn't given out
    std::set<std::uint64_t> ahead_;                           // those behind it that were
    std::exception_ptr failed_;
};

}  // namespace procpool::inline v0_1::detail::loader

#endif
