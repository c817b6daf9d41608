// SPDX-License-Identifier: MIT
#include "support/engine.hpp"

template class procpool::detail::process::basic_process_pool<void>;
template class procpool::detail::process::basic_worker_processes<void>;
template class procpool::detail::thread::basic_thread_pool<void>;
template class procpool::detail::worker::basic_loop<void>;
