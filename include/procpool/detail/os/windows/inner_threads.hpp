// SPDX-License-Identifier: MIT
// How many threads libraries use inside of this process.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_INNER_THREADS_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_INNER_THREADS_HPP

#include <array>
#include <string_view>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/module.hpp"

namespace procpool::inline v0_1::detail::os {

/// By these variables libraries are told when they are loaded. All but the last take the value of the first
/// where they have none.
inline constexpr std::array<std::string_view, 6> inner_thread_variables{
    "OMP_NUM_THREADS",  "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS",  "OPENCV_FOR_THREADS_NUM"};

/// Tells libraries that are loaded already: the OpenMP of DLLs. If `only_defaults`, those that would use all
/// CPUs.
template <class = only_if_used>
void limit_inner_threads(int threads, bool only_defaults) {
    find_module([&](const loaded_module& module) {
        const auto function = [&](const char* name) { return ::GetProcAddress(module.handle(), name); };
        auto* const set =
            reinterpret_cast<void (*)(int)>(reinterpret_cast<void*>(function("omp_set_num_threads")));
        auto* const get =
            reinterpret_cast<int (*)()>(reinterpret_cast<void*>(function("omp_get_max_threads")));
        auto* const cpus =
            reinterpret_cast<int (*)()>(reinterpret_cast<void*>(function("omp_get_num_procs")));
        if (set && (!only_defaults || (get && cpus && get() == cpus()))) set(threads);
        return false;
    });
}

}  // namespace procpool::inline v0_1::detail::os

#endif
