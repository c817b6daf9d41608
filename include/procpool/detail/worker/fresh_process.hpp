// SPDX-License-Identifier: MIT
// The life of a process that was started as a fresh run of the program, by a pool or a Process.
#ifndef PROCPOOL_DETAIL_WORKER_FRESH_PROCESS_HPP
#define PROCPOOL_DETAIL_WORKER_FRESH_PROCESS_HPP

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/socket.hpp"
#include "procpool/detail/os/thread_name.hpp"
#include "procpool/detail/worker/loop.hpp"
#include "procpool/detail/worker/process_main.hpp"
#include "procpool/detail/zygote/birth.hpp"
#include "procpool/detail/zygote/exec.hpp"
#include "procpool/detail/zygote/zygote_process.hpp"

namespace procpool::inline v0_1::detail::worker {

/// Becomes what the first message from `socket` says: a zygote, a worker, or a Process.
[[noreturn]] inline void live_fresh_process(int socket) noexcept {
    os::started_anew = true;
    try {
        zygote::require_birth_by_parent(socket);
        os::runs_another_program = zygote::repeat_own_command();
        os::fd control(socket);
        auto incoming = os::receive_message<zygote::process_birth>(control, true);
        if (incoming->closed) os::exit_process(EXIT_FAILURE);  // the pool is gone
        if (incoming->files_lost) os::throw_system_error(EMFILE, "recvmsg (what a fresh run starts with)");
        const zygote::process_birth& birth = incoming->message;
        os::fd preload;
        if (birth.settings.preloads) {
            auto second = os::receive_message<zygote::process_birth>(control, true);
            if (second->closed) os::exit_process(EXIT_FAILURE);
            if (second->files_lost) os::throw_system_error(EMFILE, "recvmsg (a preload)");
            preload = std::move(second->files[0]);
        }
        os::name_this_process_after_program();
        birth.locale.apply();
        const zygote::worker_main main =
            birth.settings.purpose == zygote::occupation::process ? &process_main<> : &worker::main<>;
        if (birth.what == zygote::process_birth::kind::zygote) {
            birth.mask.apply();
            os::exit_process(zygote::zygote_process(std::move(control), std::move(incoming->files[0]),
                                                    std::move(incoming->files[1]), std::move(preload), main,
                                                    birth.settings)
                                 .run());
        }
        control.reset();
        birth.signals.restore();
        os::exit_process(zygote::run_worker(main, birth.settings, birth.slot, birth.serial,
                                            static_cast<long>(birth.parent), std::move(incoming->files),
                                            std::move(preload)));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "procpool: process %ld ends: %s\n", os::current_pid(), error.what());
    }
    os::exit_process(EXIT_FAILURE);
}

}  // namespace procpool::inline v0_1::detail::worker

#endif
