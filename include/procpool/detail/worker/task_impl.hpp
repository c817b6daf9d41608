// SPDX-License-Identifier: MIT
// Who owns a callable in a worker.
#ifndef PROCPOOL_DETAIL_WORKER_TASK_IMPL_HPP
#define PROCPOOL_DETAIL_WORKER_TASK_IMPL_HPP

#include <memory>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/worker/task.hpp"

namespace procpool::inline v0_1::detail::worker {

PROCPOOL_COMPILED_APART std::shared_ptr<void> own_callable(void* made, void (*destroy)(void*)) {
    return {made, destroy};
}

}  // namespace procpool::inline v0_1::detail::worker

#endif
