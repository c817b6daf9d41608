// SPDX-License-Identifier: MIT
// Starting this program anew.
//
// Nothing is inherited. The new process is made stopped, and inside of the pool's job; what it needs is put
// into it, and described in a section whose name is its argument. Then it is let go. So it has what is meant
// for it, whatever other threads start meanwhile, and doesn't stay if this process ends between two of these
// steps.
#ifndef PROCPOOL_DETAIL_ZYGOTE_WINDOWS_EXEC_HPP
#define PROCPOOL_DETAIL_ZYGOTE_WINDOWS_EXEC_HPP

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "procpool/detail/os/environment.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/locale.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/module.hpp"
#include "procpool/detail/os/new_process.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/zygote/birth.hpp"
#include "procpool/detail/zygote/surroundings.hpp"

namespace procpool::inline v0_1::detail::zygote {

/// Tasks, results, memory, and what to print errors and output to if that isn't the program's own.
using worker_handles = std::array<os::native_file, 5>;

/// What a fresh run finds in the section that its argument names. Trivial, since it lies in shared memory.
struct fresh_run_birth {
    std::atomic<std::uint32_t> was_read;  // it has got there
    os::module_id program;
    worker_handles handles;  // its own numbers for them
    std::uint32_t slot;
    std::uint64_t serial;
    worker_settings settings;
    os::locale_names locale;
};

/// Set by freeze_support().
inline std::atomic<bool> supports_fresh_runs{false};

inline constexpr std::wstring_view birth_argument = L"--procpool-process=";

/// The name of the section in the command line of a process that was started anew; nothing in all others.
inline std::optional<std::wstring> birth_name() { return os::value_of_last_argument(birth_argument); }

/// For a fresh run of the program that gets to where it would do what the program does.
[[noreturn]] inline void end_without_freeze_support() noexcept {
    std::fprintf(
        stderr,
        "procpool: process %ld was started to be a worker and has come to the program's own work; call "
        "procpool::freeze_support(argc, argv) first in main, whatever the arguments are\n",
        os::current_pid());
    os::exit_process(EXIT_FAILURE);
}

/// The section of a new process's birth, mapped.
class birth_section {
public:
    birth_section()
        : name_(os::new_section_name()), file_(os::make_named_section(name_, sizeof(fresh_run_birth))) {
        map();
    }
    /// Of the process that this one is. @throws std::system_error if who started it is gone
    explicit birth_section(std::wstring name) : name_(std::move(name)), file_(os::open_named_section(name_)) {
        map();
    }

    const std::wstring& name() const noexcept { return name_; }
    fresh_run_birth& operator*() const noexcept {
        return *reinterpret_cast<fresh_run_birth*>(memory_.data());
    }
    fresh_run_birth* operator->() const noexcept { return &**this; }

private:
    void map() { memory_ = os::mapping(file_, 0, sizeof(fresh_run_birth)); }

    std::wstring name_;
    os::fd file_;
    os::mapping memory_;
};

/// Tells a fresh run, which is still stopped, what it is, and gives it its files. @throws std::system_error
inline void describe_birth(birth_section& birth, os::new_process& to, const worker_settings& settings,
                           std::uint32_t slot, std::uint64_t serial,
                           const std::array<const os::fd*, std::tuple_size_v<worker_handles>>& files) {
    birth->program = os::program_id();
    birth->slot = slot;
    birth->serial = serial;
    birth->settings = settings;
    birth->locale = os::locale_names::of_this_process();
    for (std::size_t i = 0; i < files.size(); ++i)
        birth->handles[i] = files[i] ? to.give(*files[i]) : os::no_file;
}

}  // namespace procpool::inline v0_1::detail::zygote

#endif
