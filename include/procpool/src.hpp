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
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <typeinfo>
#include <vector>

#include "procpool/detail/family/make_child_impl.hpp"
#include "procpool/detail/job/cpu_count_impl.hpp"
#include "procpool/detail/process/make_pool_impl.hpp"
#include "procpool/detail/thread/make_pool_impl.hpp"
#include "procpool/detail/wire/code_address_impl.hpp"
#include "procpool/detail/wire/large_part_impl.hpp"
#include "procpool/detail/wire/pointer_check_impl.hpp"
#include "procpool/detail/worker/fresh_run_impl.hpp"
#include "procpool/detail/worker/outbox_impl.hpp"
#include "procpool/detail/worker/run_pacer_impl.hpp"

namespace procpool::detail {

template std::shared_ptr<scheduler::pool_backend> process::make_pool<void>(PoolOptions,
                                                                           process::pool_initializer);
template std::shared_ptr<thread::thread_backend> thread::make_pool<void>(PoolOptions, std::function<void()>);

template std::shared_ptr<family::child> family::make_child<void>(ProcessOptions, wire::buffer, wire::pins);
template std::vector<std::shared_ptr<family::child>> family::running_children<void>();
template class worker::basic_outbox<void>;
template class worker::basic_run_pacer<void>;
template void worker::support_fresh_runs<void>(int, const char* const*);
template void worker::keep_fresh_runs_from_main<void>(int, char**, char**);
template std::optional<wire::arena_part> wire::allocate_part<void>(wire::arena&, std::size_t);
template std::optional<std::span<const std::byte>> wire::find_part<void>(const wire::arena_place&,
                                                                         std::uint64_t);
template bool wire::is_code<void>(std::uintptr_t);
template std::uint64_t wire::generation_of_code<void>(std::uintptr_t);
template void wire::encode_code<void>(wire::buffer&, std::uintptr_t);
template std::uintptr_t wire::decode_code<void>(wire::cursor&);
template void wire::refuse_pointer<void>(std::uintptr_t, const std::type_info&);
template void worker::use_executable<void>(const std::string&, std::vector<std::string>);

}  // namespace procpool::detail

#endif
