// SPDX-License-Identifier: MIT
// Puts how far a call is into words, as many as fit.
#ifndef PROCPOOL_DETAIL_PROGRESS_LINE_IMPL_HPP
#define PROCPOOL_DETAIL_PROGRESS_LINE_IMPL_HPP

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/progress/line.hpp"
#include "procpool/detail/progress/text_width.hpp"

namespace procpool::inline v0_1::detail::progress {

// ---- numbers as texts

inline std::string count_of(std::uint64_t n, const char* one, const char* many) {
    return std::to_string(n).append(1, ' ').append(n == 1 ? one : many);
}

/// With three digits.
inline std::string short_number(double value) {
    std::array<char, 32> text;
    const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
    return text.data();
}

/// "131/s", "94.7M/s", "4.20/min".
inline std::string rate_of(double per_second) {
    constexpr double thousands = 1e4, millions = 1e6;
    if (per_second >= millions) return short_number(per_second / 1e6) + "M/s";
    if (per_second >= thousands) return short_number(per_second / 1e3) + "k/s";
    if (per_second >= 1) return short_number(per_second) + "/s";
    if (per_second * 60 >= 1) return short_number(per_second * 60) + "/min";
    return short_number(per_second * 3600) + "/h";
}

/// As a clock shows it: "0:04", "1:02:03", "3d 04:05:06".
inline std::string clock_of(std::chrono::seconds time) {
    const long long all = time.count();
    const long long days = all / 86400, hours = all / 3600 % 24, minutes = all / 60 % 60, seconds = all % 60;
    std::array<char, 48> text;
    if (days > 0)
        std::snprintf(text.data(), text.size(), "%lldd %02lld:%02lld:%02lld", days, hours, minutes, seconds);
    else if (hours > 0)
        std::snprintf(text.data(), text.size(), "%lld:%02lld:%02lld", hours, minutes, seconds);
    else
        std::snprintf(text.data(), text.size(), "%lld:%02lld", minutes, seconds);
    return text.data();
}
inline std::string clock_of(std::chrono::nanoseconds time) {
    return clock_of(std::chrono::duration_cast<std::chrono::seconds>(time));
}

/// "0.12 s", "12.3 s", and from a minute on as a clock shows it.
inline std::string duration_of(std::chrono::nanoseconds time) {
    const double seconds = std::chrono::duration<double>(time).count();
    return seconds < 59.95 ? short_number(seconds) + " s" : clock_of(time);
}

/// Never 100 before the end.
inline int percent_of(const call_state& call) {
    if (*call.total == 0 || call.done >= *call.total) return 100;
    return static_cast<int>(static_cast<double>(call.done) / static_cast<double>(*call.total) * 100);
}

/// "264 of 510", of the same width from begin to end.
inline std::string count_on_terminal(const call_state& call) {
    std::string done = std::to_string(call.done);
    if (!call.total) return done;
    const std::string total = std::to_string(*call.total);
    if (done.size() < total.size()) done.insert(0, total.size() - done.size(), ' ');
    return done + " of " + total;
}

inline std::string died_of(std::uint64_t workers) { return count_of(workers, "worker died", "workers died"); }

// ---- the bar

inline std::string bar_of(double share, int columns, bool utf8) {
    if (columns < 3) return {};
    const int room = columns - 2;  // between its ends
    share = std::clamp(share, 0.0, 1.0);
    if (!utf8) {
        const int full = static_cast<int>(share * room);
        std::string bar = "[";
        bar.append(static_cast<std::size_t>(full), '#').append(static_cast<std::size_t>(room - full), ' ');
        return bar += ']';
    }
    constexpr std::array<std::string_view, 8> parts{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const int eighths = static_cast<int>(share * room * 8);
    std::string bar = "|";
    for (int i = 0; i < eighths / 8; ++i) bar += "█";
    const std::string_view part = parts[static_cast<std::size_t>(eighths % 8)];
    bar += part;
    bar.append(static_cast<std::size_t>(room - eighths / 8 - (part.empty() ? 0 : 1)), ' ');
    return bar += '|';
}

// ---- the line

/// A piece of it. Where there is no room, those of the highest number go first.
struct piece {
    std::string text;
    int rank = 0;
    bool alarm = false;
};

/// Two blanks between any two.
inline int columns_of(const std::vector<piece>& pieces) {
    int columns = 0;
    for (const piece& one : pieces)
        if (!one.text.empty()) columns += columns_of(one.text) + (columns > 0 ? 2 : 0);
    return columns;
}

/// Takes the least important ones out until the others fit.
inline void fit(std::vector<piece>& pieces, int room) {
    while (pieces.size() > 1 && columns_of(pieces) > room)
        pieces.erase(std::ranges::max_element(pieces, {}, &piece::rank));
}

PROCPOOL_COMPILED_APART std::string line_on_terminal(const call_state& call, const line_style& style) {
    constexpr int least_bar = 10, most_bar = 40;
    constexpr int rank_of_bar = 7;
    const int room = style.columns - 1;  // a full line would make some terminals begin the next one
    if (room <= 0) return {};

    std::string name(cut_to_columns(call.name, std::max(room / 3, 8)));
    if (!style.utf8) name = as_ascii(name);
    const int padding = std::min(style.name_columns, std::max(room / 3, 8)) - columns_of(name);
    if (padding > 0) name.append(static_cast<std::size_t>(padding), ' ');

    std::vector<piece> pieces;
    pieces.push_back({name, 4});
    if (call.total) {
        pieces.push_back({std::string(least_bar, ' '), rank_of_bar});
        const std::string percent = std::to_string(percent_of(call)) + "%";
        pieces.push_back({std::string(percent.size() < 4 ? 4 - percent.size() : 0, ' ') + percent, 5});
    }
    pieces.push_back({count_on_terminal(call), 1});
    if (!call.unit.empty()) pieces.push_back({style.utf8 ? std::string(call.unit) : as_ascii(call.unit), 9});
    if (call.per_second > 0) pieces.push_back({rate_of(call.per_second), 8});
    if (!call.total)
        pieces.push_back({clock_of(call.elapsed), 6});
    else if (call.left)
        pieces.push_back({clock_of(*call.left) + " left", 6});
    if (call.failed > 0) pieces.push_back({std::to_string(call.failed) + " failed", 2, true});
    if (call.died > 0) pieces.push_back({died_of(call.died), 3, true});

    // A unit stands one blank behind its number.
    fit(pieces, room);
    int spare = room - columns_of(pieces);
    std::string line;
    for (const piece& one : pieces) {
        std::string text = one.text;
        if (one.rank == rank_of_bar) {
            const int columns = std::min(least_bar + std::max(spare, 0), most_bar);
            text = bar_of(
                static_cast<double>(call.done) / static_cast<double>(std::max<std::uint64_t>(*call.total, 1)),
                columns, style.utf8);
        }
        if (!line.empty()) line += one.rank == 9 ? " " : "  ";
        if (one.alarm && style.colour)
            line.append("\x1b[31m").append(text).append("\x1b[0m");
        else
            line += pieces.size() == 1 ? std::string(cut_to_columns(text, room)) : text;
    }
    return line;
}

inline void add_troubles(std::string& line, const call_state& call) {
    if (call.failed > 0) line.append(", ").append(std::to_string(call.failed)).append(" failed");
    if (call.died > 0) line.append(", ").append(died_of(call.died));
}

PROCPOOL_COMPILED_APART std::string line_in_log(const call_state& call) {
    std::string line(call.name);
    line += ": ";
    if (call.total) line.append(std::to_string(percent_of(call))).append("%, ");
    line += std::to_string(call.done);
    if (call.total) line.append(" of ").append(std::to_string(*call.total));
    if (!call.unit.empty()) line.append(" ").append(call.unit);
    line.append(" in ").append(duration_of(call.elapsed));
    if (call.per_second > 0) line.append(", ").append(rate_of(call.per_second));
    if (call.total && call.left) line.append(", ").append(clock_of(*call.left)).append(" left");
    add_troubles(line, call);
    return line;
}

PROCPOOL_COMPILED_APART std::string last_line(const call_state& call, bool whole) {
    std::string line(call.name);
    line += whole ? ": " : ": stopped after ";
    line += std::to_string(call.done);
    if (!whole && call.total) line.append(" of ").append(std::to_string(*call.total));
    line.append(" ").append(call.unit.empty() ? std::string_view("done") : call.unit);
    line.append(" in ").append(duration_of(call.elapsed));
    const double seconds = std::chrono::duration<double>(call.elapsed).count();
    if (call.done > 0 && seconds > 0)
        line.append(", ").append(rate_of(static_cast<double>(call.done) / seconds));
    add_troubles(line, call);
    return line;
}

}  // namespace procpool::inline v0_1::detail::progress

#endif
