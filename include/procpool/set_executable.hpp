// SPDX-License-Identifier: MIT
// set_executable(): fresh workers for a library whose program is somebody else's.
#ifndef PROCPOOL_SET_EXECUTABLE_HPP
#define PROCPOOL_SET_EXECUTABLE_HPP

#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/worker/fresh_run.hpp"

namespace procpool::inline v0_1 {

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
    detail::worker::use_executable(path, std::move(arguments));
}

}  // namespace procpool::inline v0_1

#endif
