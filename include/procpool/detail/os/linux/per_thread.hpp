// SPDX-License-Identifier: MIT
// A variable of each thread, with a destructor.
#ifndef PROCPOOL_DETAIL_OS_LINUX_PER_THREAD_HPP
#define PROCPOOL_DETAIL_OS_LINUX_PER_THREAD_HPP

namespace procpool::inline v0_1::detail::os {

/// This thread's T; `For` tells those of one type apart.
template <class T, class For>
T& of_this_thread() {
    thread_local T one;
    return one;
}

}  // namespace procpool::inline v0_1::detail::os

#endif
