// SPDX-License-Identifier: MIT
// How many threads libraries use inside of this process.
#ifndef PROCPOOL_DETAIL_OS_LINUX_INNER_THREADS_HPP
#define PROCPOOL_DETAIL_OS_LINUX_INNER_THREADS_HPP

#include <dlfcn.h>

#include <array>
#include <optional>
#include <string_view>

#include "procpool/detail/only_if_used.hpp"

namespace procpool::inline v0_1::detail::os {

/// By these variables libraries are told when they are loaded. All but the last take the value of the first
/// where they have none.
inline constexpr std::array<std::string_view, 6> inner_thread_variables{
    "OMP_NUM_THREADS",  "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS",  "OPENCV_FOR_THREADS_NUM"};

extern "C" {
// Where the program is linked with them; by names of our own, so that their headers may be included, too.
[[gnu::weak]] void procpool_set_omp_threads(int) __asm__("omp_set_num_threads");
[[gnu::weak]] int procpool_get_omp_threads() __asm__("omp_get_max_threads");
[[gnu::weak]] int procpool_get_omp_cpus() __asm__("omp_get_num_procs");
[[gnu::weak]] void procpool_set_cv_threads(int) __asm__("_ZN2cv13setNumThreadsEi");
[[gnu::weak]] int procpool_get_cv_threads() __asm__("_ZN2cv13getNumThreadsEv");
[[gnu::weak]] int procpool_get_cv_cpus() __asm__("_ZN2cv15getNumberOfCPUsEv");
}

/// The function that is linked, or else one of a library that is loaded; null if there is none.
template <class F>
F* find_function(F* linked, const char* name) noexcept {
    return linked ? linked : reinterpret_cast<F*>(::dlsym(RTLD_DEFAULT, name));
}

/// By these functions a library that is loaded says how many threads it uses; null where it has none.
struct inner_thread_functions {
    void (*set)(int);
    int (*get)();
    int (*cpus)();
};

/// Those of OpenMP and of OpenCV. Finding out that one is missing takes a look into each library of the
/// program.
using known_inner_threads = std::array<inner_thread_functions, 2>;

template <class = only_if_used>
known_inner_threads find_inner_threads() noexcept {
    return {{{find_function(procpool_set_omp_threads, "omp_set_num_threads"),
              find_function(procpool_get_omp_threads, "omp_get_max_threads"),
              find_function(procpool_get_omp_cpus, "omp_get_num_procs")},
             {find_function(procpool_set_cv_threads, "_ZN2cv13setNumThreadsEi"),
              find_function(procpool_get_cv_threads, "_ZN2cv13getNumThreadsEv"),
              find_function(procpool_get_cv_cpus, "_ZN2cv15getNumberOfCPUsEv")}}};
}

/// In a forked process: what the process that it comes from has found. Else each worker would touch the pages
/// of all libraries again.
inline std::optional<known_inner_threads>& inherited_inner_threads() noexcept {
    static constinit std::optional<known_inner_threads> found;
    return found;
}

/// Tells libraries that are loaded already: OpenMP and OpenCV. If `only_defaults`, those that would use all
/// CPUs.
template <class = only_if_used>
void limit_inner_threads(int threads, bool only_defaults) {
    const auto& inherited = inherited_inner_threads();
    for (const auto& [set, get, cpus] : inherited ? *inherited : find_inner_threads())
        if (set && (!only_defaults || (get && cpus && get() == cpus()))) set(threads);
}

}  // namespace procpool::inline v0_1::detail::os

#endif
