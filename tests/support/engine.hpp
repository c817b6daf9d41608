// SPDX-License-Identifier: MIT
// A promise that the pool's engine is compiled once, in engine.cpp, instead of in each test.
#ifndef PROCPOOL_TESTS_SUPPORT_ENGINE_HPP
#define PROCPOOL_TESTS_SUPPORT_ENGINE_HPP

#include "procpool/procpool.hpp"

#ifndef PROCPOOL_SEPARATE_COMPILATION  // or else the library does that
extern template class procpool::detail::process::basic_process_pool<void>;
extern template class procpool::detail::process::basic_worker_processes<void>;
extern template class procpool::detail::thread::basic_thread_pool<void>;
extern template class procpool::detail::worker::basic_loop<void>;
#endif

#endif
