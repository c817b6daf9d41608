// SPDX-License-Identifier: MIT
#include "support/engine.hpp"

#ifndef PROCPOOL_SEPARATE_COMPILATION  // or else the library does that
template class procpool::detail::process::basic_process_pool<void>;
template class procpool::detail::process::basic_worker_processes<void>;
template class procpool::detail::thread::basic_thread_pool<void>;
template class procpool::detail::worker::basic_loop<void>;
#endif
