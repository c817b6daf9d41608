// SPDX-License-Identifier: MIT
// Stream sockets between processes of one user, under a random name that is no file.
#ifndef PROCPOOL_DETAIL_POSIX_LOCAL_SOCKET_HPP
#define PROCPOOL_DETAIL_POSIX_LOCAL_SOCKET_HPP

#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "procpool/detail/posix/error.hpp"
#include "procpool/detail/posix/fd.hpp"

namespace procpool::detail::posix {

/// Nobody guesses it; it ends with the listener.
struct local_address {
    std::array<std::uint64_t, 2> number{};

    static local_address random() {
        local_address address;
        checked(retry_on_eintr([&] { return ::getrandom(&address.number, sizeof address.number, 0); }),
                "getrandom");
        return address;
    }
    friend bool operator==(const local_address&, const local_address&) = default;
    friend auto operator<=>(const local_address&, const local_address&) = default;
};

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

inline fd listen_at(const local_address& address) {
    fd socket = make_local_socket();
    const local_name name(address);
    checked(::bind(socket.get(), name.get(), name.size()), "bind (a manager's socket)");
    checked(::listen(socket.get(), SOMAXCONN), "listen (a manager's socket)");
    return socket;
}

/// Empty if nobody listens there.
inline fd connect_to(const local_address& address) {
    fd socket = make_local_socket();
    const local_name name(address);
    if (retry_on_eintr([&] { return ::connect(socket.get(), name.get(), name.size()); }) == 0) return socket;
    if (errno != ECONNREFUSED) throw_system_error(errno, "connect (to a manager)");
    return {};
}

/// The next client of the same user; empty if that has failed in a way that may pass.
inline fd accept_from(const fd& listener) {
    fd socket(retry_on_eintr([&] { return ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC); }));
    if (!socket) {
        constexpr useconds_t until_others_have_ended = 10'000;
        if (errno == EMFILE || errno == ENFILE) ::usleep(until_others_have_ended);
        return {};
    }
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != ::geteuid())
        return {};
    return socket;
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

}  // namespace procpool::detail::posix

#endif
