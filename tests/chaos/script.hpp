// SPDX-License-Identifier: MIT
// What each element of a job does in its worker, and what must come of it.
#ifndef PROCPOOL_TESTS_CHAOS_SCRIPT_HPP
#define PROCPOOL_TESTS_CHAOS_SCRIPT_HPP

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "dice.hpp"

namespace chaos {

enum class act : std::uint64_t {
    answer,
    throw_known,    // std::out_of_range
    throw_unknown,  // a type that procpool doesn't know
    throw_number,   // no std::exception
    kill_self,
    abort,
    exit_3,
    exit_0,
    hang,  // for ever: only where there is a time limit
};

/// Plain data: it travels as it is. No two small numbers share a word: together they may look like an
/// address, which procpool refuses to send.
struct script {
    std::uint64_t job = 0;
    std::uint64_t index = 0;
    std::uint64_t pool_tag = 0;  // what the pool's initializer must have set
    act what = act::answer;
    std::uint64_t microseconds = 0;  // that it takes
    std::uint64_t argument_bytes = 0;
    std::uint64_t result_bytes = 0;

    bool throws() const noexcept { return what >= act::throw_known && what <= act::throw_number; }
    bool dies() const noexcept { return what >= act::kill_self && what <= act::exit_0; }
};

/// Runs it, in a worker: counts the execution, and returns only if the script says so.
void play(const script& element);

/// Smaller than any address, so that it is never taken for a pointer.
std::uint64_t answer_of(const script& element) noexcept;

/// The text of its own exception.
std::string text_of(const script& element);
/// The element that an exception's text names.
std::optional<std::uint64_t> index_in(const std::string& text);

/// How it dies if nobody strikes first.
struct death {
    int signal;
    std::optional<int> exit_code;
};
death death_of(const script& element) noexcept;

/// Bytes that depend on job, element and direction; cheap to make and to check.
std::string filler(const script& element, std::uint64_t direction, std::size_t size);

/// What the initializers of pools set; in the program it is 0.
inline std::uint64_t initialized_with = 0;

/// How elements of a job tend to be.
struct temper {
    unsigned throwing = 0;  // percent
    unsigned deadly = 0;
    std::size_t most_bytes = 0;
    std::uint64_t most_microseconds = 0;
};
std::vector<script> draw_scripts(dice& random, std::uint64_t job, std::uint64_t pool_tag, std::size_t count,
                                 const temper& how);
temper draw_temper(dice& random);

}  // namespace chaos

#endif
