// SPDX-License-Identifier: MIT
// SipHash-2-4 with a tag of 128 bits: who doesn't know the key can't tell a message's tag.
// By Aumasson and Bernstein, "SipHash: a fast short-input PRF".
#ifndef PROCPOOL_DETAIL_SIPHASH_HPP
#define PROCPOOL_DETAIL_SIPHASH_HPP

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace procpool::inline v0_1::detail {

/// 128 bits, as numbers of which the first bytes are the lowest.
using two_words = std::array<std::uint64_t, 2>;

inline two_words siphash(const two_words& key, std::span<const std::byte> message) noexcept {
    std::uint64_t v0 = key[0] ^ 0x736f6d6570736575, v1 = key[1] ^ 0x646f72616e646f6d ^ 0xee,
                  v2 = key[0] ^ 0x6c7967656e657261, v3 = key[1] ^ 0x7465646279746573;
    const auto rounds = [&](int count) {
        for (; count > 0; --count) {
            v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
            v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
            v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
            v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
        }
    };
    const auto take = [&](std::uint64_t word) {
        v3 ^= word;
        rounds(2);
        v0 ^= word;
    };
    // Words of eight bytes; the last one has what is left, and the message's size on top.
    std::size_t at = 0;
    if constexpr (std::endian::native == std::endian::little)
        for (; message.size() - at >= 8; at += 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, message.data() + at, sizeof word);
            take(word);
        }
    for (; at <= message.size(); at += 8) {
        const auto piece = message.subspan(at, std::min<std::size_t>(8, message.size() - at));
        std::uint64_t word = piece.size() < 8 ? std::uint64_t{message.size()} << 56 : 0;
        for (std::size_t i = 0; i < piece.size(); ++i)
            word |= std::to_integer<std::uint64_t>(piece[i]) << 8 * i;
        take(word);
    }
    v2 ^= 0xee;
    rounds(4);
    two_words tag{v0 ^ v1 ^ v2 ^ v3, 0};
    v1 ^= 0xdd;
    rounds(4);
    tag[1] = v0 ^ v1 ^ v2 ^ v3;
    return tag;
}

}  // namespace procpool::inline v0_1::detail

#endif
