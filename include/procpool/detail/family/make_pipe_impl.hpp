// SPDX-License-Identifier: MIT
// What is behind the door to pipes.
#ifndef PROCPOOL_DETAIL_FAMILY_MAKE_PIPE_IMPL_HPP
#define PROCPOOL_DETAIL_FAMILY_MAKE_PIPE_IMPL_HPP

#include <memory>
#include <utility>

#include "procpool/detail/family/make_pipe.hpp"
#include "procpool/detail/family/packet_connection.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/packet_pipe.hpp"

namespace procpool::inline v0_1::detail::family {

template <class>
connected_ends make_pipe(bool duplex) {
    os::pipe_ends there = os::make_packet_pipe();
    os::pipe_ends back;
    if (duplex) back = os::make_packet_pipe();
    return {std::make_shared<packet_connection>(std::move(there.read), std::move(back.write)),
            std::make_shared<packet_connection>(std::move(back.read), std::move(there.write))};
}

template <class>
std::shared_ptr<connection> open_connection(wire::cursor& from) {
    const auto handle = from.value<connection_handle>();
    os::fd receive, send;
    if (handle.receive.file >= 0) receive = os::open_packet_pipe(handle.receive, os::pipe_end::read);
    if (handle.send.file >= 0) send = os::open_packet_pipe(handle.send, os::pipe_end::write);
    return std::make_shared<packet_connection>(std::move(receive), std::move(send));
}

}  // namespace procpool::inline v0_1::detail::family

#endif
