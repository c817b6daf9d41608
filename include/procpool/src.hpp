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
#include <stop_token>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

#include "procpool/detail/call/call_handle_impl.hpp"
#include "procpool/detail/call/cancel_on_stop_impl.hpp"
#include "procpool/detail/call/encode_impl.hpp"
#include "procpool/detail/call/index_set_impl.hpp"
#include "procpool/detail/call/pool_owner_impl.hpp"
#include "procpool/detail/call/remote_job_of_impl.hpp"
#include "procpool/detail/element_result_impl.hpp"
#include "procpool/detail/error_impl.hpp"
#include "procpool/detail/family/make_child_impl.hpp"
#include "procpool/detail/family/make_pipe_impl.hpp"
#include "procpool/detail/family/mutual_proof.hpp"
#include "procpool/detail/family/reach_manager_impl.hpp"
#include "procpool/detail/family/wait_ready_impl.hpp"
#include "procpool/detail/job/call_options_impl.hpp"
#include "procpool/detail/job/chunking_impl.hpp"
#include "procpool/detail/job/element_callbacks_impl.hpp"
#include "procpool/detail/job/job_impl.hpp"
#include "procpool/detail/job/observation_impl.hpp"
#include "procpool/detail/job/observe_impl.hpp"
#include "procpool/detail/job/retrying_impl.hpp"
#include "procpool/detail/job/runner_impl.hpp"
#include "procpool/detail/job/trace_impl.hpp"
#include "procpool/detail/job/wait_list_impl.hpp"
#include "procpool/detail/journal/call_journal_impl.hpp"
#include "procpool/detail/journal/journal_file_impl.hpp"
#include "procpool/detail/journal/json_lines_impl.hpp"
#include "procpool/detail/os/fd_impl.hpp"
#include "procpool/detail/os/large_write_impl.hpp"
#include "procpool/detail/os/mapped_segment.hpp"
#include "procpool/detail/os/this_process_impl.hpp"
#include "procpool/detail/outcome_impl.hpp"
#include "procpool/detail/process/make_pool_impl.hpp"
#include "procpool/detail/progress/call_progress_impl.hpp"
#include "procpool/detail/progress/display_impl.hpp"
#include "procpool/detail/progress/line_impl.hpp"
#include "procpool/detail/progress/screen_impl.hpp"
#include "procpool/detail/scheduler/block_impl.hpp"
#include "procpool/detail/scheduler/call_series_impl.hpp"
#include "procpool/detail/scheduler/calls_in_a_row_impl.hpp"
#include "procpool/detail/scheduler/remote_job_impl.hpp"
#include "procpool/detail/shared/find_object_impl.hpp"
#include "procpool/detail/shared/named_block_impl.hpp"
#include "procpool/detail/shared/record_chain_impl.hpp"
#include "procpool/detail/shared/record_queue_impl.hpp"
#include "procpool/detail/start_method_impl.hpp"
#include "procpool/detail/statistics_impl.hpp"
#include "procpool/detail/thread/make_pool_impl.hpp"
#include "procpool/detail/thread/thread_backend_impl.hpp"
#include "procpool/detail/thread/thread_notes_impl.hpp"
#include "procpool/detail/type_name_impl.hpp"
#include "procpool/detail/wire/archive_impl.hpp"
#include "procpool/detail/wire/buffer_impl.hpp"
#include "procpool/detail/wire/buffer_memory_impl.hpp"
#include "procpool/detail/wire/code_address_impl.hpp"
#include "procpool/detail/wire/describe_impl.hpp"
#include "procpool/detail/wire/large_part_impl.hpp"
#include "procpool/detail/wire/other_machines_impl.hpp"
#include "procpool/detail/wire/pointer_check_impl.hpp"
#include "procpool/detail/wire/serializing_impl.hpp"
#include "procpool/detail/wire/sink_impl.hpp"
#include "procpool/detail/worker/fresh_run_impl.hpp"
#include "procpool/detail/worker/outbox_impl.hpp"
#include "procpool/detail/worker/run_pacer_impl.hpp"
#include "procpool/detail/worker/stop_watch_impl.hpp"
#include "procpool/detail/worker/task_impl.hpp"

