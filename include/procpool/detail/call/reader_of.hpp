// SPDX-License-Identifier: MIT
// How a kind of pool reads an input range.
#ifndef PROCPOOL_DETAIL_CALL_READER_OF_HPP
#define PROCPOOL_DETAIL_CALL_READER_OF_HPP

namespace procpool::inline v0_1::detail::call {

/// `make(pool, job, begin, end)` turns a range into elements of a job of the pool: each kind of pool has its
/// specialisation, next to its reader.
template <class Pool>
struct reader_of;

}  // namespace procpool::inline v0_1::detail::call

#endif
