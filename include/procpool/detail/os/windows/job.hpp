// SPDX-License-Identifier: MIT
// A group of processes that ends as one.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_JOB_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_JOB_HPP

#include <cstdint>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/windows/api.hpp"

namespace procpool::inline v0_1::detail::os {

class job {
public:
    job() : handle_(::CreateJobObjectW(nullptr, nullptr)) {
        if (!handle_) throw_last_error("CreateJobObject");
    }
    native_file get() const noexcept { return handle_.get(); }

    /// They end when nobody has a handle of the job any more, as when this process ends, in whatever way.
    void end_with_this_process() {
        api::job_limits limits{};
        limits.flags = api::job_kill_on_close;
        set(limits);
    }
    /// Of each of them, in bytes; 0 for no limit. @throws std::system_error
    void limit_memory(std::uint64_t bytes) {
        api::job_limits limits{};
        limits.flags = bytes != 0 ? api::job_process_memory : 0;
        limits.process_memory = bytes;
        set(limits);
    }
    void add_this_process() {
        using add = int __stdcall(void*, void*);
        static auto* const call = api::function_of<add>(L"kernel32.dll", "AssignProcessToJobObject");
        succeed(call && call(handle_.get(), ::GetCurrentProcess()), "AssignProcessToJobObject");
    }
    /// Ends all of them at once, which tell `signal` as the cause.
    void end_all(int signal) noexcept {
        ::TerminateJobObject(handle_.get(), ended_by_signal | static_cast<unsigned int>(signal));
    }

private:
    void set(const api::job_limits& limits) {
        using set_information = int __stdcall(void*, int, const void*, unsigned long);
        static auto* const call =
            api::function_of<set_information>(L"kernel32.dll", "SetInformationJobObject");
        succeed(call && call(handle_.get(), api::job_extended_limits, &limits, sizeof limits),
                "SetInformationJobObject");
    }

    fd handle_;
};

}  // namespace procpool::inline v0_1::detail::os

#endif
