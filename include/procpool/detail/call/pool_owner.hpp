// SPDX-License-Identifier: MIT
// Owns a pool for the object that users have: terminates it at the end.
#ifndef PROCPOOL_DETAIL_CALL_POOL_OWNER_HPP
#define PROCPOOL_DETAIL_CALL_POOL_OWNER_HPP

#include <memory>
#include <utility>
#include <vector>

#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::call {

/// `Pool` is a job::runner. Handles of results share it.
template <class Pool>
class pool_owner {
public:
    pool_owner() = default;
    pool_owner(pool_owner&&) noexcept = default;
    pool_owner& operator=(pool_owner&& other) noexcept {
        pool_owner(std::move(other)).swap(*this);
        return *this;
    }

    ~pool_owner() {
        if (!pool_) return;
        if (pool_->is_copy()) {
            // The workers belong to the parent; their threads and locks don't exist here.
            static auto* const copies = new std::vector<std::shared_ptr<Pool>>;
            copies->push_back(std::move(pool_));
            return;
        }
        auto lock = pool_->acquire();
        pool_->terminate(lock);
    }

    void swap(pool_owner& other) noexcept { pool_.swap(other.pool_); }
    void start(std::shared_ptr<Pool> pool) { pool_ = std::move(pool); }

    /// For those who wait for its results.
    const std::shared_ptr<Pool>& shared() const noexcept { return pool_; }

    /// @throws PoolNotRunning if it was moved from, or is a copy in a forked child
    Pool& get() const {
        if (!pool_) throw PoolNotRunning("procpool: Pool not running (it was moved from)");
        pool_->refuse_copy();
        return *pool_;
    }

private:
    std::shared_ptr<Pool> pool_;
};

}  // namespace procpool::inline v0_1::detail::call

#endif
