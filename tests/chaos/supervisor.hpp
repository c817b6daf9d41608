// SPDX-License-Identifier: MIT
// The process outside: it holds the killer, watches that jobs come to an end, and sees how the program ends.
#ifndef PROCPOOL_TESTS_CHAOS_SUPERVISOR_HPP
#define PROCPOOL_TESTS_CHAOS_SUPERVISOR_HPP

#include "program.hpp"

namespace chaos {

/// Runs the program in a child process. @return the exit code of all
int supervise(const settings& all);

}  // namespace chaos

#endif
