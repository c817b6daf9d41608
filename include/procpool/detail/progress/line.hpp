// SPDX-License-Identifier: MIT
// How far a call is, as a line of text.
#ifndef PROCPOOL_DETAIL_PROGRESS_LINE_HPP
#define PROCPOOL_DETAIL_PROGRESS_LINE_HPP

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace procpool::inline v0_1::detail::progress {

/// How far a call is.
struct call_state {
    std::string_view name = {};  // printable
    std::string_view unit = {};  // of its elements, printable; may be empty
    std::uint64_t done = 0;
    std::optional<std::uint64_t> total = {};  // nothing if nobody knows
    std::uint64_t failed = 0;                 // of those that are done
    std::uint64_t died = 0;                   // workers
    std::chrono::nanoseconds elapsed{};
    double per_second = 0;  // 0 if not known
    std::optional<std::chrono::seconds> left = {};
};

/// What a terminal shows.
struct line_style {
    int columns = 80;
    int name_columns = 0;  // of the longest name, where several lines stand below each other
    bool utf8 = false;
    bool colour = false;
};

/// With a bar if there is room; what is less important is left out if there is none.
std::string line_on_terminal(const call_state& call, const line_style& style);

/// The same for a file, without a bar and of any length.
std::string line_in_log(const call_state& call);

/// What stays when the call has ended; `whole` says that no element is left without a result.
std::string last_line(const call_state& call, bool whole);

}  // namespace procpool::inline v0_1::detail::progress

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/progress/line_impl.hpp"
#endif

#endif
