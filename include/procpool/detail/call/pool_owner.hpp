// SPDX-License-Identifier: MIT
// Owns a pool for the object that users have: terminates it at the end.
#ifndef PROCPOOL_DETAIL_CALL_POOL_OWNER_HPP
#define PROCPOOL_DETAIL_CALL_POOL_OWNER_HPP

#include <memory>
#include <utility>

#include "procpool/detail/job/runner.hpp"

namespace procpool::inline v0_1::detail::call {

/// Terminates it. Who owned it exists no more.
void end_pool(std::shared_ptr<job::runner> pool) noexcept;
[[noreturn]] void throw_moved_from();

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
        if (pool_) end_pool(pool_);  // a copy: callbacks may use the pool until it has ended
    }

    void swap(pool_owner& other) noexcept { pool_.swap(other.pool_); }
    void start(std::shared_ptr<Pool> pool) { pool_ = std::move(pool); }

    /// For those who wait for its results.
    const std::shared_ptr<Pool>& shared() const noexcept { return pool_; }

    /// @throws PoolNotRunning if it was moved from, or is a copy in a forked child
    Pool& get() const {
        if (!pool_) throw_moved_from();
        pool_->refuse_copy();
        return *pool_;
    }

private:
    std::shared_ptr<Pool> pool_;
};

}  // namespace procpool::inline v0_1::detail::call

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/call/pool_owner_impl.hpp"
#endif

#endif
