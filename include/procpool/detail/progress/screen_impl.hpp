// SPDX-License-Identifier: MIT
// Finds out what standard error is, and writes there without waiting.
#ifndef PROCPOOL_DETAIL_PROGRESS_SCREEN_IMPL_HPP
#define PROCPOOL_DETAIL_PROGRESS_SCREEN_IMPL_HPP

#include <charconv>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/os/terminal.hpp"
#include "procpool/detail/progress/screen.hpp"

namespace procpool::inline v0_1::detail::progress {

inline std::string_view variable(const char* name) {
    const char* const value = std::getenv(name);
    return value ? value : "";
}

/// The encoding of what a terminal shows, in the order in which setlocale(LC_CTYPE, "") looks for it.
inline bool environment_is_utf8() {
    for (const char* const name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        const std::string_view value = variable(name);
        if (value.empty()) continue;
        for (const char* const utf8 : {"UTF-8", "utf-8", "utf8", "UTF8"})
            if (value.find(utf8) != value.npos) return true;
        return false;
    }
    return false;
}

PROCPOOL_COMPILED_APART environment_of_terminal environment_of_terminal::read() {
    environment_of_terminal found;
    const std::string_view type = variable("TERM");
    found.moves_cursor = !type.empty() && type != "dumb";
    found.utf8 = environment_is_utf8();
    found.colour = variable("NO_COLOR").empty();
    const std::string_view columns = variable("COLUMNS");
    int number = 0;
    if (std::from_chars(columns.data(), columns.data() + columns.size(), number).ec == std::errc() &&
        number > 0)
        found.columns = number;
    return found;
}

PROCPOOL_COMPILED_APART screen::screen(const environment_of_terminal& environment)
    : environment_(environment),
      terminal_(environment.moves_cursor ? os::terminal_number(os::standard_error) : 0) {
    if (terminal_ == 0) return;
    file_ = os::open_again_without_waiting(os::standard_error);
    try {
        status_ = shared::status_lines::of_this_program();
    } catch (
        const std::exception&) {  // for want of a descriptor, perhaps: then what workers print may tear it
    }
}

PROCPOOL_COMPILED_APART bool screen::can_redraw() const noexcept {
    return terminal_ != 0 && !os::is_in_background(os::standard_error);
}

PROCPOOL_COMPILED_APART screen::size screen::measure() const noexcept {
    constexpr int usual_rows = 24;
    const os::terminal_size now = os::size_of_terminal(os::standard_error);
    return {{.columns = now.columns > 0 ? now.columns : environment_.columns,
             .utf8 = environment_.utf8,
             .colour = environment_.colour},
            static_cast<std::size_t>(now.rows > 0 ? now.rows : usual_rows)};
}

PROCPOOL_COMPILED_APART void screen::set_status(const std::string& lines) noexcept {
    gave_up_ = false;
    if (status_) status_->show(lines, terminal_);
}

PROCPOOL_COMPILED_APART void screen::hide_status() noexcept {
    if (status_ && !gave_up_) status_->hide();
}

PROCPOOL_COMPILED_APART void screen::write(std::string text) noexcept {
    if (closed_) return;
    if (pending_.empty())
        pending_ = std::move(text);
    else
        pending_ += text;
    flush();
}

PROCPOOL_COMPILED_APART void screen::flush() noexcept {
    while (!pending_.empty()) {
        const os::transfer done = file_ ? os::write_at_once(file_, pending_)
                                        : os::write_without_waiting(os::standard_error, pending_);
        if (done.would_block) return;
        closed_ = done.closed;
        pending_.erase(0, closed_ ? pending_.size() : done.bytes);
    }
}

}  // namespace procpool::inline v0_1::detail::progress

#endif
