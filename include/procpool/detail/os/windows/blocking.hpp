// SPDX-License-Identifier: MIT
// Reads and writes that wait for their end, also of handles whose operations don't.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_BLOCKING_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_BLOCKING_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>

#include "procpool/detail/os/windows/api.hpp"
#include "procpool/detail/os/windows/per_thread.hpp"

// Of the C library.
extern "C" __declspec(dllimport) std::intptr_t __cdecl _get_osfhandle(int);

namespace procpool::inline v0_1::detail::os {

struct blocking_result {
    std::size_t bytes = 0;
    unsigned long error = 0;
    /// Nobody is at the other end any more.
    bool is_end() const noexcept {
        return error == api::error_broken_pipe || error == api::error_no_data ||
               error == api::error_pipe_not_connected;
    }
};

/// The event by which a thread waits, made when it is first needed.
class thread_event {
public:
    static void* here() noexcept {
        try {
            return of_this_thread<thread_event, thread_event>().event_;
        } catch (const std::exception&) {
            return nullptr;
        }
    }
    thread_event(const thread_event&) = delete;
    thread_event& operator=(const thread_event&) = delete;

    thread_event() noexcept : event_(::CreateEventW(nullptr, 1, 0, nullptr)) {}
    ~thread_event() {
        if (event_) ::CloseHandle(event_);
    }

private:
    void* const event_;
};

/// `call(bytes, overlapped)` begins it.
template <class Call>
blocking_result wait_for_end(void* file, Call call) noexcept {
    api::overlapped operation;
    operation.event = thread_event::here();
    if (!operation.event) return {.error = api::error_not_enough_memory};
    unsigned long bytes = 0;
    if (call(&bytes, api::as_overlapped(&operation))) return {.bytes = bytes};
    unsigned long error = ::GetLastError();
    if (error != api::error_io_pending) return {.error = error};
    if (::GetOverlappedResult(file, api::as_overlapped(&operation), &bytes, 1)) return {.bytes = bytes};
    error = ::GetLastError();
    return {.bytes = bytes, .error = error};
}

inline constexpr std::size_t most_at_once = std::size_t{1} << 30;

inline blocking_result read_blocking(void* file, void* to, std::size_t size) noexcept {
    const auto most = static_cast<unsigned long>(std::min(size, most_at_once));
    return wait_for_end(file, [=](unsigned long* bytes, _OVERLAPPED* operation) {
        return ::ReadFile(file, to, most, bytes, operation);
    });
}
inline blocking_result write_blocking(void* file, const void* from, std::size_t size) noexcept {
    const auto most = static_cast<unsigned long>(std::min(size, most_at_once));
    return wait_for_end(file, [=](unsigned long* bytes, _OVERLAPPED* operation) {
        return ::WriteFile(file, from, most, bytes, operation);
    });
}
inline bool is_pipe(void* file) noexcept { return ::GetFileType(file) == api::type_pipe; }
/// To a pipe, or behind what a file has.
inline blocking_result write_to(void* file, const void* from, std::size_t size) noexcept {
    if (is_pipe(file)) return write_blocking(file, from, size);
    const auto most = static_cast<unsigned long>(std::min(size, most_at_once));
    unsigned long bytes = 0;
    if (::WriteFile(file, from, most, &bytes, nullptr)) return {.bytes = bytes};
    const unsigned long error = ::GetLastError();
    return {.error = error};
}
/// Of a stream of the C library, by its number.
inline void* handle_of_stream(int stream) noexcept {
    return reinterpret_cast<void*>(::_get_osfhandle(stream));
}

}  // namespace procpool::inline v0_1::detail::os

#endif
