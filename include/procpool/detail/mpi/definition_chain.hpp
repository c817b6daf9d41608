// SPDX-License-Identifier: MIT
// A large definition goes to all hosts along a chain of them: it leaves rank 0 once, however many there are.
#ifndef PROCPOOL_DETAIL_MPI_DEFINITION_CHAIN_HPP
#define PROCPOOL_DETAIL_MPI_DEFINITION_CHAIN_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/mpi/protocol.hpp"
#include "procpool/detail/scheduler/task_definition.hpp"
#include "procpool/detail/wire/arena_place.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/large_part.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// From so many bytes on a definition is worth that.
inline constexpr std::size_t chain_threshold = std::size_t{1} << 20;
/// It travels in parts of this size, so that each host passes on what it has while the rest is coming.
inline constexpr std::size_t part_size = std::size_t{1} << 18;

/// The payload of a frame of kind define_part: ranks that it is passed on to, the next one first, and bytes.
struct definition_part {
    std::vector<int> route;
    std::span<const std::byte> bytes;

    explicit definition_part(std::span<const std::byte> payload) {
        wire::cursor from(payload);
        route.resize(from.claimed(from.value<std::uint64_t>()));
        for (int& rank : route) rank = from.value<int>();
        bytes = from.take(from.left());
    }
};

/// Bytes in two pieces, since a definition may be large, and its head stands elsewhere.
struct two_pieces {
    std::span<const std::byte> head;
    std::span<const std::byte> rest;

    std::size_t size() const noexcept { return head.size() + rest.size(); }
    two_pieces part(std::size_t first, std::size_t count) const {
        const std::size_t before = std::min(first, head.size());
        const std::size_t of_head = std::min(count, head.size() - before);
        return {head.subspan(before, of_head), rest.subspan(first - before, count - of_head)};
    }
};

/// A message with one part, that begins at header.first. @param route to whom it is passed on from there
inline wire::buffer part_message(const frame_header& header, std::span<const int> route,
                                 const two_pieces& bytes) {
    wire::buffer message;
    message.reserve(sizeof header + sizeof(std::uint64_t) + route.size_bytes() + bytes.size());
    const std::size_t begin = begin_frame(message, header);
    message.append_value(std::uint64_t{route.size()});
    message.append(route.data(), route.size_bytes());
    message.append(bytes.head.data(), bytes.head.size());
    message.append(bytes.rest.data(), bytes.rest.size());
    end_frame(message, begin);
    return message;
}

/// Calls `send(message)` for each part of a definition.
template <class Send>
void send_parts(frame_header header, std::span<const int> route, const two_pieces& definition, Send send) {
    header.what = frame_header::kind::define_part;
    header.count = definition.size();
    for (header.first = 0; header.first < definition.size(); header.first += part_size)
        send(part_message(
            header, route,
            definition.part(header.first, std::min(part_size, definition.size() - header.first))));
}

/// A definition of which parts have come, perhaps some of them twice, and what has to wait for the rest.
class partial_definition {
public:
    /// It is put together in `memory`, which workers see, if there is room for it.
    explicit partial_definition(std::shared_ptr<wire::arena> memory = nullptr) : memory_(std::move(memory)) {}

    struct frame {
        frame_header header;
        wire::buffer payload;
    };

    /// @return whether it is complete now, and wasn't before @throws SerializationError for nonsense
    bool add(const frame_header& header, std::span<const std::byte> bytes, steady_time now) {
        came_ = now;
        if (has_.empty()) {
            make_room(header.count);
            has_.resize((header.count + part_size - 1) / part_size);
        }
        if (bytes.empty()) return false;  // it only announces the others
        const std::size_t which = header.first / part_size;
        if (header.count != size_ || which >= has_.size() ||
            bytes.size() != std::min(part_size, size_ - which * part_size))
            throw SerializationError("procpool: a part of a definition doesn't fit");
        if (has_[which]) return false;
        has_[which] = true;
        std::memcpy(begin() + which * part_size, bytes.data(), bytes.size());
        return ++parts_ == has_.size();
    }
    std::span<const std::byte> bytes() const noexcept {
        return lies_in_.part.memory ? std::span<const std::byte>(lies_in_.part.memory.get(), size_)
                                    : bytes_.bytes();
    }
    /// The part of the arena, if it lies in one.
    const scheduler::task_definition::shared& lies_in() const noexcept { return lies_in_; }

    /// Once, when no part has come for so long: who should pass them on doesn't get through.
    bool lacks_parts(steady_time now, std::chrono::nanoseconds limit) noexcept {
        return now - came_ >= limit && !std::exchange(is_asked_for_, true);
    }

    void wait(const frame_header& header, std::span<const std::byte> payload) {
        frame& next = waiting_.emplace_back();
        next.header = header;
        next.payload.append(payload.data(), payload.size());
    }
    const std::vector<frame>& waiting() const noexcept { return waiting_; }

private:
    void make_room(std::size_t size) {
        size_ = size;
        // To populate more takes so long that nothing is heard of this host meanwhile.
        constexpr std::size_t most_at_once = std::size_t{1} << 30;
        if (memory_ && size <= most_at_once)
            if (auto part = wire::allocate_part(*memory_, size)) {
                lies_in_ = {std::move(*part), size};
                return;
            }
        bytes_.extend(size);
    }
    std::byte* begin() noexcept { return lies_in_.part.memory ? lies_in_.part.memory.get() : bytes_.data(); }

    std::shared_ptr<wire::arena> memory_;
    std::size_t size_ = 0;
    scheduler::task_definition::shared lies_in_;
    wire::buffer bytes_;  // if it doesn't
    std::vector<bool> has_;
    std::size_t parts_ = 0;
    steady_time came_ = {};  // when the last part did, or the first word of it
    bool is_asked_for_ = false;
    std::vector<frame> waiting_;
};

}  // namespace procpool::inline v0_1::detail::mpi

#endif
