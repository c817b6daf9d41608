// SPDX-License-Identifier: MIT
// The program that this process runs: its file, its arguments, its rights, and those that a run of a file
// would have.
#ifndef PROCPOOL_DETAIL_OS_PROGRAM_HPP
#define PROCPOOL_DETAIL_OS_PROGRAM_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/program.hpp"
#else
#include "procpool/detail/os/linux/program.hpp"
#endif

#endif
