// SPDX-License-Identifier: MIT
// Which samples make which batch, epoch by epoch, and what has become of them.
#ifndef PROCPOOL_DETAIL_LOADER_BATCH_PLAN_HPP
#define PROCPOOL_DETAIL_LOADER_BATCH_PLAN_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <list>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "procpool/detail/loader/free_slots.hpp"
#include "procpool/detail/worker/element_position.hpp"

namespace procpool::inline v0_1::detail::loader {

/// What a worker is told: to make the samples of so many places of the batch in `slot`, one after the other.
/// Which samples these are it finds there (see sample_state).
struct sample_order {
    std::uint32_t slot = 0;
    std::uint32_t place = 0;  // the first
    std::uint32_t count = 0;
    std::uint64_t epoch = 0;
    std::uint64_t seed = 0;
    std::uint64_t run = 0;  // of the loader: what was ordered before it began anew isn't wanted any more
};

/// What program and workers tell one another about a place in a batch, in shared memory.
struct sample_state {
    enum class stage : std::uint32_t { wanted, made, threw };

    std::uint64_t sample = 0;  // its number
    std::uint32_t begun = 0;   // so often
    stage at = stage::wanted;
};

/// A batch that is being made, or is ready.
struct open_batch {
    std::uint64_t epoch = 0;
    std::uint64_t number = 0;  // in the epoch
    std::uint32_t slot = 0;
    std::vector<std::uint64_t> samples;  // by place
    std::size_t arrived = 0;
    std::vector<std::uint32_t> missing;     // places of samples that failed
    std::exception_ptr error;               // of the first of these
    std::map<std::uint32_t, int> failures;  // times that making a place's sample has failed

    bool is_ready() const noexcept { return arrived == samples.size(); }
};

/// What doesn't change.
struct plan_settings {
    std::uint64_t samples = 0;
    std::uint64_t batch_size = 1;
    bool shuffle = false;
    bool drop_last = false;
    std::uint64_t seed = 0;
    std::uint64_t epochs = ~std::uint64_t{0};
};

/// Gives out samples one after the other, and collects the batches that they make.
class batch_plan {
public:
    explicit batch_plan(const plan_settings& how) : how_(how) {}

    std::uint64_t batches_per_epoch() const noexcept {
        const std::uint64_t whole = how_.samples / how_.batch_size;
        return how_.drop_last || how_.samples % how_.batch_size == 0 ? whole : whole + 1;
    }
    const plan_settings& settings() const noexcept { return how_; }

    /// Begins anew with this batch, but for those behind it that are `done`. Nothing is being made.
    void begin_at(std::uint64_t seed, std::uint64_t epoch, std::uint64_t batch, std::set<std::uint64_t> done,
                  free_slots& slots) {
        for (const open_batch& one : open_) slots.give_back(one.slot);
        open_.clear();
        how_.seed = seed;
        begin_epoch(epoch);
        batch_ = batch;
        done_ = std::move(done);
        ordered_ = nullptr;
    }

    /// The next samples, such that a batch consists of so many orders, if it has as many samples; nothing if
    /// all epochs are through, or there is no slot for another batch.
    std::optional<sample_order> next(free_slots& slots, std::uint64_t run, std::size_t orders_of_batch) {
        if (!ordered_ && !open_next(slots)) return std::nullopt;
        const std::size_t left = ordered_->samples.size() - placed_;
        const std::size_t orders_left = orders_of_batch > orders_ ? orders_of_batch - orders_ : 1;
        const sample_order order{.slot = ordered_->slot,
                                 .place = static_cast<std::uint32_t>(placed_),
                                 .count = static_cast<std::uint32_t>((left + orders_left - 1) / orders_left),
                                 .epoch = ordered_->epoch,
                                 .seed = how_.seed,
                                 .run = run};
        ++orders_;
        placed_ += order.count;
        if (order.count == left) ordered_ = nullptr;
        return order;
    }
    /// Batches of all epochs that were not ordered yet, the one included that is being ordered.
    std::uint64_t batches_left() const noexcept {
        constexpr std::uint64_t many = std::uint64_t{1} << 32;
        if (how_.epochs - epoch_ >= many || batches_per_epoch() >= many) return many;
        return (how_.epochs - epoch_) * batches_per_epoch() - batch_ + (ordered_ ? 1 : 0);
    }

