// SPDX-License-Identifier: MIT
// Where a process was when it crashed: written by the dying process into memory that another one reads.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_CRASH_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_CRASH_HPP

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/crash_record.hpp"
#include "procpool/detail/os/module.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/symbols.hpp"

namespace procpool::inline v0_1::detail::os {

/// Makes exceptions of the system and aborts leave a trace in a crash_record. The process still dies of the
/// same.
///
/// A thread of its own walks the stack: one that has overflowed its stack has no room for that.
class crash_recorder {
public:
    /// For the rest of this process's life. What the program handles itself is left alone.
    static void install(crash_record& record) {
        constexpr unsigned int no_dialogs = 1 | 2 | 0x8000;
        ::SetErrorMode(no_dialogs);
        crash_recorder& own = instance();
        own.record_ = &record;
        own.asked_ = ::CreateEventW(nullptr, 1, 0, nullptr);
        ::DuplicateHandle(::GetCurrentProcess(), ::GetCurrentThread(), ::GetCurrentProcess(),
                          &own.main_thread_, api::process_synchronize, 0, 0);
        constexpr unsigned long stack_is_reserved = 0x10000;
        constexpr unsigned long long stack_size = 64 * 1024;
        void* const thread =
            ::CreateThread(nullptr, stack_size, &wait_and_record, nullptr, stack_is_reserved, nullptr);
        if (!own.asked_ || !own.main_thread_ || !thread) return;  // then nothing is recorded
        ::CloseHandle(thread);
        unsigned long guarantee = 16 * 1024;
        ::SetThreadStackGuarantee(&guarantee);
        ::SetUnhandledExceptionFilter(&ask_and_die);
        if (std::signal(SIGABRT, &record_abort) != SIG_DFL) std::signal(SIGABRT, SIG_DFL);
    }

private:
    static crash_recorder& instance() noexcept {
        static crash_recorder own;
        return own;
    }

    /// The exit code of abort() is 3 in one of the C libraries.
    static constexpr unsigned long abort_code = 0xC0000409;

    static unsigned long __stdcall wait_and_record(void* /*nothing*/) {
        crash_recorder& own = instance();
        // A task may end its thread, and the process would live on for the sake of this one.
        void* const both[] = {own.asked_, own.main_thread_};
        if (::WaitForMultipleObjects(2, both, 0, api::infinite) != api::wait_object)
            end_at_once(EXIT_SUCCESS);
        own.walk(*own.exception_->registers);
        end_at_once(static_cast<int>(own.exception_->record->code));
    }
    static long __stdcall ask_and_die(_EXCEPTION_POINTERS* exception) {
        crash_recorder& own = instance();
        auto* const found = api::as<api::exception_pointers>(exception);
        if (own.begun_.exchange(true)) ::Sleep(api::infinite);  // of the first one is told
        own.exception_ = found;
        ::SetEvent(own.asked_);
        constexpr unsigned long patience = 2000;
        ::Sleep(patience);  // the walk may wait for a lock that this thread holds
        end_at_once(static_cast<int>(found->record->code));
    }
    static void record_abort(int /*signal*/) {
        crash_recorder& own = instance();
        if (own.begun_.exchange(true)) ::Sleep(api::infinite);
        using capture = void __stdcall(api::context*);
        static auto* const call = api::function_of<capture>(L"kernel32.dll", "RtlCaptureContext");
        api::context here{};
        if (call) {
            call(&here);
            own.walk(here);
        }
        end_at_once(static_cast<int>(abort_code));
    }

    void walk(api::context& at) noexcept {
        using find = void* __stdcall(std::uint64_t, std::uint64_t*, void*);
        using unwind = void* __stdcall(unsigned long, std::uint64_t, std::uint64_t, void*, api::context*,
                                       void**, std::uint64_t*, void*);
        auto* const find_function = api::function_of<find>(L"kernel32.dll", "RtlLookupFunctionEntry");
        auto* const unwind_one = api::function_of<unwind>(L"kernel32.dll", "RtlVirtualUnwind");
        if (!find_function || !unwind_one) return;
        for (std::uint32_t i = 0; i < crash_record::most_frames && at.rip != 0; ++i) {
            if (const auto module = module_at(at.rip)) {
                record_->calls[i].module.store(module->id().key(), std::memory_order_relaxed);
                record_->calls[i].offset.store(at.rip - module->base(), std::memory_order_relaxed);
            }
            record_->frames.store(i + 1, std::memory_order_release);
            std::uint64_t base = 0;
            if (void* const function = find_function(at.rip, &base, nullptr)) {
                void* handler_data = nullptr;
                std::uint64_t frame = 0;
                unwind_one(0, base, at.rip, function, &at, &handler_data, &frame, nullptr);
                continue;
            }
            if (i > 0) return;
            // A leaf, a call of nowhere, or MinGW's check of the stack, which has pushed two registers and
            // has no entry.
            const auto* const stack = reinterpret_cast<const std::uint64_t*>(at.rsp);
            constexpr int most_pushed = 4;
            int pushed = 0;
            while (pushed < most_pushed && !find_function(stack[pushed], &base, nullptr)) ++pushed;
            if (pushed == most_pushed) return;
            at.rip = stack[pushed];
            at.rsp += 8 * static_cast<std::uint64_t>(pushed + 1);
        }
    }

    crash_record* record_ = nullptr;
    void* asked_ = nullptr;
    void* main_thread_ = nullptr;
    api::exception_pointers* exception_ = nullptr;
    std::atomic<bool> begun_{false};
};

/// The calls of a record, innermost first, down to where the library called the task.
template <class = only_if_used>
std::vector<std::string> describe_calls(const crash_record& record) {
    std::vector<std::string> calls;
    const std::size_t frames =
        std::min<std::size_t>(record.frames.load(std::memory_order_acquire), crash_record::most_frames);
    for (std::size_t i = 0; i < frames; ++i) {
        const std::uint64_t key = record.calls[i].module.load(std::memory_order_relaxed);
        std::uintptr_t address = 0;
        find_module([&](const loaded_module& module) {
            if (module.id().key() != key) return false;
            // A return address may be the first of the next function: the call is before it.
            address =
                module.base() + record.calls[i].offset.load(std::memory_order_relaxed) - (i > 0 ? 1 : 0);
            return true;
        });
        std::string call = address != 0 ? describe_code(address) : std::string();
        if (call.empty()) break;
        if (call.find("procpool::") != std::string::npos && call.find("detail::") != std::string::npos) {
            if (call.find("crash_recorder") != std::string::npos) {
                calls.clear();  // what is above it called it
                continue;
            }
            break;
        }
        calls.push_back(std::move(call));
    }
    return calls;
}

}  // namespace procpool::inline v0_1::detail::os

#endif
