// SPDX-License-Identifier: MIT
// Messages in packets: cut by senders, put together by who receives them, whatever comes between.
#ifndef PROCPOOL_DETAIL_FAMILY_PACKETS_HPP
#define PROCPOOL_DETAIL_FAMILY_PACKETS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <utility>

#include "procpool/detail/family/packet_message.hpp"
#include "procpool/detail/wire/buffer.hpp"

namespace procpool::inline v0_1::detail::family {

/// In front of each packet.
struct packet_header {
    std::int64_t sender = 0;    // its process id
    std::uint64_t message = 0;  // the sender's number for it
    std::uint64_t kind = 0;     // of the message
    std::uint64_t size = 0;     // of the whole message
    std::uint64_t offset = 0;   // of this packet's bytes in it
};

/// Takes packets, gives messages. Those of several senders may come mixed; the remains of one that has died,
/// or of which somebody else has received the beginning, are skipped.
class packet_assembly {
public:
    /// Memory that is taken because a message says so; more as it comes.
    static constexpr std::uint64_t most_in_advance = std::uint64_t{64} << 20;

    /// The message that this packet completes.
    std::optional<packet_message> add(std::span<const std::byte> packet) {
        if (packet.size() < sizeof(packet_header)) return std::nullopt;
        wire::cursor from(packet);
        const auto header = from.value<packet_header>();
        const auto bytes = from.take(from.left());
        auto at = std::find_if(parts_.begin(), parts_.end(), [&](const part& one) {
            return one.sender == header.sender && one.message == header.message;
        });
        if (at != parts_.end() && header.offset == 0) {
            // Process ids come again, so that may be the number of one who has died in his message.
            parts_.erase(at);
            at = parts_.end();
        }
        if (header.offset != (at == parts_.end() ? 0 : at->bytes.size()) ||
            bytes.size() > header.size - header.offset) {
            if (at != parts_.end()) parts_.erase(at);
            return std::nullopt;
        }
        if (at == parts_.end()) {
            part fresh{header.sender, header.message, {}};
            fresh.bytes.reserve(static_cast<std::size_t>(std::min(header.size, most_in_advance)));
            at = parts_.insert(parts_.begin(), std::move(fresh));
        }
        at->bytes.append(bytes.data(), bytes.size());
        if (at->bytes.size() < header.size) return std::nullopt;
        packet_message whole{header.kind, std::move(at->bytes)};
        parts_.erase(at);
        return whole;
    }

    /// Messages that have begun.
    std::size_t parts() const noexcept { return parts_.size(); }

    /// To be called when all that came was added: forgets the messages of those senders that were gone at the
    /// time of the call before, since nothing more can come from them.
    template <class IsGone>
    void forget_the_dead(IsGone is_gone) {
        std::erase_if(parts_, [&](part& one) { return std::exchange(one.gone, is_gone(one.sender)); });
    }

private:
    struct part {
        std::int64_t sender;
        std::uint64_t message;
        wire::buffer bytes;
        bool gone = false;
    };
    std::deque<part> parts_;
};

}  // namespace procpool::inline v0_1::detail::family

#endif
