// SPDX-License-Identifier: MIT
// Writing to a stream of this process, such as its standard output, without ever waiting for its reader.
#ifndef PROCPOOL_DETAIL_ZYGOTE_OUTPUT_STREAM_HPP
#define PROCPOOL_DETAIL_ZYGOTE_OUTPUT_STREAM_HPP

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>

#include "procpool/detail/os/error.hpp"

namespace procpool::detail::zygote {

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
            if (os::retry_on_eintr([&] { return ::poll(&state, 1, 0); }) == 0) return;
            const auto n = os::retry_on_eintr(
                [&] { return ::write(file_, pending_.data(), std::min(pending_.size(), never_blocks)); });
            if (n < 0 && errno == EAGAIN) return;
            pending_.erase(0, n > 0 ? static_cast<std::size_t>(n) : pending_.size());
        }
    }

    /// Writes all, unless nothing goes on for `pause_ms` milliseconds.
    void finish(int pause_ms) {
        write();
        pollfd state{file_, POLLOUT, 0};
        while (pending() && os::retry_on_eintr([&] { return ::poll(&state, 1, pause_ms); }) > 0) write();
    }

private:
    const int file_;
    std::string pending_;
};

}  // namespace procpool::detail::zygote

#endif
