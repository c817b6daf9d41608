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

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "procpool/detail/family/make_child_impl.hpp"
#include "procpool/detail/family/make_pipe_impl.hpp"
#include "procpool/detail/family/mutual_proof.hpp"
#include "procpool/detail/family/reach_manager_impl.hpp"
#include "procpool/detail/family/wait_ready_impl.hpp"
#include "procpool/detail/os/this_process_impl.hpp"
#include "procpool/detail/process/make_pool_impl.hpp"
#include "procpool/detail/shared/named_block_impl.hpp"
#include "procpool/detail/thread/make_pool_impl.hpp"
#include "procpool/detail/worker/fresh_run_impl.hpp"

namespace procpool::detail {

template std::shared_ptr<scheduler::pool_backend> process::make_pool<void>(PoolOptions,
                                                                           process::pool_initializer);
template std::shared_ptr<thread::thread_backend> thread::make_pool<void>(PoolOptions, std::function<void()>);

template long os::own_pid<void>() noexcept;
template int os::usable_cpus<void>();
template void os::add_fork_hook<void>(std::function<void()>, std::function<void()>, std::function<void()>);

template shared::named_block shared::create_block<void>(std::size_t, std::string_view);
template shared::named_block shared::open_block<void>(std::string_view);
template int shared::remove_block<void>(const std::string&) noexcept;

template std::shared_ptr<family::child> family::make_child<void>(ProcessOptions, wire::buffer, wire::pins);
template std::vector<std::shared_ptr<family::child>> family::running_children<void>();
template family::connected_ends family::make_pipe<void>(bool);
template std::shared_ptr<family::connection> family::open_connection<void>(wire::cursor&);
template family::server_key family::server_key::random<void>();
template std::shared_ptr<family::manager_client> family::reach_manager<void>(const family::server_key&);
template void family::run_manager<void>(const family::server_key&, const std::function<void()>&);
template int family::number_of<void>(const os::fd&) noexcept;
template std::vector<bool> family::wait_ready<void>(const std::vector<int>&, steady_time);
template void worker::support_fresh_runs<void>(int, const char* const*);
template void worker::keep_fresh_runs_from_main<void>(int, char**, char**);
template void worker::use_executable<void>(const std::string&, std::vector<std::string>);

}  // namespace procpool::detail

#endif
