// SPDX-License-Identifier: MIT
// The life of a Process: rebuild the function and its arguments, call it, tell how that ended.
#ifndef PROCPOOL_DETAIL_WORKER_PROCESS_MAIN_HPP
#define PROCPOOL_DETAIL_WORKER_PROCESS_MAIN_HPP

#include <cxxabi.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "procpool/detail/job/poll_hook.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/peaceful_exit.hpp"
#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/detail/wire/code_address.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "procpool/detail/worker/element_position.hpp"
#include "procpool/detail/worker/process_body.hpp"
#include "procpool/detail/worker/process_identity.hpp"
#include "procpool/detail/zygote/birth.hpp"

namespace procpool::inline v0_1::detail::worker {

/// A process's first message to its parent: this byte alone, or another one and why it can't begin.
inline constexpr std::byte process_begins{1};

/// Joins the children of a process at its end; set where there are some.
inline std::atomic<void (*)()> join_children{nullptr};

/// What was printed to the streams of C++ is out; for those of C see exit_process().
template <class = only_if_used>
void flush_streams() noexcept {
    for (std::ostream* const stream : {&std::cout, &std::clog}) try {
            stream->flush();
        } catch (...) {  // the program has asked for exceptions
        }
}

/// @return the exit code
// What pthread_exit throws is no object, which the sanitizer takes for a null reference.
template <class = only_if_used>
__attribute__((no_sanitize("null"))) int run_body(std::function<void()>& body) {
    try {
        body();
        body = nullptr;  // ends the objects that it holds, while the process is whole
        return EXIT_SUCCESS;
    } catch (abi::__forced_unwind&) {
        flush_streams();
        os::exit_process(EXIT_SUCCESS);  // what pthread_exit in a process's only thread means
    } catch (...) {
        const std::type_info* const type = abi::__cxa_current_exception_type();
        std::fprintf(stderr, "Process %s: %s: %s\n", process_identity::instance().name.c_str(),
                     type ? type_name(*type).c_str() : "unknown", wire::current_exception_text().c_str());
    }
    return EXIT_FAILURE;
}

/// Takes the identity that the parent has given.
template <class = only_if_used>
void read_identity(wire::cursor& from) {
    auto& identity = process_identity::instance();
    identity.name = wire::codec<std::string>::decode(from);
    identity.place = wire::codec<std::string>::decode(from);
    identity.daemon = from.value<bool>();
    const auto parent_name = wire::codec<std::string>::decode(from);
    const auto parent_pid = from.value<std::int64_t>();
    const auto parent_is_daemon = from.value<bool>();
    identity.parent = process_facts{parent_name, os::to_pid(parent_pid), parent_is_daemon};
    identity.children.store(0);
    zygote::own_name.rename(identity.name, identity.daemon);
    position_in_process = {};
    position_in_thread = nullptr;
    this_process = {};  // if it was forked by a pool's worker, it is none itself
    job::poll_hook::current() = nullptr;
}

/// What a new Process runs.
template <class = only_if_used>
int process_main(zygote::worker_birth& birth) {
    join_children.store(nullptr);  // those of a process that it is a copy of are none of its
    // Stays mapped to the end, since arguments may be views of it.
    const os::mapping message(birth.tasks, 0, os::file_size(birth.tasks), os::access::read_only);
    birth.tasks.reset();
    std::function<void()> body;
    std::string problem;
    try {
        wire::cursor from({message.data(), message.size()});
        from.take(sizeof(zygote::birth_record::word));
        read_identity(from);
        wire::may_load_libraries = true;
        body = wire::decode_function<body_maker>(from)(from);
        wire::may_load_libraries = false;
    } catch (...) {
        problem = wire::current_exception_text();
    }
    problem.insert(problem.begin(), static_cast<char>(problem.empty() ? process_begins : std::byte{}));
    const bool heard =
        os::write_all(birth.results, reinterpret_cast<const std::byte*>(problem.data()), problem.size());
    birth.results.reset();
    const int code = body && heard ? run_body(body) : EXIT_FAILURE;
    if (const auto join = join_children.load()) join();
    flush_streams();
    os::leave_in_peace(code);
}

}  // namespace procpool::inline v0_1::detail::worker

#endif
