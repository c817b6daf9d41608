// SPDX-License-Identifier: MIT
// Finalizer: what each worker of a pool runs before it leaves.
#ifndef PROCPOOL_FINALIZER_HPP
#define PROCPOOL_FINALIZER_HPP

#include "procpool/detail/call/finalizer_of.hpp"
#include "procpool/options.hpp"
#include "procpool/pool_status.hpp"

#endif
