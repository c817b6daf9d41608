// SPDX-License-Identifier: MIT
// Everything of procpool.
#ifndef PROCPOOL_PROCPOOL_HPP
#define PROCPOOL_PROCPOOL_HPP

#include "procpool/array_output.hpp"
#include "procpool/as_completed.hpp"
#include "procpool/cpu_count.hpp"
#include "procpool/dynamic_array.hpp"
#include "procpool/error.hpp"
#include "procpool/executor.hpp"
#include "procpool/future.hpp"
#include "procpool/imap.hpp"
#include "procpool/managed.hpp"
#include "procpool/manager.hpp"
#include "procpool/options.hpp"
#include "procpool/outcome.hpp"
#include "procpool/parallel.hpp"
#include "procpool/partial.hpp"
#include "procpool/pipe.hpp"
#include "procpool/pool.hpp"
#include "procpool/process.hpp"
#include "procpool/process_info.hpp"
#include "procpool/proxy.hpp"
#include "procpool/queue.hpp"
#include "procpool/register_at_fork.hpp"
#include "procpool/register_exception.hpp"
#include "procpool/result.hpp"
#include "procpool/shared_array.hpp"
#include "procpool/shared_memory.hpp"
#include "procpool/start_method.hpp"
#include "procpool/sync.hpp"
#include "procpool/thread_pool.hpp"
#include "procpool/value.hpp"
#include "procpool/version.hpp"
#include "procpool/waitable.hpp"
#include "procpool/worker.hpp"

#endif
