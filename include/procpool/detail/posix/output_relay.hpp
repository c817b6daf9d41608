// SPDX-License-Identifier: MIT
// Passes what a child prints to standard error on to this process's own, and remembers the end of it.
#ifndef PROCPOOL_DETAIL_POSIX_OUTPUT_RELAY_HPP
#define PROCPOOL_DETAIL_POSIX_OUTPUT_RELAY_HPP

#include <unistd.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "procpool/detail/posix/fd.hpp"
#include "procpool/detail/posix/pipe.hpp"

namespace procpool::detail::posix {

class output_relay {
public:
    /// Remembers the last `most` bytes.
    output_relay(fd pipe, std::size_t most) : pipe_(std::move(pipe)), most_(most) { set_nonblocking(pipe_); }

    const fd& pipe() const noexcept { return pipe_; }
    const std::string& tail() const noexcept { return tail_; }

    /// Moves what is there; false once nobody can print any more.
    bool relay() {
        std::array<std::byte, 4096> piece;
        for (;;) {
            const transfer got = read_some(pipe_, piece.data(), piece.size());
            if (got.would_block) return true;
            if (got.closed) return false;
            pass_on({reinterpret_cast<const char*>(piece.data()), got.bytes});
        }
    }

private:
    void pass_on(std::string_view text) {
        tail_ += text;
        if (tail_.size() > most_) tail_.erase(0, tail_.size() - most_);
        while (!text.empty()) {
            const auto n = retry_on_eintr([&] { return ::write(STDERR_FILENO, text.data(), text.size()); });
            if (n <= 0) return;  // nobody reads it: the tail is still of use
            text.remove_prefix(static_cast<std::size_t>(n));
        }
    }

    fd pipe_;
    std::size_t most_;
    std::string tail_;
};

}  // namespace procpool::detail::posix

#endif
