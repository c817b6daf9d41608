// SPDX-License-Identifier: MIT
// Preload: what is loaded once for all workers of a pool.
#ifndef PROCPOOL_PRELOAD_HPP
#define PROCPOOL_PRELOAD_HPP

#include "procpool/detail/call/preload_of.hpp"
#include "procpool/options.hpp"

#endif
