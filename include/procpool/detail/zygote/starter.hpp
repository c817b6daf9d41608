// SPDX-License-Identifier: MIT
// Who starts the processes of a pool, and how that may be done: a zygote, or where nothing forks a thread.
#ifndef PROCPOOL_DETAIL_ZYGOTE_STARTER_HPP
#define PROCPOOL_DETAIL_ZYGOTE_STARTER_HPP

#ifdef _WIN32
#include "procpool/detail/zygote/windows/start_check.hpp"
#include "procpool/detail/zygote/windows/starter_thread.hpp"
#else
#include "procpool/detail/zygote/start_check.hpp"
#include "procpool/detail/zygote/zygote.hpp"
#endif

#endif
