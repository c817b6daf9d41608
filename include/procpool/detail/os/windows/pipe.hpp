// SPDX-License-Identifier: MIT
// Pipes: two ends, and reads and writes that say what happened.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_PIPE_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_PIPE_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/piece.hpp"
#include "procpool/detail/os/readable.hpp"
#include "procpool/detail/os/windows/blocking.hpp"
#include "procpool/detail/os/windows/channel.hpp"
#include "procpool/detail/os/windows/random.hpp"
#include "procpool/detail/os/windows/text.hpp"

namespace procpool::inline v0_1::detail::os {

struct pipe_ends {
    fd read;
    fd write;
};

/// All handles are overlapped: those of one object would otherwise wait for each other, whoever has them.
inline pipe_ends make_named_pipe(unsigned long kind, const char* what,
                                 unsigned long how_written = api::flag_overlapped) {
    const std::wstring name = L"\\\\.\\pipe\\procpool-" + digits_of(make_random_words());
    fd read(::CreateNamedPipeW(name.c_str(),
                               api::pipe_inbound | api::flag_overlapped | api::flag_first_instance,
                               kind | api::pipe_reject_remote, 1, pipe_buffer, pipe_buffer, 0, nullptr));
    if (!read) throw_last_error(what);
    // The read mode of a client's end can be set by who has this right alone.
    constexpr unsigned long write_attributes = 0x100;
    fd write(::CreateFileW(name.c_str(), api::generic_write | write_attributes, 0, nullptr,
                           api::open_existing, how_written | api::security_anonymous, nullptr));
    if (!write) throw_last_error(what);
    return {std::move(read), std::move(write)};
}
/// Reads and writes of both wait.
inline pipe_ends make_pipe() { return make_named_pipe(0, "CreateNamedPipe (a worker's pipe)"); }

/// Its writer may be a stream of a C library, which knows nothing of overlapped handles.
inline pipe_ends make_output_pipe() { return make_named_pipe(0, "CreateNamedPipe (for output)", 0); }

/// From now on it doesn't wait, and a poller can watch it.
inline void set_nonblocking(fd& end) {
    if (end.watched()) return;
    unsigned long flags = 0;
    succeed(::GetNamedPipeInfo(end.get(), &flags, nullptr, nullptr, nullptr), "GetNamedPipeInfo");
    std::shared_ptr<watchable> made;
    // Which reads is the end that was made first.
    if (flags & api::pipe_server_end)
        made = std::make_shared<channel_reader>(end.get());
    else
        made = std::make_shared<channel_writer>(end.get());
    end.release();
    end = fd(std::move(made));
}

inline transfer read_some(const fd& file, std::byte* to, std::size_t size) {
    if (file.watched()) return static_cast<channel_reader&>(*file.watched()).read(to, size);
    for (;;) {
        const blocking_result got = read_blocking(file.get(), to, size);
        if (got.error == 0 && got.bytes > 0) return {.bytes = got.bytes};
        if (got.error == 0 && size > 0 && !is_pipe(file.get())) return {.closed = true};
        if (got.is_end()) return {.closed = true};
        if (got.error != 0) throw_error(got.error, "ReadFile (a pipe)");
    }
}
/// After a process has ended whose writes are read here: waits until more of them is here, or the end.
inline bool await_remains(const fd& file) {
    return file.watched() && static_cast<channel_reader&>(*file.watched()).await_more();
}

/// All that comes until its end.
inline std::string read_to_end(const fd& file) {
    std::string text;
    std::array<std::byte, 4096> part;
    for (;;) {
        const transfer got = read_some(file, part.data(), part.size());
        if (got.closed) return text;
        text.append(reinterpret_cast<const char*>(part.data()), got.bytes);
    }
}

inline transfer write_some(const fd& file, const piece* parts, int count) {
    const std::span<const piece> all(parts, static_cast<std::size_t>(count));
    if (file.watched()) {
        const transfer done = static_cast<channel_writer&>(*file.watched()).write(all);
        // Who reads is dead, of which others tell; until then it is as if the pipe were full.
        return done.closed ? transfer{.would_block = true} : done;
    }
    const blocking_result put = write_to(file.get(), data_of(all.front()), size_of(all.front()));
    if (put.error == 0) return {.bytes = put.bytes};
    if (put.is_end()) return {.closed = true};
    throw_error(put.error, "WriteFile (a pipe)");
}

/// What a stream of a process takes at once.
inline constexpr std::size_t never_blocks = 4096;
/// Writes a piece to a stream of this process. A console or file takes it at once; a pipe may make it wait.
inline transfer write_without_waiting(int stream, std::string_view text,
                                      std::size_t most = never_blocks) noexcept {
    const auto put = write_to(handle_of_stream(stream), text.data(), std::min(text.size(), most));
    if (put.error == 0 && put.bytes > 0) return {.bytes = put.bytes};
    return {.closed = true};
}

/// Bytes that were written and nobody has read; the largest number if that can't be known.
inline std::size_t unread(const fd& pipe) noexcept {
    if (pipe.watched()) return static_cast<const channel_reader&>(*pipe.watched()).unread();
    unsigned long bytes = 0;
    if (!::PeekNamedPipe(pipe.get(), nullptr, 0, nullptr, &bytes, nullptr)) return ~std::size_t{0};
    return bytes;
}

/// Writes all of it, blocking; false if nobody reads any more.
inline bool write_all(const fd& file, const std::byte* from, std::size_t size) {
    while (size > 0) {
        const piece part = make_piece(from, size);
        const transfer done = write_some(file, &part, 1);
        if (done.closed) return false;
        from += done.bytes;
        size -= done.bytes;
    }
    return true;
}

}  // namespace procpool::inline v0_1::detail::os

#endif
