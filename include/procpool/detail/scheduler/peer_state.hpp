// SPDX-License-Identifier: MIT
// The states of a peer, and which may follow which.
#ifndef PROCPOOL_DETAIL_SCHEDULER_PEER_STATE_HPP
#define PROCPOOL_DETAIL_SCHEDULER_PEER_STATE_HPP

#include <cstdint>

#include "procpool/detail/assert.hpp"

namespace procpool::inline v0_1::detail::scheduler {

enum class peer_state : std::uint8_t {
    absent,       ///< there is nobody: not yet, or not any more
    starting,     ///< it was asked for, and gets elements; nobody has told of its start yet
    up,           ///< it runs what it gets
    stalled,      ///< its element takes long: it gets no others until a result has come
    terminating,  ///< it was told to end, or is corrupt and must be killed
    draining,     ///< its results have ended: it is dying, and nobody has told yet how it ended
    dead,         ///< it is known how it ended; what it left behind is still to be taken
};

/// A state that changes only as this table says. From the row's state to the column's:
///
///                 absent starting   up  stalled terminating draining  dead
///     absent         .      x       .      .         .          .       .
///     starting       x      .       x      x         x          x       x
///     up             .      .       .      x         x          x       x
///     stalled        .      x       x      .         x          x       x
///     terminating    .      .       .      .         .          x       x
///     draining       x      .       .      .         .          .       x
///     dead           x      .       .      .         .          .       .
///
/// A peer that couldn't be started goes from starting or draining to absent. One that was stalled goes back
/// to starting if nobody has told of its start meanwhile.
class peer_state_machine {
public:
    peer_state state() const noexcept { return state_; }
    bool is(peer_state which) const noexcept { return state_ == which; }

    static constexpr bool may_follow(peer_state from, peer_state to) noexcept {
        switch (from) {
            using enum peer_state;
            case absent: return to == starting;
            case starting: return to != starting;
            case up: return to == stalled || to == terminating || to == draining || to == dead;
            case stalled: return to != stalled && to != absent;
            case terminating: return to == draining || to == dead;
            case draining: return to == dead || to == absent;
            case dead: return to == absent;
        }
        return false;
    }
    void become(peer_state next) noexcept {
        PROCPOOL_ASSERT(may_follow(state_, next));
        state_ = next;
    }

private:
    peer_state state_ = peer_state::absent;
};

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
