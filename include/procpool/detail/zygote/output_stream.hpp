// SPDX-License-Identifier: MIT
// Writing to a stream of this process, such as its standard output, without ever waiting for its reader.
#ifndef PROCPOOL_DETAIL_ZYGOTE_OUTPUT_STREAM_HPP
#define PROCPOOL_DETAIL_ZYGOTE_OUTPUT_STREAM_HPP

#include <string>
#include <string_view>

#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/os/readable.hpp"

namespace procpool::inline v0_1::detail::zygote {

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
        while (pending()) {
            const os::transfer done = os::write_without_waiting(file_, pending_);
            if (done.would_block) return;
            pending_.erase(0, done.closed ? pending_.size() : done.bytes);
        }
    }

    /// Writes all, unless nothing goes on for `pause_ms` milliseconds.
    void finish(int pause_ms) {
        write();
        while (pending() && os::wait_writable(file_, pause_ms) == os::wait_end::ready) write();
    }

private:
    const int file_;
    std::string pending_;
};

}  // namespace procpool::inline v0_1::detail::zygote

#endif
