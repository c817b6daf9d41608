// SPDX-License-Identifier: MIT
// Executors, Parallel, pools of threads, functions of plugins.
#include <dlfcn.h>

#include <array>
#include <filesystem>
#include <functional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#include "feature.hpp"
#include "procpool/as_completed.hpp"
#include "procpool/executor.hpp"
#include "procpool/parallel.hpp"
#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"

namespace faults {
namespace features_of_calls {
namespace {

namespace mp = procpool;
using mp::start_method;

int twice(int x) { return 2 * x; }

/// What executors of both kinds can do.
template <class Executor>
void submit_and_wait(Executor& executor) {
    attempts attempt;
    attempt([&] {
        std::vector<mp::Future<int>> futures;
        for (int x = 0; x < 6; ++x) futures.push_back(executor.submit(twice, x));
        int sum = 0;
        for (const auto& future : mp::as_completed(futures)) sum += future.result();
        expect(sum == 30, "as_completed");
    });
    attempt([&] {
        int next = 0;
        for (const int y : executor.map(twice, std::views::iota(0, 8))) expect(y == 2 * next++, "map");
        expect(next == 8, "map: as many results as inputs");
    });
    attempt([&] { executor.shutdown(); });
    attempt.finish();
}

void executor() {
    mp::ProcessPoolExecutor executor({.max_workers = 2, .start_method = start_method::fork});
    submit_and_wait(executor);
}

void executor_of_threads() {
    mp::ThreadPoolExecutor executor(2);
    submit_and_wait(executor);
}

void parallel() {
    mp::Parallel parallel(2, {.start_method = start_method::fork});
    const auto doubled = parallel(std::views::iota(0, 20) | mp::delayed(twice));
    for (std::size_t i = 0; i < 20; ++i) expect(doubled[i] == 2 * static_cast<int>(i), "a list");
    int next = 0;
    for (const int y : mp::Parallel(1, mp::return_as::generator, {.start_method = start_method::fork})(
             std::views::iota(0, 5) | mp::delayed(twice)))
        expect(y == 2 * next++, "a generator");
    expect(next == 5, "a generator: as many results as inputs");
}

void thread_pool() {
    mp::ThreadPool pool(3);
    attempts attempt;
    attempt([&] {
        const std::vector<int> doubled = pool.map(twice, std::views::iota(0, 100));
        for (std::size_t i = 0; i < 100; ++i) expect(doubled[i] == 2 * static_cast<int>(i), "map");
    });
    attempt([&] {
        int next = 0;
        for (const int y : pool.imap(twice, std::views::iota(0, 10))) expect(y == 2 * next++, "imap");
    });
    attempt([&] {
        auto call = pool.apply_async([](int) -> int { throw std::domain_error("no"); }, 1);
        try {
            call.get();
            throw wrong_result{"an exception is no result"};
        } catch (const std::exception&) {  // the task's, or by the fault
        }
    });
    attempt([&] {
        pool.close();
        pool.join();
    });
    attempt.finish();
}

/// Workers that were born before it load the plugin for its first task.
void plugin() {
    using maker = int (*(*)())(int);
    const auto path = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "libfaults_plugin.so";
    mp::Pool pool({.processes = 1, .start_method = start_method::fork});
    const std::unique_ptr<void, int (*)(void*)> library(::dlopen(path.c_str(), RTLD_NOW), ::dlclose);
    if (!library) throw std::runtime_error(::dlerror());
    const auto function = reinterpret_cast<maker>(::dlsym(library.get(), "plugin_function"))();
    expect(pool.map(function, std::vector{1, 2}) == std::vector{11, 12}, "map");
}

constexpr std::array features{
    feature{"executor", executor}, feature{"executor_of_threads", executor_of_threads},
    feature{"parallel", parallel}, feature{"thread_pool", thread_pool}, feature{"plugin", plugin}};

}  // namespace
}  // namespace features_of_calls

std::span<const feature> call_features() { return features_of_calls::features; }

}  // namespace faults
