// SPDX-License-Identifier: MIT
// A socket pair that keeps message boundaries and can carry file descriptors.
#ifndef PROCPOOL_DETAIL_OS_LINUX_SOCKET_HPP
#define PROCPOOL_DETAIL_OS_LINUX_SOCKET_HPP

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"

namespace procpool::inline v0_1::detail::os {

struct socket_ends {
    fd near;
    fd far;
};

inline socket_ends make_socket_pair() {
    const auto no_fork = fd_registry::instance().hold_forks();
    int ends[2];
    checked(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair (the zygote's)");
    auto [near, far] = own_both(ends);
    return {std::move(near), std::move(far)};
}

inline constexpr std::size_t max_passed_fds = 5;

enum class sending { done, full, closed };

/// Sends one message with up to max_passed_fds descriptors, and a text behind it. If the socket has no room
/// for it now that is `full`, unless it may `wait`.
template <class Message>
    requires std::is_trivially_copyable_v<Message>
sending try_send_message(const fd& socket, const Message& message, std::span<const int> files = {},
                         std::string_view text = {}, bool wait = false) {
    std::array<iovec, 2> parts{
        {{const_cast<Message*>(&message), sizeof message}, {const_cast<char*>(text.data()), text.size()}}};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int) * max_passed_fds)> control{};
    msghdr header{};
    header.msg_iov = parts.data();
    header.msg_iovlen = parts.size();
    while (!files.empty() && files.back() < 0) files = files.first(files.size() - 1);
    if (!files.empty()) {
        header.msg_control = control.data();
        header.msg_controllen = CMSG_SPACE(files.size_bytes());
        cmsghdr* const rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(files.size_bytes());
        std::memcpy(CMSG_DATA(rights), files.data(), files.size_bytes());
    }
    const auto sent = retry_on_eintr(
        [&] { return ::sendmsg(socket.get(), &header, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT)); });
    if (sent >= 0) return sending::done;
    if (errno == EAGAIN) return sending::full;
    if (errno == EPIPE || errno == ECONNRESET) return sending::closed;
    throw_system_error(errno, "sendmsg (between pool and zygote)");
}

/// The same, and waits for room; false if the other side is gone.
template <class Message>
    requires std::is_trivially_copyable_v<Message>
bool send_message(const fd& socket, const Message& message, std::span<const int> files = {},
                  std::string_view text = {}) {
    return try_send_message(socket, message, files, text, true) == sending::done;
}

template <class Message>
struct received {
    Message message{};
    std::array<fd, max_passed_fds> files;
    bool files_lost = false;  // there were more than this process has numbers for
    std::string_view text;
    bool closed = false;
};

/// Takes one message, and as much of its text as there is `room` for; nothing if none waits and `wait` is
/// false.
template <class Message>
    requires std::is_trivially_copyable_v<Message>
std::optional<received<Message>> receive_message(const fd& socket, bool wait, std::span<char> room = {}) {
    received<Message> result;
    std::array<iovec, 2> parts{{{&result.message, sizeof result.message}, {room.data(), room.size()}}};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int) * max_passed_fds)> control{};
    msghdr header{};
    header.msg_iov = parts.data();
    header.msg_iovlen = parts.size();
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const auto no_fork =
        wait ? std::unique_lock<std::recursive_mutex>() : fd_registry::instance().hold_forks();
    const auto n = retry_on_eintr(
        [&] { return ::recvmsg(socket.get(), &header, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT)); });
    if (n < 0 && errno == EAGAIN) return std::nullopt;
    if (n == 0 || (n < 0 && errno == ECONNRESET)) {
        result.closed = true;
        return result;
    }
    if (n < 0) throw_system_error(errno, "recvmsg (between pool and zygote)");
    result.files_lost = (header.msg_flags & MSG_CTRUNC) != 0;
    if (static_cast<std::size_t>(n) > sizeof(Message))
        result.text = {room.data(), static_cast<std::size_t>(n) - sizeof(Message)};
    for (cmsghdr* at = CMSG_FIRSTHDR(&header); at; at = CMSG_NXTHDR(&header, at)) {
        if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count && i < max_passed_fds; ++i) {
            int value;
            std::memcpy(&value, CMSG_DATA(at) + i * sizeof(int), sizeof value);
            result.files[i] = fd(value);
        }
    }
    return result;
}

}  // namespace procpool::inline v0_1::detail::os

#endif
