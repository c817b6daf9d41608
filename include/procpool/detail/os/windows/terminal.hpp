// SPDX-License-Identifier: MIT
// The console that a stream of this process may be: its size, who may write to it.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_TERMINAL_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_TERMINAL_HPP

#include <cstdint>
#include <string_view>

#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/os/windows/api.hpp"
#include "procpool/detail/os/windows/blocking.hpp"

namespace procpool::inline v0_1::detail::os {

/// Not 0 if `stream` is the console of this process, of which there is one at most.
inline std::uint64_t terminal_number(int stream) noexcept {
    unsigned long mode = 0;
    return ::GetConsoleMode(handle_of_stream(stream), &mode) != 0 ? 1 : 0;
}

struct terminal_size {
    int columns = 0;  // 0 if it doesn't know
    int rows = 0;
};
inline terminal_size size_of_terminal(int stream) noexcept {
    struct {
        std::int16_t buffer[2], cursor[2];
        std::uint16_t attributes;
        std::int16_t left, top, right, bottom, most[2];
    } screen{};
    using read = int __stdcall(void*, void*);
    static auto* const call = api::function_of<read>(L"kernel32.dll", "GetConsoleScreenBufferInfo");
    if (!call || !call(handle_of_stream(stream), &screen)) return {};
    return {screen.right - screen.left + 1, screen.bottom - screen.top + 1};
}

/// There is no job control.
inline bool is_in_background(int /*stream*/) noexcept { return false; }
/// A console never makes a write wait for long.
inline fd open_again_without_waiting(int /*stream*/) noexcept { return {}; }
inline transfer write_at_once(const fd& file, std::string_view text) noexcept {
    const auto put = write_to(file.get(), text.data(), text.size());
    if (put.error == 0 && put.bytes > 0) return {.bytes = put.bytes};
    return {.closed = true};
}
inline void block_broken_pipes() noexcept {}

}  // namespace procpool::inline v0_1::detail::os

#endif
