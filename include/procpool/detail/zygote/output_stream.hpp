// SPDX-License-Identifier: MIT
// Writing to a stream of this process, such as its standard output, without ever waiting for its reader.
#ifndef PROCPOOL_DETAIL_ZYGOTE_OUTPUT_STREAM_HPP
#define PROCPOOL_DETAIL_ZYGOTE_OUTPUT_STREAM_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/os/readable.hpp"
#include "procpool/detail/os/terminal.hpp"
#include "procpool/detail/shared/status_lines.hpp"

namespace procpool::inline v0_1::detail::zygote {

/// A stream of this process that must never block it, though its reader may be slow.
class output_stream {
public:
    explicit output_stream(int file) noexcept : file_(file) {}
    output_stream(const output_stream&) = delete;
    output_stream& operator=(const output_stream&) = delete;

    /// From now on, if this is a terminal, the program may show `lines` at its bottom.
    void keep_below(const shared::status_lines& lines) noexcept {
        terminal_ = os::terminal_number(file_);
        if (terminal_ != 0) lines_ = &lines;
    }

    int file() const noexcept { return file_; }
    bool pending() const noexcept { return !pending_.empty(); }
    void put(std::string_view text) { pending_ += text; }

    /// Writes what can be written at once. What nobody reads any more is dropped.
    void write() {
        while (pending()) {
            const os::transfer done = write_piece();
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
    os::transfer write_piece() {
        if (lines_ && at_line_begin_)
            if (const auto shown = lines_->on(terminal_)) return write_above(*shown);
        const os::transfer done = os::write_without_waiting(file_, pending_);
        if (done.bytes > 0) at_line_begin_ = pending_[done.bytes - 1] == '\n';
        return done;
    }

    /// Whole lines, and below them again what the program shows. Nothing of that is cut: a terminal takes
    /// all that is written at once.
    os::transfer write_above(const shared::status_lines::shown& shown) {
        constexpr std::size_t most = 2048;
        const std::size_t end = pending_.rfind('\n', most);
        const bool whole = end != pending_.npos;
        const std::size_t piece = whole ? end + 1 : std::min(pending_.size(), most);
        std::string text(shared::erase_status_lines);
        const std::size_t front = text.size();
        text.append(pending_, 0, piece);
        if (whole) text += shown.text;  // or else the program draws them, when the line has ended
        os::transfer done = os::write_without_waiting(file_, text, text.size());
        if (done.would_block || done.closed) return done;
        at_line_begin_ = whole;
        done.bytes = std::min(done.bytes - std::min(done.bytes, front), piece);
        draw_again_unless(shown.version);
        return done;
    }

    /// If the program has drawn meanwhile, what was drawn here may be old.
    void draw_again_unless(std::uint32_t version) {
        constexpr int tries = 3;  // it draws ten times a second
        for (int i = 0; i < tries && at_line_begin_ && lines_->version() != version; ++i) {
            const auto shown = lines_->on(terminal_);
            std::string text(shared::erase_status_lines);
            if (shown) text += shown->text;
            os::write_without_waiting(file_, text, text.size());
            if (!shown) return;
            version = shown->version;
        }
    }

    const int file_;
    std::string pending_;
    const shared::status_lines* lines_ = nullptr;
    std::uint64_t terminal_ = 0;
    bool at_line_begin_ = true;  // as far as is known
};

}  // namespace procpool::inline v0_1::detail::zygote

#endif
