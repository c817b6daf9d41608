// SPDX-License-Identifier: MIT
// set_executable(): fresh workers for a library whose program is somebody else's.
#ifndef PROCPOOL_SET_EXECUTABLE_HPP
#define PROCPOOL_SET_EXECUTABLE_HPP

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/os/module.hpp"
#include "procpool/detail/os/program.hpp"
#include "procpool/detail/worker/fresh_process.hpp"
#include "procpool/detail/zygote/exec.hpp"
#include "procpool/error.hpp"
#ifndef PROCPOOL_SEPARATE_LAUNCHER  // as in freeze_support.hpp
#include "procpool/launcher.hpp"
#endif

namespace procpool {
namespace detail {

/// What worker_program() calls, in the library that it has loaded.
[[noreturn]] inline void live_in_worker_program(int socket) noexcept {
    zygote::launcher = &zygote::launch_fresh_run;
    worker::live_fresh_process(socket);
}

/// The arguments by which worker_program() finds that: the library's file, its build id, the place in it.
inline std::vector<std::string> arguments_of_worker_program() {
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

}  // namespace detail

/// Lets pools start their workers as fresh runs of another executable, and makes forkserver the default: for
/// a library whose program is somebody else's, as an extension of Python. Mirrors
/// multiprocessing.set_executable.
///
/// The executable is one whose main returns worker_program(argc, argv), of <procpool/worker_program.hpp>: it
/// loads this library, which lives there as a worker. Or it is any other, with `arguments` by which it comes
/// to call freeze_support(argc, argv) in this library with its name and its last argument:
/// `set_executable("/usr/bin/python3", {"-c", "import sys, mine; mine.freeze_support(sys.argv)"})`.
/// To be called before there are pools, and not in several threads.
/// @throws std::system_error if the file can't be executed
/// @throws Error if worker_program() couldn't find this library
inline void set_executable(const std::string& path, std::vector<std::string> arguments = {}) {
    const std::string file = std::filesystem::absolute(path).string();
    detail::os::require_executable(file, "set_executable");
    if (arguments.empty()) arguments = detail::arguments_of_worker_program();
    arguments.insert(arguments.begin(), file);
    detail::zygote::fresh_run() = {file, std::move(arguments)};
    detail::zygote::launcher = &detail::zygote::launch_fresh_run;
}

}  // namespace procpool

#endif
