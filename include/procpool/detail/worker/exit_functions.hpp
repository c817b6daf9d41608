// SPDX-License-Identifier: MIT
// What a worker calls when it leaves by itself.
#ifndef PROCPOOL_DETAIL_WORKER_EXIT_FUNCTIONS_HPP
#define PROCPOOL_DETAIL_WORKER_EXIT_FUNCTIONS_HPP

#include <cstdio>
#include <exception>
#include <functional>
#include <utility>
#include <vector>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/per_thread.hpp"

namespace procpool::inline v0_1::detail::worker {

/// Of the worker that this thread is.
template <class = only_if_used>
std::vector<std::function<void()>>& exit_functions() {
    struct of_exit {};
    return os::of_this_thread<std::vector<std::function<void()>>, of_exit>();
}

/// The last one first. One that throws is told, and the others run.
template <class = only_if_used>
void run_exit_functions() noexcept {
    auto& functions = exit_functions<>();
    while (!functions.empty()) {
        const std::function<void()> last = std::move(functions.back());
        functions.pop_back();
        try {
            last();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "procpool: a function of at_worker_exit() threw: %s\n", error.what());
        } catch (...) {
            std::fprintf(stderr, "procpool: a function of at_worker_exit() threw no std::exception\n");
        }
    }
}

}  // namespace procpool::inline v0_1::detail::worker

#endif
