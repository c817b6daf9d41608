// SPDX-License-Identifier: MIT
// freeze_support(): lets pools start their workers as fresh runs of this program.
//
// Boost.Process starts them, in its first version: the second one came with Boost 1.80, and in 1.81 its
// launcher by vfork aborts.
#ifndef PROCPOOL_FREEZE_SUPPORT_HPP
#define PROCPOOL_FREEZE_SUPPORT_HPP

#ifndef BOOST_PROCESS_USE_STD_FS
#define BOOST_PROCESS_USE_STD_FS  // or else programs would have to link boost_filesystem
#endif

// fork copies the page tables, which takes 20 ms in a program of 1 GiB. Boost.Process leaves vfork out where
// POSIX does, which has removed it; Linux has not.
#if defined(BOOST_PROCESS_DETAIL_POSIX_EXECUTOR_HPP) && !defined(BOOST_POSIX_HAS_VFORK)
#define PROCPOOL_LAUNCH_BY_VFORK 0  // too late: the program has included it before
#else
#define PROCPOOL_LAUNCH_BY_VFORK 1
#ifndef BOOST_POSIX_HAS_VFORK
#define BOOST_POSIX_HAS_VFORK 1
#endif
#endif

#include <array>
#include <boost/version.hpp>
#include <system_error>
#if BOOST_VERSION >= 108600
#include <boost/process/v1/child.hpp>
#include <boost/process/v1/error.hpp>
#include <boost/process/v1/extend.hpp>
#include <boost/process/v1/posix.hpp>
#else
#include <boost/process/child.hpp>
#include <boost/process/error.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/posix.hpp>
#endif

#include "procpool/detail/posix/early_start.hpp"
#include "procpool/detail/posix/exec.hpp"
#include "procpool/detail/worker/fresh_process.hpp"

namespace procpool {
namespace detail {

#if BOOST_VERSION >= 108600
namespace boost_process = ::boost::process::v1;
#else
namespace boost_process = ::boost::process;
#endif

/// Under which name this program was started.
inline const char* program_name = "";

/// Hands over exactly one descriptor.
struct hand_over : boost_process::extend::handler {
    std::array<char*, 3> arguments;
    int inherited;

    hand_over(const char* argument, int file)
        : arguments{const_cast<char*>(program_name), const_cast<char*>(argument), nullptr}, inherited(file) {}

    template <class Executor>
    void on_setup(Executor& executor) const {
        executor.exe = "/proc/self/exe";  // also when the file was replaced or removed
        executor.cmd_line = arguments.data();
    }
    template <class Executor>
    void on_fork_error(Executor&, const std::error_code& error) const {
        // Boost.Process tells of it only without vfork.
        posix::throw_system_error(error.value(), "vfork (for a fresh run of the program)");
    }
    template <class Executor>
    void on_error(Executor& executor, const std::error_code&) const {
        // A child that could not become the program; Boost.Process looks only once whether it has ended.
        if (executor.pid > 0) posix::wait_for_exit(executor.pid);
    }
    template <class Executor>
    void on_exec_setup(Executor&) const {
        posix::inherit_only(inherited);
    }
};

inline long launch_by_boost(const char* argument, int inherited) {
    std::error_code error;
#if PROCPOOL_LAUNCH_BY_VFORK
    boost_process::child child(hand_over(argument, inherited), error, boost_process::posix::use_vfork);
#else
    boost_process::child child(hand_over(argument, inherited), error);
#endif
    if (error) posix::throw_system_error(error.value(), "execve (a fresh run of the program)");
    const long pid = child.id();
    child.detach();
    return pid;
}

}  // namespace detail

/// To be called first in main: allows start_method::forkserver and spawn, and makes forkserver the default.
///
/// In a process that a pool has started to be a worker it never returns, where it is reached at all: with the
/// GNU C library such a process doesn't even begin main. In all others it returns at once. It leaves the
/// arguments alone. Not for use in several threads.
inline void freeze_support(int argc, const char* const* argv) {
    if (argc > 0) detail::program_name = argv[0];
    detail::posix::launcher = &detail::launch_by_boost;
    if (const auto socket = detail::posix::birth_socket(argc, argv))
        detail::worker::live_fresh_process(*socket);
}

#ifdef __GLIBC__
namespace detail {
/// A main that doesn't call freeze_support(), or only under some condition, would do the program's work
/// again.
inline void keep_fresh_processes_from_main(int argc, char** argv, char** environment) {
    if (posix::started_anew || !posix::birth_socket(argc, argv)) return;
    posix::started_anew = true;  // so that the other files' entries for this do nothing
    if (posix::run_initial_functions_after(&keep_fresh_processes_from_main, argc, argv, environment))
        posix::live_instead_of_main([&] { freeze_support(argc, argv); });
    posix::started_anew = false;
}
/// An entry of its own, since those for [[gnu::constructor]] are merged by link-time optimisation.
[[gnu::used, gnu::section(".init_array")]] static posix::initial_function before_main =
    &keep_fresh_processes_from_main;
}  // namespace detail
#endif

}  // namespace procpool

#endif
