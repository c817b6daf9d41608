// SPDX-License-Identifier: MIT
// Passes what children print on to a stream of this process, line by line if asked, and remembers the end.
#ifndef PROCPOOL_DETAIL_POSIX_OUTPUT_RELAY_HPP
#define PROCPOOL_DETAIL_POSIX_OUTPUT_RELAY_HPP

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "procpool/detail/posix/error.hpp"
#include "procpool/detail/posix/fd.hpp"
#include "procpool/detail/posix/pipe.hpp"

namespace procpool::detail::posix {

/// A stream of this process that must never block it, though its reader may be slow.
class output_stream {
public:
    explicit output_stream(int file) noexcept : file_(file) {}
    output_stream(const output_stream&) = delete;
    output_stream& operator=(const output_stream&) = delete;

    int file() const noexcept { return file_; }
    bool pending() const noexcept { return !pending_.empty(); }
    void put(std::string_view text) { pending_ += text; }

    /// Writes what can be written at once. What nobody reads any more is dropped.
    void write() {
        constexpr std::size_t never_blocks = 4096;  // what a pipe takes that poll calls writable
        while (!pending_.empty()) {
            pollfd state{file_, POLLOUT, 0};
            if (retry_on_eintr([&] { return ::poll(&state, 1, 0); }) == 0) return;
            const auto n = retry_on_eintr(
                [&] { return ::write(file_, pending_.data(), std::min(pending_.size(), never_blocks)); });
            if (n < 0 && errno == EAGAIN) return;
            pending_.erase(0, n > 0 ? static_cast<std::size_t>(n) : pending_.size());
        }
    }

    /// Writes all, unless nothing goes on for `patience` milliseconds.
    void finish(int patience) {
        write();
        pollfd state{file_, POLLOUT, 0};
        while (pending() && retry_on_eintr([&] { return ::poll(&state, 1, patience); }) > 0) write();
    }

private:
    const int file_;
    std::string pending_;
};

/// What one child prints.
class output_relay {
public:
    /// Remembers the last `most` bytes. Passes whole lines on, each with `prefix` in front, or just bytes.
    output_relay(fd pipe, output_stream& to, std::size_t most, bool by_lines, std::string prefix)
        : pipe_(std::move(pipe)), to_(to), most_(most), by_lines_(by_lines), prefix_(std::move(prefix)) {
        set_nonblocking(pipe_);
    }

    const fd& pipe() const noexcept { return pipe_; }
    const output_stream& to() const noexcept { return to_; }
    const std::string& tail() const noexcept { return tail_; }

    /// Moves what is there, as long as the stream takes it; false once nobody can print any more.
    bool relay() {
        while (!to_.pending())
            if (const auto end = relay_piece()) return *end == at::pause;
        return true;
    }

    /// Moves what a dead child has left, for its tail, even if the stream doesn't take it yet.
    void relay_remains() {
        constexpr int as_much_as_a_pipe_holds = 32;  // a process that it has started may go on for ever
        for (int i = 0; i < as_much_as_a_pipe_holds && !relay_piece(); ++i) {
        }
    }

private:
    enum class at { pause, end };

    /// Nothing if there may be more.
    std::optional<at> relay_piece() {
        std::array<std::byte, 4096> piece;
        const transfer got = read_some(pipe_, piece.data(), piece.size());
        if (got.would_block) return at::pause;
        if (got.closed) {
            if (!line_.empty()) put_line();
            return at::end;
        }
        take({reinterpret_cast<const char*>(piece.data()), got.bytes});
        to_.write();
        return std::nullopt;
    }

    void take(std::string_view text) {
        tail_ += text;
        if (tail_.size() > most_) tail_.erase(0, tail_.size() - most_);
        if (!by_lines_) {
            to_.put(text);
            return;
        }
        constexpr std::size_t longest_line = 64 * 1024;
        for (auto end = text.find('\n'); end != text.npos; end = text.find('\n')) {
            line_ += text.substr(0, end);
            text.remove_prefix(end + 1);
            put_line();
        }
        line_ += text;
        if (line_.size() > longest_line) put_line();
    }

    void put_line() {
        line_ += '\n';
        to_.put(prefix_);
        to_.put(line_);
        line_.clear();
    }

    fd pipe_;
    output_stream& to_;
    const std::size_t most_;
    const bool by_lines_;
    const std::string prefix_;
    std::string line_;
    std::string tail_;
};

}  // namespace procpool::detail::posix

#endif
