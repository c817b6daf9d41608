// SPDX-License-Identifier: MIT
// The door to fresh runs of a program: how a file lets them become workers.
#ifndef PROCPOOL_DETAIL_WORKER_FRESH_RUN_HPP
#define PROCPOOL_DETAIL_WORKER_FRESH_RUN_HPP

#include <string>
#include <vector>

#include "procpool/detail/only_if_used.hpp"

namespace procpool::inline v0_1::detail::worker {

/// As freeze_support().
template <class = only_if_used>
void support_fresh_runs(int argc, const char* const* argv);

/// A main that doesn't call freeze_support(), or only under some condition, would do the program's work
/// again. To be called by the C library before main.
template <class = only_if_used>
void keep_fresh_runs_from_main(int argc, char** argv, char** environment);

/// As set_executable().
template <class = only_if_used>
void use_executable(const std::string& path, std::vector<std::string> arguments);

}  // namespace procpool::inline v0_1::detail::worker

#ifndef PROCPOOL_SEPARATE_COMPILATION
#ifdef _WIN32
#include "procpool/detail/worker/windows/fresh_run_impl.hpp"
#else
#include "procpool/detail/worker/fresh_run_impl.hpp"
#endif
#endif

#endif
