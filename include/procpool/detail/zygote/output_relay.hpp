// SPDX-License-Identifier: MIT
// Passes on what a child prints, line by line if asked, and remembers the end.
#ifndef PROCPOOL_DETAIL_ZYGOTE_OUTPUT_RELAY_HPP
#define PROCPOOL_DETAIL_ZYGOTE_OUTPUT_RELAY_HPP

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/zygote/output_stream.hpp"

namespace procpool::inline v0_1::detail::zygote {

/// What one child prints.
template <class = only_if_used>
class basic_output_relay {
public:
    /// Remembers the last `most` bytes. Passes whole lines on, each with `prefix` in front, or just bytes.
    basic_output_relay(os::fd pipe, output_stream& to, std::size_t most, bool by_lines, std::string prefix)
        : pipe_(std::move(pipe)), to_(to), most_(most), by_lines_(by_lines), prefix_(std::move(prefix)) {
        os::set_nonblocking(pipe_);
    }

    const os::fd& pipe() const noexcept { return pipe_; }
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
        const os::transfer got = os::read_some(pipe_, piece.data(), piece.size());
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

    os::fd pipe_;
    output_stream& to_;
    const std::size_t most_;
    const bool by_lines_;
    const std::string prefix_;
    std::string line_;
    std::string tail_;
};
using output_relay = basic_output_relay<>;

}  // namespace procpool::inline v0_1::detail::zygote

#endif
