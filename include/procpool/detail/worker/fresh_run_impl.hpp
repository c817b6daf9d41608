// SPDX-License-Identifier: MIT
// What is behind the door to fresh runs.
#ifndef PROCPOOL_DETAIL_WORKER_FRESH_RUN_IMPL_HPP
#define PROCPOOL_DETAIL_WORKER_FRESH_RUN_IMPL_HPP

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/os/module.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/program.hpp"
#include "procpool/detail/os/program_start.hpp"
#include "procpool/detail/worker/fresh_process.hpp"
#include "procpool/detail/worker/fresh_run.hpp"
#include "procpool/detail/worker/replay.hpp"
#include "procpool/detail/zygote/exec.hpp"
#include "procpool/error.hpp"
#ifndef PROCPOOL_SEPARATE_LAUNCHER
#include "procpool/launcher.hpp"
#endif

namespace procpool::inline v0_1::detail::worker {

template <class>
void support_fresh_runs(int argc, const char* const* argv) {
    if (argc > 0) zygote::fresh_run().arguments.assign(1, argv[0]);
    zygote::launcher = &zygote::launch_fresh_run;
    if (const auto socket = zygote::birth_socket(argc, argv)) live_fresh_process(*socket);
    if (const char* const file = file_to_replay()) replay(file);
}

template <class>
void keep_fresh_runs_from_main(int argc, char** argv, char** environment) {
    if (os::started_anew || (!zygote::birth_socket(argc, argv) && !file_to_replay())) return;
    os::started_anew = true;  // so that the other files' entries for this do nothing
    if (os::run_initial_functions_after(&keep_fresh_runs_from_main<>, argc, argv, environment))
        os::live_instead_of_main([&] { support_fresh_runs(argc, argv); });
    os::started_anew = false;
}

/// What worker_program() calls, in the library that it has loaded.
[[noreturn]] inline void live_in_worker_program(int socket) noexcept {
    zygote::launcher = &zygote::launch_fresh_run;
    live_fresh_process(socket);
}

/// The arguments by which worker_program() finds that: the library's file, its build id, the place in it.
template <class = only_if_used>
std::vector<std::string> arguments_of_worker_program() {
    const auto code = os::locate_code(reinterpret_cast<std::uintptr_t>(&live_in_worker_program));
    if (!code || code->path.empty())
        throw Error(
            "procpool: set_executable: this code is no library's, but the program's own: let it call "
            "freeze_support(), or give arguments by which the executable comes to freeze_support()");
    if (!code->module.is_build_id())
        throw Error("procpool: set_executable: " + code->path +
                    " has no build id by which a worker could tell it from another build; link it with "
                    "-Wl,--build-id");
    return {code->path, code->module.text(), std::to_string(code->offset)};
}

template <class>
void use_executable(const std::string& path, std::vector<std::string> arguments) {
    const std::string file = std::filesystem::absolute(path).string();
    os::require_executable(file, "set_executable");
    if (arguments.empty()) arguments = arguments_of_worker_program();
    arguments.insert(arguments.begin(), file);
    zygote::fresh_run() = {file, std::move(arguments)};
    os::workers_run_another_program = true;
    zygote::launcher = &zygote::launch_fresh_run;
}

}  // namespace procpool::inline v0_1::detail::worker

#endif
