// SPDX-License-Identifier: MIT
// Precompiled for the tests: what they include most, and a promise that the pool's engine is compiled once,
// in support/engine.cpp, instead of in each of them.
#ifndef PROCPOOL_TESTS_SUPPORT_ENGINE_HPP
#define PROCPOOL_TESTS_SUPPORT_ENGINE_HPP

#include <gtest/gtest.h>

#include "procpool/procpool.hpp"

extern template class procpool::detail::backend::basic_process_pool<void>;
extern template class procpool::detail::backend::crew<void>;
extern template class procpool::detail::worker::loop<void>;

#endif
