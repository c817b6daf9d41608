// SPDX-License-Identifier: MIT
// Probes: places in the program that tools like bpftrace and perf find by name.
#ifndef PROCPOOL_DETAIL_OS_PROBES_HPP
#define PROCPOOL_DETAIL_OS_PROBES_HPP

#ifdef _WIN32
#include "procpool/detail/os/windows/probes.hpp"
#else
#include "procpool/detail/os/linux/probes.hpp"
#endif

#endif
