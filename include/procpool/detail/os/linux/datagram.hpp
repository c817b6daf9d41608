// SPDX-License-Identifier: MIT
// Short messages between machines that may get lost.
#ifndef PROCPOOL_DETAIL_OS_LINUX_DATAGRAM_HPP
#define PROCPOOL_DETAIL_OS_LINUX_DATAGRAM_HPP

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"

namespace procpool::inline v0_1::detail::os {

/// Where datagrams go, in the network's byte order.
struct datagram_address {
    std::uint32_t ipv4 = 0;
    std::uint16_t port = 0;
    bool operator==(const datagram_address&) const noexcept = default;
};

/// Nobody may guess it.
inline std::uint64_t random_number() {
    std::uint64_t number = 0;
    checked(retry_on_eintr([&] { return ::getrandom(&number, sizeof number, 0); }), "getrandom");
    return number;
}

/// A UDP socket with a port of its own. Sending and receiving never block.
class datagram_socket {
public:
    datagram_socket() {
        const auto no_fork = fd_registry::instance().hold_forks();
        file_ = fd(checked(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket (UDP)"));
        sockaddr_in any{};
        any.sin_family = AF_INET;
        checked(::bind(file_.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), "bind (UDP)");
        socklen_t size = sizeof any;
        checked(::getsockname(file_.get(), reinterpret_cast<sockaddr*>(&any), &size), "getsockname (UDP)");
        port_ = any.sin_port;
    }

    const fd& file() const noexcept { return file_; }

    /// Under which other machines may reach it, and at last this one.
    std::vector<datagram_address> addresses() const {
        ifaddrs* first = nullptr;
        checked(::getifaddrs(&first), "getifaddrs");
        const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, &::freeifaddrs);
        std::vector<datagram_address> found;
        for (const ifaddrs* one = first; one; one = one->ifa_next) {
            if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET || (one->ifa_flags & IFF_LOOPBACK))
                continue;
            sockaddr_in address{};
            std::memcpy(&address, one->ifa_addr, sizeof address);
            found.push_back({address.sin_addr.s_addr, port_});
        }
        found.push_back({htonl(INADDR_LOOPBACK), port_});
        return found;
    }

    /// It may get lost, which is no error.
    template <class Message>
    void send(const datagram_address& to, const Message& message) const noexcept {
        sockaddr_in there{};
        there.sin_family = AF_INET;
        there.sin_addr.s_addr = to.ipv4;
        there.sin_port = to.port;
        [[maybe_unused]] const auto sent = ::sendto(file_.get(), &message, sizeof message, MSG_NOSIGNAL,
                                                    reinterpret_cast<const sockaddr*>(&there), sizeof there);
    }

    template <class Message>
    struct received {
        Message message{};
        datagram_address from;
    };
    /// The next one of this size; others are dropped.
    template <class Message>
    std::optional<received<Message>> receive() const noexcept {
        for (;;) {
            std::array<std::byte, sizeof(Message) + 1> bytes;
            sockaddr_in from{};
            socklen_t size = sizeof from;
            const auto n = ::recvfrom(file_.get(), bytes.data(), bytes.size(), 0,
                                      reinterpret_cast<sockaddr*>(&from), &size);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return std::nullopt;  // none is there; an error of one that was sent is no news
            if (static_cast<std::size_t>(n) != sizeof(Message)) continue;
            received<Message> result;
            std::memcpy(&result.message, bytes.data(), sizeof(Message));
            result.from = {from.sin_addr.s_addr, from.sin_port};
            return result;
        }
    }

private:
    fd file_;
    std::uint16_t port_ = 0;
};

}  // namespace procpool::inline v0_1::detail::os

#endif
