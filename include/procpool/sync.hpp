// SPDX-License-Identifier: MIT
// All that processes synchronise by.
#ifndef PROCPOOL_SYNC_HPP
#define PROCPOOL_SYNC_HPP

#include "procpool/barrier.hpp"
#include "procpool/condition.hpp"
#include "procpool/event.hpp"
#include "procpool/lock.hpp"
#include "procpool/semaphore.hpp"

#endif
