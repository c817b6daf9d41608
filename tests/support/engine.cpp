// SPDX-License-Identifier: MIT
#include "support/engine.hpp"

template class procpool::detail::backend::basic_process_pool<void>;
template class procpool::detail::backend::crew<void>;
template class procpool::detail::worker::loop<void>;
