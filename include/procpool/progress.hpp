// SPDX-License-Identifier: MIT
// progress(): shows on standard error how far a call is; mirrors what tqdm and mpire's progress_bar do.
#ifndef PROCPOOL_PROGRESS_HPP
#define PROCPOOL_PROGRESS_HPP

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace procpool::inline v0_1 {

class Observer;

/// `mp::progress("decoding", {.unit = "images", .quiet = !verbose})`
struct ProgressOptions {
    /// What elements are, behind their number: "images". Nothing by default.
    std::string unit = {};
    /// How many elements there are, for inputs that can't tell: those whose end is only found by reading
    /// them.
    std::optional<std::uint64_t> total = {};
    /// Shows nothing: then progress() returns null, which options of calls take as none.
    bool quiet = false;
    /// Time between two lines where standard error is no terminal, and lines can't be drawn again; at least a
    /// millisecond.
    std::chrono::nanoseconds log_interval = std::chrono::seconds(5);
};

/// Shows how far a call is: `pool.map(f, files, {.progress = mp::progress("decoding")})`.
///
/// A line on standard error has a bar, how many elements are done, their rate, the time that is left, how
/// many have failed and how many workers have died. On a terminal it is drawn again ten times a second at the
/// most, in a log each few seconds. Several calls at once have a line each. When a call ends, a last line
/// tells of all of it. It holds up no call: what nobody reads is dropped, after a second for the last line.
///
/// May be called by any thread. One may serve several calls, also at once: each has its own line. As one of
/// PoolOptions::observers it shows each call of the pool, and as the name of a line that has none, the
/// call's.
/// @throws std::invalid_argument if log_interval is shorter than a millisecond
std::shared_ptr<Observer> progress(std::string name = {}, ProgressOptions options = {});

/// Prints a line on standard error, above the lines of calls if there are some now.
///
/// May be called by any thread of the program; in workers, print as usual, and have PoolOptions::output pass
/// it on in lines. Throws nothing: what nobody reads is dropped while calls are shown.
void print_above_progress(std::string_view text) noexcept;

}  // namespace procpool::inline v0_1

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/progress/call_progress_impl.hpp"
#endif

#endif
