// SPDX-License-Identifier: MIT
// The kind of pool that a test is compiled for: what is said of all pools is tested with each kind.
#ifndef PROCPOOL_TESTS_SUPPORT_TESTED_POOL_HPP
#define PROCPOOL_TESTS_SUPPORT_TESTED_POOL_HPP

#include "procpool/procpool.hpp"

/// Whether tasks run in processes: tests of what only these can do are there only then.
#ifdef PROCPOOL_TEST_THREADS
#define PROCPOOL_TEST_PROCESSES 0
#else
#define PROCPOOL_TEST_PROCESSES 1
#endif

/// `namespace mp = test::tested;` in place of procpool itself.
namespace test::tested {
using namespace procpool;
#if PROCPOOL_TEST_PROCESSES
using Pool = procpool::Pool;
#else
using Pool = procpool::ThreadPool;
#endif
}  // namespace test::tested

#endif
