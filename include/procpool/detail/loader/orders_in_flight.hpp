// SPDX-License-Identifier: MIT
// Orders of samples that are under way, by their positions in imap, and those that are to be given out again.
#ifndef PROCPOOL_DETAIL_LOADER_ORDERS_IN_FLIGHT_HPP
#define PROCPOOL_DETAIL_LOADER_ORDERS_IN_FLIGHT_HPP

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>

#include "procpool/detail/loader/batch_plan.hpp"

namespace procpool::inline v0_1::detail::loader {

class orders_in_flight {
public:
    /// Positions count from 0 again.
    void begin_stream() {
        pulled_ = 0;
        by_position_.clear();
    }
    /// How many the stream has got.
    std::uint64_t pulled() const noexcept { return pulled_; }

    void add(const sample_order& order) { by_position_.emplace(pulled_++, order); }
    std::optional<sample_order> take(std::uint64_t position) {
        const auto found = by_position_.extract(position);
        return found ? std::optional(found.mapped()) : std::nullopt;
    }

    void give_again(const sample_order& order) {
        if (order.count > 0) again_.push_back(order);
    }
    std::optional<sample_order> take_again() {
        if (again_.empty()) return std::nullopt;
        const sample_order first = again_.front();
        again_.pop_front();
        return first;
    }
    void forget_again() noexcept { again_.clear(); }

private:
    std::uint64_t pulled_ = 0;
    std::unordered_map<std::uint64_t, sample_order> by_position_;
    std::deque<sample_order> again_;
};

}  // namespace procpool::inline v0_1::detail::loader

#endif
