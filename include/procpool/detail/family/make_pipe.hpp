// SPDX-License-Identifier: MIT
// The door to pipes: all that a file which makes one, or receives an end, needs to know of them.
#ifndef PROCPOOL_DETAIL_FAMILY_MAKE_PIPE_HPP
#define PROCPOOL_DETAIL_FAMILY_MAKE_PIPE_HPP

#include <memory>

#include "procpool/detail/family/connection.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/wire/buffer.hpp"

namespace procpool::inline v0_1::detail::family {

struct connected_ends {
    std::shared_ptr<connection> first;
    std::shared_ptr<connection> second;
};

/// If it is not `duplex`, the first end can only receive, and the second one only send.
template <class = only_if_used>
connected_ends make_pipe(bool duplex);

/// Another process's end, from its handle.
/// @throws SerializationError if the sender has closed it, or is gone
template <class = only_if_used>
std::shared_ptr<connection> open_connection(wire::cursor& from);

}  // namespace procpool::inline v0_1::detail::family

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/family/make_pipe_impl.hpp"
#endif

#endif
