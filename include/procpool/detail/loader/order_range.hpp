// SPDX-License-Identifier: MIT
// Orders of samples, as the input of imap.
#ifndef PROCPOOL_DETAIL_LOADER_ORDER_RANGE_HPP
#define PROCPOOL_DETAIL_LOADER_ORDER_RANGE_HPP

#include <cstddef>
#include <iterator>
#include <optional>

#include "procpool/detail/loader/batch_plan.hpp"

namespace procpool::inline v0_1::detail::loader {

/// Sample orders as the input of imap: pulled one by one, as their results are taken.
template <class Pull>
class order_range {
public:
    /// For imap: nobody waits for one order's result, but for those of a batch.
    static constexpr bool results_may_wait = true;

    class iterator {
    public:
        using value_type = sample_order;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;

        explicit iterator(Pull* pull) : pull_(pull) {}
        sample_order operator*() const {
            fetch();
            return *next_;
        }
        iterator& operator++() {
            next_.reset();
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator& at, std::default_sentinel_t) {
            at.fetch();
            return !at.next_;
        }

    private:
        /// Not before it is asked for: an order takes a slot.
        void fetch() const {
            if (!next_) next_ = pull_->next_order();
        }
        Pull* pull_;
        mutable std::optional<sample_order> next_;
    };

    explicit order_range(Pull& pull) : pull_(&pull) {}
    iterator begin() const { return iterator(pull_); }
    std::default_sentinel_t end() const noexcept { return std::default_sentinel; }

private:
    Pull* pull_;
};

}  // namespace procpool::inline v0_1::detail::loader

#endif
