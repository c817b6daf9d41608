// SPDX-License-Identifier: MIT
// Standard error as a place to show lines on, whatever it is.
#ifndef PROCPOOL_DETAIL_PROGRESS_SCREEN_HPP
#define PROCPOOL_DETAIL_PROGRESS_SCREEN_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/progress/line.hpp"
#include "procpool/detail/shared/status_lines.hpp"

namespace procpool::inline v0_1::detail::progress {

/// What environment variables say of the terminal.
struct environment_of_terminal {
    bool moves_cursor = false;  // TERM
    bool utf8 = false;          // LC_ALL, LC_CTYPE, LANG
    bool colour = false;        // NO_COLOR
    int columns = 80;           // COLUMNS, for terminals that don't know

    static environment_of_terminal read();
};

/// One thread's. Writes never wait, and never fail: what nobody reads is dropped.
class screen {
public:
    explicit screen(const environment_of_terminal& environment);
    screen(const screen&) = delete;
    screen& operator=(const screen&) = delete;
    ~screen() { hide_status(); }

    /// Whether anything can be written at all, as far as that is known.
    bool is_open() const noexcept { return !closed_; }
    bool is_terminal() const noexcept { return terminal_ != 0; }
    /// Whether lines can be drawn again: not in a log, and not in the background of a terminal.
    bool can_redraw() const noexcept;

    struct size {
        line_style style;
        std::size_t rows = 0;
    };
    /// As it is now: windows are resized.
    size measure() const noexcept;

    /// Before they are written: other processes that print will draw them again.
    void set_status(const std::string& lines) noexcept;
    /// After they were erased. Nothing if that was given up: then who prints next erases them.
    void hide_status() noexcept;

    void write(std::string text) noexcept;
    /// Whether something waits for its reader.
    bool is_blocked() const noexcept { return !pending_.empty(); }
    /// Goes on with what waits.
    void flush() noexcept;
    /// Drops it.
    void give_up() noexcept {
        pending_.clear();
        gave_up_ = true;
    }

private:
    const environment_of_terminal environment_;
    const std::uint64_t terminal_;  // 0 if it is none, or one that can't move its cursor
    os::fd file_;                   // the terminal for writes that don't wait, if it could be opened
    std::shared_ptr<shared::status_lines> status_;
    std::string pending_;
    bool closed_ = false;
    bool gave_up_ = false;  // since the status was set
};

}  // namespace procpool::inline v0_1::detail::progress

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/progress/screen_impl.hpp"
#endif

#endif
