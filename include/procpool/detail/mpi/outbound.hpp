// SPDX-License-Identifier: MIT
// Messages on their way out: which go at once, and which wait for those before them.
#ifndef PROCPOOL_DETAIL_MPI_OUTBOUND_HPP
#define PROCPOOL_DETAIL_MPI_OUTBOUND_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/mpi/bell.hpp"
#include "procpool/detail/mpi/mpi_header.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/wire/buffer.hpp"

namespace procpool::inline v0_1::detail::mpi {

inline constexpr int tag_end = 0;   // of the last piece of a message
inline constexpr int tag_more = 1;  // another piece follows

/// What may become of a message.
enum class sending_mode {
    usual,
    even_if_lost,  ///< it also goes to a rank that is lost
    in_turn,       ///< a part of something large: only some of these are under way to a rank at a time
};

/// put() may be called by any thread, all else by who may call MPI.
///
/// MPI moves all messages on that it was given, side by side. A host that passes parts on needs the first one
/// long before the last, and a short message should not share the link with a hundred of them; so parts go
/// one after the other.
template <class = only_if_used>
class basic_outbound {
public:
    basic_outbound(MPI_Comm comm, int rank, int size, mpi::bell& rings)
        : comm_(comm), rank_(rank), bell_(rings), ranks_(static_cast<std::size_t>(size)) {}

    void put(int to, wire::buffer&& message, sending_mode mode) {
        const auto bytes = std::make_shared<const wire::buffer>(std::move(message));
        std::list<piece> pieces;
        for (std::size_t sent = 0, size = 0; sent < bytes->size(); sent += size) {
            size = std::min(bytes->size() - sent, most_at_once);
            const std::span part(bytes->data() + sent, size);
            pieces.push_back({to, bytes, part, sent + size == bytes->size(), mode, MPI_REQUEST_NULL});
        }
        const mutex_guard lock(mutex_);
        waiting_.splice(waiting_.end(), pieces);
        is_one_waiting_.store(true, std::memory_order_release);
    }

    /// Gives MPI what was put here since.
    void start() noexcept {
        if (!is_one_waiting_.load(std::memory_order_acquire)) return;
        std::list<piece> all;
        {
            const mutex_guard lock(mutex_);
            all.swap(waiting_);
            is_one_waiting_.store(false, std::memory_order_relaxed);
        }
        while (!all.empty()) {
            const auto next = all.begin();
            destination& to = ranks_[static_cast<std::size_t>(next->to)];
            if (next->mode == sending_mode::in_turn && to.parts == most_parts)
                to.held.splice(to.held.end(), all, next);
            else
                start(all, next);
        }
    }
    /// Takes note of what is sent, and goes on with what waited for that.
    void test() {
        for (auto next = under_way_.begin(); next != under_way_.end();) {
            const auto one = next++;
            destination& to = ranks_[static_cast<std::size_t>(one->to)];
            int done = 0;
            if (MPI_Test(&one->request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS) {
                lose(to);  // its bytes may still be read
                continue;
            }
            if (done == 0) continue;
            if (one->mode == sending_mode::in_turn) --to.parts;
            --to.count;
            to.moved = std::chrono::steady_clock::now();
            under_way_.erase(one);
            if (!to.held.empty() && to.parts < most_parts) start(to.held, to.held.begin());
        }
    }
    bool empty() const noexcept { return under_way_.empty(); }

    /// Whether something is on its way to a rank that isn't lost. To others than rank 0, which knows who is
    /// lost, it doesn't count when nothing has moved for `patience`: that link is broken.
    bool is_busy(std::chrono::nanoseconds patience) const {
        const auto now = std::chrono::steady_clock::now();
        return std::any_of(under_way_.begin(), under_way_.end(), [&](const piece& one) {
            const destination& to = ranks_[static_cast<std::size_t>(one.to)];
            return !to.is_lost && (one.to == 0 || rank_ == 0 || now - to.moved < patience);
        });
    }

    /// Nothing more is sent to that rank.
    void lose(std::size_t rank) noexcept { lose(ranks_[rank]); }
    bool has_lost(std::size_t rank) const { return ranks_[rank].is_lost; }
    bool has_lost_any() const {
        return std::any_of(ranks_.begin(), ranks_.end(), [](const destination& one) { return one.is_lost; });
    }
    /// Nothing more is sent to anybody.
    void close() noexcept { closed_ = true; }

private:
    static constexpr std::size_t most_at_once = std::size_t{1} << 29;  // MPI counts with int
    static constexpr int most_parts = 2;  // the second, so that the link is never idle

    struct piece {
        int to;
        std::shared_ptr<const wire::buffer> bytes;
        std::span<const std::byte> part;
        bool is_last;
        sending_mode mode;
        MPI_Request request;
    };
    struct destination {
        bool is_lost = false;
        int count = 0;           // of pieces that are under way
        int parts = 0;           // of those, parts in turn
        steady_time moved = {};  // when one of them was sent, or the first of them begun
        std::list<piece> held;   // parts whose turn comes later
    };

    static void lose(destination& to) noexcept {
        to.is_lost = true;
        to.held.clear();
    }
    void start(std::list<piece>& from, typename std::list<piece>::iterator at) noexcept {
        destination& to = ranks_[static_cast<std::size_t>(at->to)];
        const bool goes = !closed_ && (!to.is_lost || at->mode == sending_mode::even_if_lost);
        if (!goes || MPI_Isend(at->part.data(), static_cast<int>(at->part.size()), MPI_BYTE, at->to,
                               at->is_last ? tag_end : tag_more, comm_, &at->request) != MPI_SUCCESS) {
            from.erase(at);
            if (goes) lose(to);
            return;
        }
        under_way_.splice(under_way_.end(), from, at);
        if (to.count++ == 0) to.moved = std::chrono::steady_clock::now();
        if (at->mode == sending_mode::in_turn) ++to.parts;
        if (!at->is_last) return;
        put_on_the_wire();
        bell_.ring(at->to);
    }
    /// Some MPIs say that a message is sent, and send it when they are called again.
    void put_on_the_wire() noexcept {
        constexpr int calls = 2;
        int there = 0;
        for (int i = 0; i < calls; ++i)
            MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, comm_, &there, MPI_STATUS_IGNORE);
    }

    const MPI_Comm comm_;
    const int rank_;
    bell& bell_;
    mutex mutex_;
    std::list<piece> waiting_ PROCPOOL_GUARDED_BY(mutex_);  // for who calls MPI
    std::atomic<bool> is_one_waiting_ = false;
    bool closed_ = false;
    std::list<piece> under_way_;
    std::vector<destination> ranks_;
};
using outbound = basic_outbound<>;

}  // namespace procpool::inline v0_1::detail::mpi

#endif
