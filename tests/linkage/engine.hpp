// SPDX-License-Identifier: MIT
#ifndef PROCPOOL_TESTS_LINKAGE_ENGINE_HPP
#define PROCPOOL_TESTS_LINKAGE_ENGINE_HPP

#include "procpool/pool.hpp"

extern template class procpool::detail::backend::basic_process_pool<void>;
extern template class procpool::detail::backend::crew<void>;
extern template class procpool::detail::worker::loop<void>;

#endif
