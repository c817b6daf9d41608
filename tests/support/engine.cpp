// SPDX-License-Identifier: MIT
#include "support/engine.hpp"

template class procpool::detail::backend::basic_process_pool<void>;
template class procpool::detail::backend::basic_crew<void>;
template class procpool::detail::backend::basic_thread_pool<void>;
template class procpool::detail::worker::basic_loop<void>;
