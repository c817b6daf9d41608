// SPDX-License-Identifier: MIT
// The end of a pool with its owner.
#ifndef PROCPOOL_DETAIL_CALL_POOL_OWNER_IMPL_HPP
#define PROCPOOL_DETAIL_CALL_POOL_OWNER_IMPL_HPP

#include <memory>
#include <utility>
#include <vector>

#include "procpool/detail/call/pool_owner.hpp"
#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/runner.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::call {

PROCPOOL_COMPILED_APART void end_pool(std::shared_ptr<job::runner> pool) noexcept {
    if (pool->is_copy()) {
        // The workers belong to the parent; their threads and locks don't exist here.
        static auto* const copies = new std::vector<std::shared_ptr<job::runner>>;
        copies->push_back(std::move(pool));
        return;
    }
    auto lock = pool->acquire();
    pool->terminate(lock);
}

PROCPOOL_COMPILED_APART void throw_moved_from() {
    throw PoolNotRunning("procpool: Pool not running (it was moved from)");
}

}  // namespace procpool::inline v0_1::detail::call

#endif
