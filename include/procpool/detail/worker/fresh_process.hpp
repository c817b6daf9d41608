// SPDX-License-Identifier: MIT
// The life of a process that was started as a fresh run of the program, by a pool or a Process.
#ifndef PROCPOOL_DETAIL_WORKER_FRESH_PROCESS_HPP
#define PROCPOOL_DETAIL_WORKER_FRESH_PROCESS_HPP

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

#include "procpool/detail/posix/exec.hpp"
#include "procpool/detail/posix/process.hpp"
#include "procpool/detail/posix/socket.hpp"
#include "procpool/detail/posix/worker_birth.hpp"
#include "procpool/detail/posix/zygote_process.hpp"
#include "procpool/detail/worker/loop.hpp"
#include "procpool/detail/worker/process_main.hpp"

namespace procpool::detail::worker {

/// Becomes what the first message from `socket` says: a zygote, a worker, or a Process.
[[noreturn]] inline void live_fresh_process(int socket) noexcept {
    posix::started_anew = true;
    try {
        posix::require_birth_by_parent(socket);
        posix::runs_another_program = posix::repeat_own_command();
        posix::fd control(socket);
        auto incoming = posix::receive_message<posix::process_birth>(control, true);
        if (incoming->closed) posix::exit_process(EXIT_FAILURE);  // the pool is gone
        if (incoming->files_lost) posix::throw_system_error(EMFILE, "recvmsg (what a fresh run starts with)");
        const posix::process_birth& birth = incoming->message;
        posix::take_program_name();
        birth.locale.apply();
        const posix::worker_main main =
            birth.settings.purpose == posix::occupation::process ? &process_main<> : &worker::main<>;
        if (birth.what == posix::process_birth::kind::zygote) {
            birth.mask.apply();
            posix::exit_process(
                posix::zygote_process(std::move(control), std::move(incoming->files[0]), main, birth.settings)
                    .run());
        }
        control.reset();
        birth.signals.restore();
        posix::exit_process(posix::run_worker(main, birth.settings, birth.slot, birth.serial,
                                              static_cast<long>(birth.parent), std::move(incoming->files)));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "procpool: process %ld ends: %s\n", posix::current_pid(), error.what());
    }
    posix::exit_process(EXIT_FAILURE);
}

}  // namespace procpool::detail::worker

#endif
