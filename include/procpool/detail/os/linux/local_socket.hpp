// SPDX-License-Identifier: MIT
// Stream sockets between processes of one user, under a random name that is no file. Anybody can read the
// name in /proc/net/unix, and take it when the listener is gone.
#ifndef PROCPOOL_DETAIL_OS_LINUX_LOCAL_SOCKET_HPP
#define PROCPOOL_DETAIL_OS_LINUX_LOCAL_SOCKET_HPP

#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/local_address.hpp"
#include "procpool/detail/os/peer.hpp"
#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/os/readable.hpp"

namespace procpool::inline v0_1::detail::os {

/// Nobody guesses them.
inline random_words make_random_words() {
    random_words words;
    checked(retry_on_eintr([&] { return ::getrandom(words.data(), sizeof words, 0); }), "getrandom");
    return words;
}

class local_name {
public:
    explicit local_name(const local_address& address) noexcept {
        constexpr char prefix[] = "procpool-";
        to_.sun_family = AF_UNIX;
        // A first byte of 0 makes it an abstract name.
        std::memcpy(to_.sun_path + 1, prefix, sizeof prefix - 1);
        std::memcpy(to_.sun_path + sizeof prefix, &address.number, sizeof address.number);
        size_ =
            static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + sizeof prefix + sizeof address.number);
    }
    const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&to_); }
    socklen_t size() const noexcept { return size_; }

private:
    sockaddr_un to_{};
    socklen_t size_ = 0;
};

inline fd make_local_socket() {
    const auto no_fork = fd_registry::instance().hold_forks();
    return fd(checked(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
}

/// Takes the name. To accept from it never waits.
inline fd listen_at(const local_address& address) {
    fd socket = make_local_socket();
    const local_name name(address);
    checked(::bind(socket.get(), name.get(), name.size()), "bind (a manager's socket)");
    checked(::listen(socket.get(), SOMAXCONN), "listen (a manager's socket)");
    set_nonblocking(socket);
    return socket;
}

/// Empty if nobody listens there, or takes connections within `most`.
inline fd connect_to(const local_address& address, std::chrono::seconds most) {
    fd socket = make_local_socket();
    // How long a connect() waits where many wait already; afterwards a send() takes as long as it takes.
    const auto limit_waiting = [&](std::chrono::seconds time) {
        const timeval limit{time.count(), 0};
        checked(::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit),
                "setsockopt (SO_SNDTIMEO)");
    };
    limit_waiting(most);
    const local_name name(address);
    if (retry_on_eintr([&] { return ::connect(socket.get(), name.get(), name.size()); }) == 0) {
        limit_waiting(std::chrono::seconds(0));
        return socket;
    }
    if (errno != ECONNREFUSED && errno != EAGAIN) throw_system_error(errno, "connect (to a manager)");
    return {};
}

/// A client that waits, if it is of the same user; empty if not, or if that failed in a way that may pass.
inline fd accept_from(const fd& listener) {
    fd socket;
    {
        const auto no_fork = fd_registry::instance().hold_forks();
        socket =
            fd(retry_on_eintr([&] { return ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC); }));
    }
    if (!socket) {
        constexpr useconds_t until_others_have_ended = 10'000;
        if (errno == EMFILE || errno == ENFILE) ::usleep(until_others_have_ended);
        return {};
    }
    const auto peer = peer_of(socket.get());
    return peer && is_own_user(*peer) ? std::move(socket) : fd();
}

/// False if the other side is gone.
inline bool send_all(const fd& socket, const std::byte* from, std::size_t size) {
    while (size > 0) {
        const auto n = retry_on_eintr([&] { return ::send(socket.get(), from, size, MSG_NOSIGNAL); });
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) return false;
        checked(n, "send (between a manager and its users)");
        from += n;
        size -= static_cast<std::size_t>(n);
    }
    return true;
}

/// How much came; 0 if the other side is gone.
inline std::size_t receive_some(const fd& socket, std::byte* to, std::size_t size) {
    const auto n = retry_on_eintr([&] { return ::recv(socket.get(), to, size, 0); });
    if (n < 0 && errno == ECONNRESET) return 0;
    return static_cast<std::size_t>(checked(n, "recv (between a manager and its users)"));
}

/// All of `to`; false if the other side is gone, or it has not come until then.
inline bool receive_until(const fd& socket, std::span<std::byte> to, steady_time until) {
    while (!to.empty()) {
        if (!wait_readable(socket.get(), until)) return false;
        const std::size_t got = receive_some(socket, to.data(), to.size());
        if (got == 0) return false;
        to = to.subspan(got);
    }
    return true;
}

/// All of `to`, if it is there already and came in one piece.
inline bool receive_at_once(const fd& socket, std::span<std::byte> to) noexcept {
    const auto n = retry_on_eintr([&] { return ::recv(socket.get(), to.data(), to.size(), MSG_DONTWAIT); });
    return n == static_cast<ssize_t>(to.size());
}

}  // namespace procpool::inline v0_1::detail::os

#endif
