// SPDX-License-Identifier: MIT
// Starts a fresh run of this program, and puts into it what it needs before it runs.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_NEW_PROCESS_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_NEW_PROCESS_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/windows/api.hpp"
#include "procpool/detail/os/windows/job.hpp"
#include "procpool/detail/os/windows/limits.hpp"
#include "procpool/detail/os/windows/random.hpp"
#include "procpool/detail/os/windows/text.hpp"

namespace procpool::inline v0_1::detail::os {

/// What stands behind `prefix` on this process's command line, if that is its last argument.
inline std::optional<std::wstring> value_of_last_argument(std::wstring_view prefix) {
    const std::wstring_view line = ::GetCommandLineW();
    const std::size_t space = line.rfind(L' ');
    if (space == line.npos || line.substr(space + 1, prefix.size()) != prefix) return std::nullopt;
    return std::wstring(line.substr(space + 1 + prefix.size()));
}

/// Nobody guesses it, and it goes with the last who has the section.
inline std::wstring new_section_name() { return digits_of(make_random_words()); }

inline std::wstring whole_section_name(const std::wstring& name) { return L"Local\\procpool-" + name; }
inline fd make_named_section(const std::wstring& name, std::size_t size) {
    fd file(::CreateFileMappingW(api::invalid_handle, nullptr, api::page_read_write,
                                 static_cast<unsigned long>(std::uint64_t{size} >> 32),
                                 static_cast<unsigned long>(size), whole_section_name(name).c_str()));
    if (!file) throw_last_error("CreateFileMapping (a named section)");
    return file;
}
inline fd open_named_section(const std::wstring& name) {
    fd file(::OpenFileMappingW(api::map_read | api::map_write, 0, whole_section_name(name).c_str()));
    if (!file) throw_last_error("OpenFileMapping (a named section)");
    return file;
}

inline bool has_ended(const fd& process) noexcept {
    return ::WaitForSingleObject(process.get(), 0) == api::wait_object;
}

/// Stopped until it is let go, and ended if it never is.
class new_process {
public:
    /// A run of this program, as one of `group`, with one argument. It has this process's variables and
    /// directory where `environment` and `directory` are empty. @throws std::system_error
    new_process(job& group, const std::wstring& argument, std::wstring environment,
                const std::string& directory) {
        std::wstring program(32768, L'\0');
        program.resize(
            ::GetModuleFileNameW(nullptr, program.data(), static_cast<unsigned long>(program.size())));
        std::wstring line = L"\"" + program + L"\" " + argument;
        const std::wstring folder = widened(directory);
        unsigned long long size = 0;
        ::InitializeProcThreadAttributeList(nullptr, 1, 0, &size);
        std::vector<std::byte> room(static_cast<std::size_t>(size));
        auto* const attributes = api::as<_PROC_THREAD_ATTRIBUTE_LIST>(room.data());
        succeed(::InitializeProcThreadAttributeList(attributes, 1, 0, &size),
                "InitializeProcThreadAttributeList");
        const struct delete_list {
            _PROC_THREAD_ATTRIBUTE_LIST* list;
            ~delete_list() { ::DeleteProcThreadAttributeList(list); }
        } afterwards{attributes};
        native_file jobs = group.get();
        succeed(::UpdateProcThreadAttribute(attributes, 0, api::attribute_job_list, &jobs, sizeof jobs,
                                            nullptr, nullptr),
                "UpdateProcThreadAttribute");
        api::startup_information start{};
        start.size = sizeof start;
        start.attributes = attributes;
        api::process_information made{};
        succeed(
            ::CreateProcessW(
                program.c_str(), line.data(), nullptr, nullptr, 0,
                api::create_suspended | api::create_extended_startup | api::create_unicode_environment,
                environment.empty() ? nullptr : environment.data(), folder.empty() ? nullptr : folder.c_str(),
                api::as<_STARTUPINFOW>(&start), api::as<_PROCESS_INFORMATION>(&made)),
            "CreateProcess (a fresh run of the program)");
        process_ = fd(made.process);
        thread_ = fd(made.thread);
        pid_ = static_cast<long>(made.pid);
    }
    new_process(const new_process&) = delete;
    new_process& operator=(const new_process&) = delete;
    ~new_process() {
        if (thread_) ::TerminateProcess(process_.get(), 1);
    }

    long pid() const noexcept { return pid_; }
    const fd& process() const noexcept { return process_; }
    /// Somebody may have ended it already; what it is given is lost then, and its end is told as that of
    /// others.
    bool has_ended() const noexcept { return os::has_ended(process_); }
    /// The number by which it has this file; it is another handle for it. @throws std::system_error
    native_file give(const fd& file) {
        native_file there = nullptr;
        if (file.get() &&
            !::DuplicateHandle(::GetCurrentProcess(), file.get(), process_.get(), &there, 0, 0,
                               api::duplicate_same_access) &&
            !has_ended())
            throw_last_error("DuplicateHandle (into a fresh run of the program)");
        return there;
    }
    /// It runs. @return its handle
    fd let_go() {
        if (::ResumeThread(thread_.get()) == 0xFFFFFFFF && !has_ended()) throw_last_error("ResumeThread");
        thread_.reset();
        return std::move(process_);
    }

private:
    fd process_;
    fd thread_;
    long pid_ = 0;
};

/// Calls a function in a thread of the system's when a process has ended, until it is destroyed.
class end_watch {
public:
    end_watch() noexcept = default;
    /// @throws std::system_error
    end_watch(const fd& process, void(__stdcall* call)(void*, unsigned char), void* argument) {
        constexpr unsigned long once = 8;
        succeed(::RegisterWaitForSingleObject(&wait_, process.get(), call, argument, api::infinite, once),
                "RegisterWaitForSingleObject");
    }
    end_watch(const end_watch&) = delete;
    end_watch& operator=(const end_watch&) = delete;
    end_watch(end_watch&& other) noexcept : wait_(std::exchange(other.wait_, nullptr)) {}
    end_watch& operator=(end_watch&& other) noexcept {
        std::swap(wait_, other.wait_);
        return *this;
    }
    /// Waits for a call that has begun.
    ~end_watch() {
        if (wait_) ::UnregisterWaitEx(wait_, api::invalid_handle);
    }

private:
    native_file wait_ = nullptr;
};

/// How a process that has ended did so.
inline exit_status end_status_of(const fd& process) noexcept {
    unsigned long code = 0;
    return ::GetExitCodeProcess(process.get(), &code) ? status_of(code) : exit_status{};
}
inline bool wait_for_end(const fd& process) noexcept {
    return ::WaitForSingleObject(process.get(), api::infinite) == api::wait_object;
}

}  // namespace procpool::inline v0_1::detail::os

#endif
