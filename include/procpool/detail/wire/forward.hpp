// SPDX-License-Identifier: MIT
// For those who hand on what goes to messages and comes from them, and serialise nothing themselves.
#ifndef PROCPOOL_DETAIL_WIRE_FORWARD_HPP
#define PROCPOOL_DETAIL_WIRE_FORWARD_HPP

namespace procpool::inline v0_1::detail::wire {

class cursor;
struct sink;
class output_archive;
class input_archive;

}  // namespace procpool::inline v0_1::detail::wire

#endif
