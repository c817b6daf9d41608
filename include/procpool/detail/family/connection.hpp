// SPDX-License-Identifier: MIT
// One end of a Pipe in one process, as those see it who use it.
#ifndef PROCPOOL_DETAIL_FAMILY_CONNECTION_HPP
#define PROCPOOL_DETAIL_FAMILY_CONNECTION_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/family/packet_message.hpp"
#include "procpool/detail/os/fd_fwd.hpp"
#include "procpool/detail/wire/sink.hpp"

namespace procpool::inline v0_1::detail::family {

/// One end of a Pipe in one process. Thread-safe.
class connection {
public:
    connection() = default;
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    virtual ~connection() = default;

    /// Waits for room. What `pins` hold stays until close().
    virtual void send(std::uint64_t kind, std::span<const std::byte> bytes, wire::pins pins) = 0;
    /// Nothing if no message has come until then. @throws EOFError
    virtual std::optional<packet_message> receive(steady_time until) = 0;
    /// Whether receive() would return, or throw, at once.
    virtual bool poll(steady_time until) = 0;
    /// Whether poll() has taken a message from the pipe that is still to be received.
    virtual const std::atomic<bool>& has_message() const noexcept = 0;

    virtual void close() noexcept = 0;
    virtual bool closed() const = 0;

    virtual std::shared_ptr<const os::fd> receiving_end() const = 0;
    /// Its handle, which open_connection() takes, and what must live until then.
    virtual void encode(const wire::sink& out) const = 0;
};

}  // namespace procpool::inline v0_1::detail::family

#endif