    /// The number of the sample at a place of a batch that is being made.
    std::uint64_t sample_in(std::uint32_t slot, std::uint32_t place) { return open_in(slot).samples[place]; }

    /// A place has its sample.
    void note_arrival(std::uint32_t slot) { ++open_in(slot).arrived; }
    /// It will have none.
    void give_up(std::uint32_t slot, std::uint32_t place, const std::exception_ptr& error) {
        open_batch& batch = open_in(slot);
        ++batch.arrived;
        if (batch.missing.empty() || place < batch.missing.front()) batch.error = error;
        batch.missing.insert(std::ranges::upper_bound(batch.missing, place), place);
    }
    /// How often making it has failed, with this time.
    int note_failure(std::uint32_t slot, std::uint32_t place) { return ++open_in(slot).failures[place]; }

    /// Takes a batch of this epoch that is ready: the next one, or any.
    std::optional<open_batch> take_ready(std::uint64_t epoch, bool only_next) {
        for (auto one = open_.begin(); one != open_.end() && one->epoch == epoch; ++one) {
            if (one->is_ready()) {
                open_batch taken = std::move(*one);
                open_.erase(one);
                return taken;
            }
            if (only_next) break;
        }
        return std::nullopt;
    }
    /// Whether all of its batches were taken.
    bool is_through(std::uint64_t epoch) const noexcept {
        if (batches_per_epoch() == 0) return true;
        return epoch_ > epoch && (open_.empty() || open_.front().epoch > epoch);
    }

private:
    open_batch& open_in(std::uint32_t slot) { return *std::ranges::find(open_, slot, &open_batch::slot); }

    void begin_epoch(std::uint64_t epoch) {
        epoch_ = epoch;
        batch_ = 0;
        done_.clear();
        order_.clear();
    }

    bool open_next(free_slots& slots) {
        for (;;) {
            if (epoch_ >= how_.epochs || batches_per_epoch() == 0) return false;
            if (batch_ >= batches_per_epoch())
                begin_epoch(epoch_ + 1);
            else if (done_.erase(batch_) != 0)
                ++batch_;
            else
                break;
        }
        const auto slot = slots.take();
        if (!slot) return false;
        open_batch made{.epoch = epoch_,
                        .number = batch_,
                        .slot = *slot,
                        .samples = {},
                        .missing = {},
                        .error = {},
                        .failures = {}};
        const std::uint64_t first = batch_ * how_.batch_size;
        const std::uint64_t last = std::min(first + how_.batch_size, how_.samples);
        for (std::uint64_t place = first; place < last; ++place) made.samples.push_back(sample_at(place));
        open_.push_back(std::move(made));
        ordered_ = &open_.back();
        placed_ = orders_ = 0;
        // The epoch of what isn't ordered yet: is_through() goes by it.
        if (++batch_ == batches_per_epoch()) begin_epoch(epoch_ + 1);
        return true;
    }

    std::uint64_t sample_at(std::uint64_t place) {
        if (!how_.shuffle) return place;
        if (order_.empty()) shuffle();
        return order_[place];
    }
    void shuffle() {
        order_.resize(how_.samples);
        std::iota(order_.begin(), order_.end(), std::uint64_t{0});
        std::uint64_t state = worker::splitmix64(worker::splitmix64(how_.seed) ^ epoch_);
        for (std::size_t left = order_.size(); left > 1; --left)
            std::swap(order_[left - 1], order_[worker::splitmix64(state++) % left]);
    }

    plan_settings how_;
    std::uint64_t epoch_ = 0;
    std::uint64_t batch_ = 0;       // the next one to be opened
    std::set<std::uint64_t> done_;  // batches of this epoch that aren't to be made
    std::vector<std::uint64_t> order_;
    std::list<open_batch> open_;     // in order
    open_batch* ordered_ = nullptr;  // its samples are being given out
    std::size_t placed_ = 0;         // so many of them were
    std::size_t orders_ = 0;         // in so many orders
};

}  // namespace procpool::inline v0_1::detail::loader

#endif
