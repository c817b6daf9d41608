// SPDX-License-Identifier: MIT
// How the first process of a pool is born.
#ifndef PROCPOOL_START_METHOD_HPP
#define PROCPOOL_START_METHOD_HPP

namespace procpool {

/// The start methods of Python's multiprocessing.
enum class start_method {
    automatic,   ///< fork where that is safe: where the program has one thread
    fork,        ///< workers are copies of this process as it is when the pool is made
    forkserver,  ///< workers are copies of a fresh start of this program (not yet available)
    spawn,       ///< each worker is a fresh start of this program (not yet available)
};

}  // namespace procpool

#endif