namespace procpool::inline v0_1::detail {

template std::shared_ptr<scheduler::pool_backend> process::make_pool<void>(
    PoolOptions, const std::function<process::pool_initializer()>&);
template std::shared_ptr<thread::thread_backend> thread::make_pool<void>(
    PoolOptions, const std::function<std::function<void()>()>&);

template std::shared_ptr<scheduler::pool_backend> process::make_pool_of<void>(std::optional<int>);
template std::shared_ptr<thread::thread_backend> thread::make_pool_of<void>(std::optional<int>);
template void call::cancel_on_stop<void>(const std::shared_ptr<job::runner>&,
                                         const std::shared_ptr<job::basic_job>&, const std::stop_token&);

template std::shared_ptr<os::shared_segment> os::shared_segment::create<void>(std::size_t,
                                                                              const ArrayOptions&);
template std::shared_ptr<os::shared_segment> os::shared_segment::create<void>(const char*, std::size_t,
                                                                              os::extent);
template std::shared_ptr<os::shared_segment> os::shared_segment::open_file<void>(const std::string&,
                                                                                 std::uint64_t);
template std::shared_ptr<os::shared_segment> os::shared_segment::open<void>(const os::segment_handle&,
                                                                            os::access, os::extent);
template std::uint64_t os::shared_segment::number_of_spacious<void>() noexcept;

template void job::add_observer<void>(job::runner&, std::shared_ptr<Observer>);
template void job::observe_call<void>(job::basic_job&, const std::vector<std::shared_ptr<Observer>>&,
                                      const std::string&);

template void job::observe_pool<void>(job::runner&, std::vector<std::shared_ptr<Observer>>, bool,
                                      std::size_t);
template std::vector<std::shared_ptr<Observer>> job::observers_of<void>(const PoolOptions&);

template long os::own_pid<void>() noexcept;
template int os::usable_cpus<void>();
template void os::add_fork_hook<void>(std::function<void()>, std::function<void()>, std::function<void()>);

template void shared::encode_place<void>(const wire::sink&, const std::shared_ptr<os::shared_segment>&,
                                         const void*, std::size_t);
template shared::object_place shared::find_object<void>(wire::cursor&, const shared::object_kind&,
                                                        os::extent);
template shared::named_block shared::create_block<void>(std::size_t, std::string_view);
template shared::named_block shared::open_block<void>(std::string_view);
template int shared::remove_block<void>(const std::string&) noexcept;
template void shared::record_tail::trim<void>(const shared::record_memory&, std::uint32_t) noexcept;
template void shared::record_tail::take_memory<void>(const shared::record_memory&, std::uint64_t);
template shared::object<shared::record_queue> shared::record_queue::make<void>(std::uint32_t);

template std::shared_ptr<family::child> family::make_child<void>(ProcessOptions, wire::buffer, wire::pins);
template std::vector<std::shared_ptr<family::child>> family::running_children<void>();
template class worker::basic_outbox<void>;
template class worker::basic_run_pacer<void>;
template family::connected_ends family::make_pipe<void>(bool);
template std::shared_ptr<family::connection> family::open_connection<void>(wire::cursor&);
template family::server_key family::server_key::random<void>();
template std::shared_ptr<family::manager_client> family::reach_manager<void>(const family::server_key&);
template void family::run_manager<void>(const family::server_key&, const std::function<void()>&);
template int family::number_of<void>(const os::fd&) noexcept;
template std::vector<bool> family::wait_ready<void>(const std::vector<const os::fd*>&, steady_time);
template void worker::support_fresh_runs<void>(int, const char* const*);
template void worker::keep_fresh_runs_from_main<void>(int, char**, char**);
template std::optional<wire::arena_part> wire::allocate_part<void>(wire::arena&, std::size_t);
template std::optional<std::span<const std::byte>> wire::find_part<void>(const wire::arena_place&,
                                                                         std::uint64_t);
template std::shared_ptr<std::byte> wire::borrow_part<void>(const wire::arena_place&, std::uint64_t);
template std::shared_ptr<wire::arena> wire::arena_of_results<void>();
template const std::shared_ptr<wire::arena>& wire::other_machines<void>();
template void wire::require_this_machine<void>(const wire::sink&, const std::type_info&);
template bool wire::is_code<void>(std::uintptr_t);
template std::uint64_t wire::generation_of_code<void>(std::uintptr_t);
template void wire::encode_code<void>(wire::buffer&, std::uintptr_t);
template std::uintptr_t wire::decode_code<void>(wire::cursor&);
template bool wire::may_lie_elsewhere<void>(wire::cursor);
template void wire::refuse_pointer<void>(std::uintptr_t, const std::type_info&);
template void worker::use_executable<void>(const std::string&, std::vector<std::string>);

}  // namespace procpool::inline v0_1::detail

#endif
