// SPDX-License-Identifier: MIT
// The door to pools of threads: all that a file which makes one needs to know of them.
#ifndef PROCPOOL_DETAIL_THREAD_MAKE_POOL_HPP
#define PROCPOOL_DETAIL_THREAD_MAKE_POOL_HPP

#include <functional>
#include <memory>
#include <optional>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/thread/thread_backend.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1::detail::thread {

/// Each thread calls what `make_initializer`, if there is one, returns, before anything else. It is called
/// when the options are known to make sense.
/// @throws std::invalid_argument, std::system_error
template <class = only_if_used>
std::shared_ptr<thread_backend> make_pool(
    PoolOptions options, const std::function<std::function<void()>()>& make_initializer = {});

/// With so many workers, or as many as there are by default.
template <class = only_if_used>
std::shared_ptr<thread_backend> make_pool_of(std::optional<int> processes);

}  // namespace procpool::inline v0_1::detail::thread

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/thread/make_pool_impl.hpp"
#endif

#endif
