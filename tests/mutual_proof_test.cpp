// SPDX-License-Identifier: MIT
// Proofs that somebody knows a secret: the keyed hash they are made of, and what each side believes.
#include "procpool/detail/family/mutual_proof.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <cereal/types/memory.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/family/door.hpp"
#include "procpool/detail/family/envelope.hpp"
#include "procpool/detail/family/manager_link.hpp"
#include "procpool/detail/siphash.hpp"
#include "procpool/manager.hpp"

namespace mutual_proof_test {

namespace family = procpool::detail::family;
namespace os = procpool::detail::os;
using family::prover;
using procpool::detail::siphash;
using procpool::detail::two_words;

std::string in_hexadecimal(const two_words& tag) {
    std::string text;
    for (const std::uint64_t word : tag)
        for (int byte = 0; byte < 8; ++byte)
            for (const int shift : {4, 0}) text += "0123456789abcdef"[word >> (8 * byte + shift) & 15];
    return text;
}

/// Those of its authors, github.com/veorq/SipHash, vectors.h: the key is 00 01 .. 0f, a message 00 01 02 ..
TEST(SipHash, has_the_published_tags) {
    const two_words key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
    std::array<std::byte, 64> message;
    for (std::size_t i = 0; i < message.size(); ++i) message[i] = static_cast<std::byte>(i);
    const std::pair<std::size_t, const char*> published[] = {
        {0, "a3817f04ba25a8e66df67214c7550293"},  {1, "da87c1d86b99af44347659119b22fc45"},
        {2, "8177228da4a45dc7fca38bdef60affe4"},  {7, "a1f1ebbed8dbc153c0b84aa61ff08239"},
        {8, "3b62a9ba6258f5610f83e264f31497b4"},  {9, "264499060ad9baabc47f8b02bb6d71ed"},
        {15, "5493e99933b0a8117e08ec0f97cfc3d9"}, {16, "6ee2a4ca67b054bbfd3315bf85230577"},
        {31, "2939b0183223fafc1723de4f52c43d35"}, {40, "df6a301e95c95dad97ae0cc8c6913bd8"},
        {47, "e61c432b720b19d18ec8d84bdc63151b"}, {63, "5150d1772f50834a503e069a973fbd7c"}};
    for (const auto& [size, tag] : published)
        EXPECT_EQ(in_hexadecimal(siphash(key, std::span(message).first(size))), tag) << size << " bytes";
}

TEST(Proof, depends_on_the_secret_on_both_challenges_and_on_whose_it_is) {
    const two_words secret{1, 2}, of_client{3, 4}, of_server{5, 6};
    const auto proof = family::make_proof(secret, prover::server, of_client, of_server);
    EXPECT_TRUE(
        family::is_same_proof(proof, family::make_proof(secret, prover::server, of_client, of_server)));
    EXPECT_FALSE(
        family::is_same_proof(proof, family::make_proof(secret, prover::client, of_client, of_server)));
    EXPECT_FALSE(
        family::is_same_proof(proof, family::make_proof(secret, prover::server, of_server, of_client)));
    for (const std::size_t word : {0u, 1u}) {
        for (const std::uint64_t bit : {std::uint64_t{1}, std::uint64_t{1} << 63}) {
            const auto changed = [&](two_words words) {
                words[word] ^= bit;
                return words;
            };
            EXPECT_FALSE(family::is_same_proof(proof, changed(proof)));
            for (const auto& other :
                 {family::make_proof(changed(secret), prover::server, of_client, of_server),
                  family::make_proof(secret, prover::server, changed(of_client), of_server),
                  family::make_proof(secret, prover::server, of_client, changed(of_server))})
                EXPECT_FALSE(family::is_same_proof(proof, other));
        }
    }
}

TEST(Door, lets_in_who_has_its_key_and_nobody_who_has_its_address_only) {
    const auto key = family::server_key::random();
    family::door door(key);
    auto wrong = key;
    wrong.secret[1] ^= 1;
    std::thread clients([&] {
        EXPECT_EQ(family::shake_hands_with_server(wrong).what, family::who_listens::impostor)
            << "who has another secret";
        EXPECT_EQ(family::shake_hands_with_server(key).what, family::who_listens::server);
        EXPECT_EQ(family::shake_hands_with_server(family::server_key::random()).what,
                  family::who_listens::nobody);
    });
    const os::fd client = door.next_client();
    EXPECT_TRUE(family::welcome(client));
    clients.join();
}

TEST(Door, is_knocked_at_again_by_a_client_that_was_sent_away) {
    const auto key = family::server_key::random();
    auto server = std::make_unique<family::door>(key);
    std::thread busy([&] {
        for (int n = 0; n < 2; ++n) server->next_client().reset();  // no thread could be started for it
        const os::fd client = server->next_client();
        family::welcome(client);
        procpool::detail::wire::buffer request;
        EXPECT_TRUE(procpool::detail::family::receive_envelope(client, request));
        auto answer = procpool::detail::family::new_envelope();
        answer.append_value(family::manager_answer::value);
        procpool::detail::family::send_envelope(client, answer);
    });
    family::manager_link user(key);
    EXPECT_NO_THROW(user.acquire(1));
    busy.join();
}

TEST(Client, waits_for_a_limited_time_for_a_server_that_says_nothing) {
    const auto key = family::server_key::random();
    const os::fd silent = os::listen_at(key.address);
    EXPECT_EQ(family::shake_hands_with_server(key).what, family::who_listens::silence);
}

}  // namespace mutual_proof_test
