// SPDX-License-Identifier: MIT
// element_seed(): random numbers that are the same whatever worker runs an element.
#ifndef PROCPOOL_ELEMENT_SEED_HPP
#define PROCPOOL_ELEMENT_SEED_HPP

#include <atomic>
#include <cstdint>

#include "procpool/detail/worker/element_position.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1 {

/// A number to seed a random generator with, for the element that runs:
/// `std::mt19937_64 random(mp::element_seed());`
///
/// It depends on PoolOptions::seed, on the call's number among the calls of the pool, and on the element's
/// index, and on nothing else: not on the worker, the chunks, retries, or whether workers are processes or
/// threads. Without PoolOptions::seed it is another one in each run of the program. Elements of one call
/// never have the same. In a thread that a task of a Pool starts it is the task's.
/// @throws Error if no element runs here: outside of tasks, in initializers and finalizers
inline std::uint64_t element_seed() {
    namespace worker = detail::worker;
    const worker::element_position& at = worker::current_position();
    if (!at.counter) throw Error("procpool: element_seed() is for tasks of pools; see worker_seed()");
    const std::uint64_t number = at.counter->load(std::memory_order_relaxed) + at.offset;
    return at.call != 0 ? worker::seed_of_element(at.pool_seed, at.call, number)
                        : worker::seed_of_element(at.pool_seed, number, 0);
}

}  // namespace procpool::inline v0_1

#endif
