// SPDX-License-Identifier: MIT
// The engine: what a program compiles once if it is not to be compiled in each of its files.
//
// Define PROCPOOL_SEPARATE_COMPILATION for all files that include procpool, and include this in one of them.
// With CMake, link procpool::engine, which does both.
#ifndef PROCPOOL_SRC_HPP
#define PROCPOOL_SRC_HPP

#ifndef PROCPOOL_SEPARATE_COMPILATION
#error "procpool/src.hpp is for programs that define PROCPOOL_SEPARATE_COMPILATION for all their files"
#endif

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "procpool/detail/family/make_child_impl.hpp"
#include "procpool/detail/process/make_pool_impl.hpp"
#include "procpool/detail/thread/make_pool_impl.hpp"
#include "procpool/detail/worker/fresh_run_impl.hpp"

namespace procpool::detail {

template std::shared_ptr<scheduler::pool_backend> process::make_pool<void>(PoolOptions,
                                                                           process::pool_initializer);
template std::shared_ptr<thread::thread_backend> thread::make_pool<void>(PoolOptions, std::function<void()>);

template std::shared_ptr<family::child> family::make_child<void>(ProcessOptions, wire::buffer, wire::pins);
template std::vector<std::shared_ptr<family::child>> family::running_children<void>();
template void worker::support_fresh_runs<void>(int, const char* const*);
template void worker::keep_fresh_runs_from_main<void>(int, char**, char**);
template void worker::use_executable<void>(const std::string&, std::vector<std::string>);

}  // namespace procpool::detail

#endif
