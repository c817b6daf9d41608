// SPDX-License-Identifier: MIT
// What rank 0 and hosts say to one another: messages of frames, each of one pool.
#ifndef PROCPOOL_DETAIL_MPI_PROTOCOL_HPP
#define PROCPOOL_DETAIL_MPI_PROTOCOL_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "procpool/detail/wire/buffer.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// In front of each frame. Both sides run the same program, so it travels as it is.
struct frame_header {
    enum class kind : std::uint32_t {
        // Of rank 0:
        open,         // makes a pool: node_options, the initializer's definition and arguments
        define,       // a job: job_settings, then its definition
        define_part,  // a part of that, from byte `first` of `count` on: see definition_part
        run,          // elements of it
        forget,       // it is over
        cancel,       // the same, before its end: what runs is ended if `flag`
        give_up,      // `count` of its elements from `first` on: their callers want no result any more
        give_back,    // elements that have not begun are to be given back
        ask_account,  // what its workers have done is to be told; `count` is the question's number
        close,        // ends the pool; work that is there ends before, if `flag`
        // Of a host:
        opened,    // it has `count` workers
        defined,   // a definition that came in parts is complete
        missing,   // parts of it don't come, since a link between hosts is broken
        values,    // results of elements; each took `ns`
        error,     // an element's error: the texts of attempts before, then the record
        facts,     // of element `first`, before its result: `count` attempts; it was asked to stop if `flag`
        returned,  // elements that had not begun
        given_back,  // what was asked for was returned
        account,     // what its workers have done, of question `count`; at its end of none
        failed,      // the pool can't go on: the record of its error
        closed,
        // Of both, pool 0:
        beat,         // alive; rank 0 tells how long it may be silent, `ns`
        stand_aside,  // of rank 0, which has lost this rank: it ends its pools, and waits for the end
        finish,       // of rank 0: the program is over, so pools end; of the others: they have ended
        finalize,     // of rank 0: all have ended their pools, and now end MPI together
        leave,        // of rank 0: nobody ends MPI, since that would wait for the lost
        // Of nobody: what an inbox has of a rank that is lost; `ns` is for how long it was silent.
        lost,
    };
    kind what{};
    std::uint32_t flag = 0;
    std::uint64_t pool = 0;
    std::uint64_t job = 0;
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    std::uint64_t stride = 0;
    std::int64_t ns = 0;
    std::int64_t pid = 0;
    std::uint64_t length = 0;  // of what follows
};

/// How a job's elements are run.
struct job_settings {
    std::uint64_t chunk = 1;
    std::int64_t timeout_ns = 0;
    std::int64_t cpu_timeout_ns = 0;
    std::int64_t soft_timeout_ns = 0;
    std::uint32_t retries = 0;
    bool retry_exceptions = false;
    std::int64_t retry_delay_ns = 0;
    std::int64_t longest_retry_delay_ns = 0;
    double retry_backoff = 1;
    double retry_jitter = 0;
    bool guided = false;
    bool bulk = false;
    bool keeps_its_place = false;
    bool once = false;  // no more elements follow the first run
};

inline void append_frame(wire::buffer& to, frame_header header, std::span<const std::byte> payload = {}) {
    header.length = payload.size();
    to.append_value(header);
    to.append(payload.data(), payload.size());
}
/// A frame whose payload is appended next; end_frame() completes it.
inline std::size_t begin_frame(wire::buffer& to, const frame_header& header) {
    to.append_value(header);
    return to.size();
}
inline void end_frame(wire::buffer& to, std::size_t begin) noexcept {
    const std::uint64_t length = to.size() - begin;
    std::memcpy(to.data() + begin - sizeof length, &length, sizeof length);
}
static_assert(offsetof(frame_header, length) + sizeof(std::uint64_t) == sizeof(frame_header));

/// Calls `take(header, payload)` for each frame of a message. @throws SerializationError
template <class Take>
void each_frame(std::span<const std::byte> message, Take take) {
    for (wire::cursor from(message); from.left() > 0;) {
        const auto header = from.value<frame_header>();
        take(header, from.take(header.length));
    }
}

inline std::string_view text_of(std::span<const std::byte> bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace procpool::inline v0_1::detail::mpi

#endif
