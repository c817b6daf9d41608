// SPDX-License-Identifier: MIT
// How a server and its clients prove to each other that they know one secret, without telling it.
//
// Each side draws a challenge, and answers the other's with a tag that only who knows the secret can make.
// The server answers first: a client says nothing but its challenge to who can't. Nothing is believed twice,
// since each connection has challenges of its own, and none comes from the other side, since the tags of a
// server and of a client are of different messages.
//
//     client: challenge           16 bytes
//     server: challenge, tag      32 bytes
//     client: tag                 16 bytes
//     server: a byte              it is let in
#ifndef PROCPOOL_DETAIL_FAMILY_MUTUAL_PROOF_HPP
#define PROCPOOL_DETAIL_FAMILY_MUTUAL_PROOF_HPP

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/family/server_key.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/local_address.hpp"
#include "procpool/detail/os/local_socket.hpp"
#include "procpool/detail/os/peer.hpp"
#include "procpool/detail/siphash.hpp"

namespace procpool::inline v0_1::detail::family {

template <class>
server_key server_key::random() {
    return {{os::make_random_words()}, os::make_random_words()};
}

/// So long a client has for its proof, and a server for its own.
inline constexpr std::chrono::seconds time_for_proof{5};

enum class prover : std::uint64_t { server = 1, client = 2 };

/// What proves that `who` knows the secret, to the other side, on one connection.
inline os::random_words make_proof(const os::random_words& secret, prover who,
                                   const os::random_words& of_client,
                                   const os::random_words& of_server) noexcept {
    const std::array<std::uint64_t, 5> message{static_cast<std::uint64_t>(who), of_client[0], of_client[1],
                                               of_server[0], of_server[1]};
    return siphash(secret, std::as_bytes(std::span(message)));
}

/// In a time that tells nothing of where they differ.
inline bool is_same_proof(const os::random_words& a, const os::random_words& b) noexcept {
    return ((a[0] ^ b[0]) | (a[1] ^ b[1])) == 0;
}

template <class T>
std::span<std::byte> bytes_of(T& value) noexcept {
    return std::as_writable_bytes(std::span(&value, 1));
}
template <class T>
bool send_value(const os::fd& socket, const T& value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    return os::send_all(socket, bytes.data(), bytes.size());
}

struct challenge_and_proof {
    os::random_words challenge{};
    os::random_words proof{};
};
inline constexpr std::byte let_in{1};

/// A server's side, for one client. It never waits.
class proof_of_client {
public:
    enum class state { awaited, given, refused };

    explicit proof_of_client(const os::random_words& secret) noexcept : secret_(&secret) {}

    /// To be called when `client` can be read.
    state read_from(const os::fd& client) {
        os::random_words received;
        if (!os::receive_at_once(client, bytes_of(received))) return state::refused;
        if (greeted_)
            return is_same_proof(received, make_proof(*secret_, prover::client, theirs_, ours_))
                       ? state::given
                       : state::refused;
        greeted_ = true;
        theirs_ = received;
        ours_ = os::make_random_words();
        const challenge_and_proof answer{ours_, make_proof(*secret_, prover::server, theirs_, ours_)};
        return send_value(client, answer) ? state::awaited : state::refused;
    }

private:
    const os::random_words* secret_;
    bool greeted_ = false;
    os::random_words theirs_{};
    os::random_words ours_{};
};

/// Tells a client that has given its proof that it is served from now on; false if it is gone.
inline bool welcome(const os::fd& client) { return send_value(client, let_in); }

/// What a client found at a server's address.
enum class who_listens { server, nobody, another_user, impostor, silence };

/// A connection to the server, if that is who was found. `silence`: it has not answered within a time in
/// which it should, or has let go of the connection; it may have been stopped, or this process was.
struct handshake_with_server {
    who_listens what;
    os::fd socket = {};
    std::int64_t other_user = 0;
};

inline handshake_with_server shake_hands_with_server(const server_key& key) {
    os::fd socket = os::connect_to(key.address, time_for_proof);
    if (!socket) return {who_listens::nobody};
    const auto peer = os::peer_of(socket.get());
    if (!peer || !os::is_own_user(*peer))
        return {who_listens::another_user, {}, peer ? std::int64_t{peer->uid} : -1};

    const steady_time until = deadline_in(time_for_proof);
    const os::random_words ours = os::make_random_words();
    challenge_and_proof theirs;
    if (!send_value(socket, ours) || !os::receive_until(socket, bytes_of(theirs), until))
        return {who_listens::silence};
    if (!is_same_proof(theirs.proof, make_proof(key.secret, prover::server, ours, theirs.challenge)))
        return {who_listens::impostor};

    std::byte last_word{};
    if (!send_value(socket, make_proof(key.secret, prover::client, ours, theirs.challenge)) ||
        !os::receive_until(socket, {&last_word, 1}, until))
        return {who_listens::silence};
    return {who_listens::server, std::move(socket)};
}

}  // namespace procpool::inline v0_1::detail::family

#endif
