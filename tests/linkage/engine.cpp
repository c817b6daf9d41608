// SPDX-License-Identifier: MIT
// The pool's engine, compiled once for all ways to link the program.
#include "engine.hpp"

template class procpool::detail::backend::basic_process_pool<void>;
template class procpool::detail::backend::crew<void>;
template class procpool::detail::worker::loop<void>;
