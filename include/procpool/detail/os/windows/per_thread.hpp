// SPDX-License-Identifier: MIT
// A variable of each thread, with a destructor.
//
// No thread_local: MinGW frees the memory of these before it calls their destructors, when a thread ends.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_PER_THREAD_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_PER_THREAD_HPP

#include <memory>

#include "procpool/detail/os/windows/api.hpp"
#include "procpool/detail/os/windows/error.hpp"

namespace procpool::inline v0_1::detail::os {

/// This thread's T; `For` tells those of one type apart. @throws std::system_error, std::bad_alloc, or what
/// the constructor throws
template <class T, class For>
T& of_this_thread() {
    static const unsigned long key =
        ::FlsAlloc([](void* one) noexcept { delete static_cast<T*>(one); });  // for the life of the process
    if (void* const known = ::FlsGetValue(key)) return *static_cast<T*>(known);
    auto made = std::make_unique<T>();
    succeed(::FlsSetValue(key, made.get()), "FlsSetValue");
    return *made.release();
}

}  // namespace procpool::inline v0_1::detail::os

#endif
