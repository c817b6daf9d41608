// SPDX-License-Identifier: MIT
// Sockets: calls of the C library that fail as planned.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "file_kind.hpp"
#include "original.hpp"
#include "plan.hpp"

using faults::call;
using faults::direction;
using faults::manner;
using faults::when;

namespace {

PROCPOOL_FAULTS_ORIGINAL(socketpair)
PROCPOOL_FAULTS_ORIGINAL(socket)
PROCPOOL_FAULTS_ORIGINAL(bind)
PROCPOOL_FAULTS_ORIGINAL(listen)
PROCPOOL_FAULTS_ORIGINAL(connect)
PROCPOOL_FAULTS_ORIGINAL(accept4)
PROCPOOL_FAULTS_ORIGINAL(sendmsg)
PROCPOOL_FAULTS_ORIGINAL(recvmsg)
PROCPOOL_FAULTS_ORIGINAL(send)
PROCPOOL_FAULTS_ORIGINAL(recv)

/// Fails as planned; the other side of the socket is gone then, if that is the fault.
ssize_t fail(const faults::fault& hit, int socket) noexcept {
    if (hit.how == manner::reset) ::shutdown(socket, SHUT_RDWR);
    errno = hit.error;
    return -1;
}

const cmsghdr* files_in(const msghdr& message) noexcept {
    const cmsghdr* const first = message.msg_controllen > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
    return first && first->cmsg_level == SOL_SOCKET && first->cmsg_type == SCM_RIGHTS ? first : nullptr;
}

/// What the kernel leaves of the descriptors in a message when there are no numbers for them: nothing.
void lose_files(msghdr& message, const cmsghdr& files) noexcept {
    const std::size_t size = files.cmsg_len - CMSG_LEN(0);
    for (std::size_t at = 0; at < size; at += sizeof(int)) {
        int file;
        std::memcpy(&file, CMSG_DATA(&files) + at, sizeof file);
        ::close(file);
    }
    message.msg_controllen = 0;
    message.msg_flags |= MSG_CTRUNC;
}

template <class Move>
ssize_t transfer(call which, int socket, direction where, size_t size, int flags, Move move) noexcept {
    const faults::fault* const hit = faults::ask(which, [=](when condition) {
        return faults::can_be(condition, socket, where, size, (flags & MSG_DONTWAIT) != 0);
    });
    if (!hit) return move(size);
    return hit->how == manner::part ? move(faults::part_of(size)) : fail(*hit, socket);
}

}  // namespace

extern "C" {

int socketpair(int domain, int type, int protocol, int* ends) noexcept {
    return faults::fails(call::socketpair) ? -1 : real_socketpair(domain, type, protocol, ends);
}

int socket(int domain, int type, int protocol) noexcept {
    return faults::fails(call::socket) ? -1 : real_socket(domain, type, protocol);
}

int bind(int socket, const sockaddr* name, socklen_t size) noexcept {
    return faults::fails(call::bind) ? -1 : real_bind(socket, name, size);
}

int listen(int socket, int most) noexcept {
    return faults::fails(call::listen) ? -1 : real_listen(socket, most);
}

int connect(int socket, const sockaddr* name, socklen_t size) {
    return faults::fails(call::connect) ? -1 : real_connect(socket, name, size);
}

int accept4(int socket, sockaddr* name, socklen_t* size, int flags) {
    return faults::fails(call::accept4) ? -1 : real_accept4(socket, name, size, flags);
}

ssize_t sendmsg(int socket, const msghdr* message, int flags) {
    const faults::fault* const hit = faults::ask(call::sendmsg, [=](when condition) {
        if (condition == when::with_files) return files_in(*message) != nullptr;
        return faults::can_be(condition, socket, direction::out, 1, (flags & MSG_DONTWAIT) != 0);
    });
    return hit ? fail(*hit, socket) : real_sendmsg(socket, message, flags);
}

ssize_t recvmsg(int socket, msghdr* message, int flags) {
    const faults::fault* hit = faults::ask(call::recvmsg, [=](when condition) {
        return faults::can_be(condition, socket, direction::in, 1, (flags & MSG_DONTWAIT) != 0);
    });
    if (hit) return fail(*hit, socket);
    const ssize_t result = real_recvmsg(socket, message, flags);
    const cmsghdr* const files = result >= 0 ? files_in(*message) : nullptr;
    if (files && faults::ask(call::recvmsg, [](when condition) { return condition == when::with_files; }))
        lose_files(*message, *files);
    return result;
}

ssize_t send(int socket, const void* from, size_t size, int flags) {
    return transfer(call::send, socket, direction::out, size, flags,
                    [=](size_t bytes) { return real_send(socket, from, bytes, flags); });
}

ssize_t recv(int socket, void* to, size_t size, int flags) {
    return transfer(call::recv, socket, direction::in, size, flags,
                    [=](size_t bytes) { return real_recv(socket, to, bytes, flags); });
}

}  // extern "C"
