// SPDX-License-Identifier: MIT
// What is behind the door to fresh runs: the life of a process that was started as one.
#ifndef PROCPOOL_DETAIL_WORKER_WINDOWS_FRESH_RUN_IMPL_HPP
#define PROCPOOL_DETAIL_WORKER_WINDOWS_FRESH_RUN_IMPL_HPP

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/signal.hpp"
#include "procpool/detail/worker/fresh_run.hpp"
#include "procpool/detail/worker/loop.hpp"
#include "procpool/detail/worker/process_main.hpp"
#include "procpool/detail/zygote/birth.hpp"
#include "procpool/detail/zygote/windows/exec.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::worker {

/// What the section says that it is: a worker, or a Process.
struct own_birth {
    zygote::worker_birth birth;
    os::fd errors;
    os::fd output;

    static own_birth read(const std::wstring& name) {
        const zygote::birth_section section(name);
        zygote::fresh_run_birth& all = *section;
        if (!(all.program == os::program_id()))
            throw Error("procpool: the file of this program was replaced since it was started");
        all.was_read.store(1);
        all.locale.apply();
        const auto& files = all.handles;
        return {{all.slot, all.serial, os::fd(files[0]), os::fd(files[1]), os::fd(files[2]), all.settings},
                os::fd(files[3]),
                os::fd(files[4])};
    }
};

[[noreturn]] inline void live_fresh_process(const std::wstring& name) noexcept {
    os::started_anew = true;
    try {
        own_birth own = own_birth::read(name);
        const zygote::worker_settings& settings = own.birth.settings;
        os::detach_standard_input();
        if (settings.purpose == zygote::occupation::tasks) {
            os::leave_interrupts_to_the_program();
            zygote::parent_of_worker = settings.parent;
            zygote::own_name.rename("PoolWorker-" + std::to_string(settings.first_index + own.birth.slot + 1),
                                    true);
        }
        if (own.errors) os::redirect(std::move(own.errors), os::standard_error);
        if (own.output) os::redirect(std::move(own.output), os::standard_output);
        const zygote::worker_main main =
            settings.purpose == zygote::occupation::process ? &process_main<> : &worker::main<>;
        os::exit_process(main(own.birth));
    } catch (const std::system_error&) {  // who started it is gone
    } catch (const std::exception& error) {
        std::fprintf(stderr, "procpool: process %ld ends: %s\n", os::current_pid(), error.what());
    }
    os::exit_process(EXIT_FAILURE);
}

template <class>
void support_fresh_runs(int /*argc*/, const char* const* /*argv*/) {
    zygote::supports_fresh_runs.store(true);
    if (const auto name = zygote::birth_name()) live_fresh_process(*name);
}

template <class>
void use_executable(const std::string& /*path*/, std::vector<std::string> /*arguments*/) {
    throw Error("procpool: set_executable: workers are fresh runs of the program itself on Windows");
}

}  // namespace procpool::inline v0_1::detail::worker

#endif
