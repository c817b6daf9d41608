// SPDX-License-Identifier: MIT
// Which process it is, also when its number has gone to another one.
#ifndef PROCPOOL_DETAIL_OS_PROCESS_IDENTITY_HPP
#define PROCPOOL_DETAIL_OS_PROCESS_IDENTITY_HPP

#include "procpool/detail/os/linux/process_identity.hpp"

#endif
