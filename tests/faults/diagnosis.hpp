// SPDX-License-Identifier: MIT
// Where a call failed, and where processes that hang are.
#ifndef PROCPOOL_TESTS_FAULTS_DIAGNOSIS_HPP
#define PROCPOOL_TESTS_FAULTS_DIAGNOSIS_HPP

#include <sys/types.h>

#include <string>

#include "plan.hpp"

namespace faults {

/// The calls on the stack when the fault was met, if addr2line is there; else their offsets in the program.
std::string trace_of(const plan& in);

/// Of each process of the group, by gdb; empty without it.
std::string stacks_of_group(pid_t group);

}  // namespace faults

#endif
