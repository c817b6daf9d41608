// SPDX-License-Identifier: MIT
// How fresh runs of the program are started: by Boost.Process.
//
// freeze_support.hpp includes it, unless PROCPOOL_SEPARATE_LAUNCHER is defined; then one file of the program
// does, best one that includes nothing else.
//
// It is the first version of Boost.Process: the second one came with Boost 1.80, its launcher by vfork aborts
// in 1.81, and from 1.86 on it is a library to be linked.
#ifndef PROCPOOL_LAUNCHER_HPP
#define PROCPOOL_LAUNCHER_HPP

#include <cassert>
#include <string>
#include <system_error>
#include <vector>

#ifdef __GLIBC__
// Boost asserts. Where a header has included <assert.h> within a namespace of its own, as <Magick++.h> does,
// this is known nowhere else.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wredundant-decls"
// NOLINTNEXTLINE(bugprone-reserved-identifier): the C library's name
extern "C" [[gnu::noreturn]] void __assert_fail(const char*, const char*, unsigned, const char*) noexcept;
#pragma GCC diagnostic pop
#endif

#ifndef BOOST_PROCESS_DETAIL_POSIX_EXECUTOR_HPP  // the program hasn't included Boost.Process yet
#ifndef BOOST_PROCESS_USE_STD_FS
#define BOOST_PROCESS_USE_STD_FS  // or else programs would have to link boost_filesystem
#endif
// fork copies the page tables, which takes 20 ms in a program of 1 GiB. Boost.Process leaves vfork out where
// POSIX does, which has removed it; Linux has not.
#ifndef BOOST_POSIX_HAS_VFORK
#define BOOST_POSIX_HAS_VFORK 1
#endif
#endif

#if __has_include(<boost/process/v1/child.hpp>)  // since Boost 1.86
#include <boost/process/v1/child.hpp>
#include <boost/process/v1/error.hpp>
#include <boost/process/v1/extend.hpp>
#include <boost/process/v1/posix.hpp>
namespace procpool::inline v0_1::detail {
namespace boost_process = ::boost::process::v1;
}
#else
#include <boost/process/child.hpp>
#include <boost/process/error.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/posix.hpp>
namespace procpool::inline v0_1::detail {
namespace boost_process = ::boost::process;
}
#endif

#include "procpool/detail/zygote/exec.hpp"

namespace procpool::inline v0_1::detail {

/// Hands over exactly one descriptor.
struct hand_over : boost_process::extend::handler {
    std::vector<char*> arguments;
    int inherited;

    hand_over(const char* argument, int file) : inherited(file) {
        for (std::string& one : zygote::fresh_run().arguments) arguments.push_back(one.data());
        arguments.insert(arguments.end(), {const_cast<char*>(argument), nullptr});
    }

    template <class Executor>
    void on_setup(Executor& executor) {
        executor.exe = zygote::fresh_run().file.c_str();
        executor.cmd_line = arguments.data();
        if (zygote::next_environment) executor.env = zygote::next_environment;
    }
    template <class Executor>
    void on_fork_error(Executor&, const std::error_code& error) const {
        // Boost.Process tells of it only without vfork.
        os::throw_system_error(error.value(), "vfork (for a fresh run of the program)");
    }
    template <class Executor>
    void on_error(Executor& executor, const std::error_code&) const {
        // A child that could not become the program; Boost.Process checks only once whether it has ended.
        if (executor.pid > 0) os::wait_for_exit(executor.pid);
    }
    template <class Executor>
    void on_exec_setup(Executor&) const {
        zygote::prepare_exec(inherited);
    }
};

namespace zygote {
/// Declared in exec.hpp. Files of the program that only use it don't see this definition.
[[gnu::weak]] long launch_fresh_run(const char* argument, int inherited) {
    std::error_code error;
#if BOOST_POSIX_HAS_VFORK
    boost_process::child child(hand_over(argument, inherited), error, boost_process::posix::use_vfork);
#else  // the program has included Boost.Process before
    boost_process::child child(hand_over(argument, inherited), error);
#endif
    if (error) os::throw_system_error(error.value(), "execve (a fresh run of the program)");
    const long pid = child.id();
    child.detach();
    return pid;
}
}  // namespace zygote

}  // namespace procpool::inline v0_1::detail

#endif
