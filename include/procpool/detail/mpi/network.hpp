// SPDX-License-Identifier: MIT
// All calls of MPI between its start and its end: messages of any size between rank 0 and the others.
#ifndef PROCPOOL_DETAIL_MPI_NETWORK_HPP
#define PROCPOOL_DETAIL_MPI_NETWORK_HPP

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/mpi/bell.hpp"
#include "procpool/detail/mpi/mpi_header.hpp"
#include "procpool/detail/mpi/outbound.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// @throws Error with MPI's own text
inline void check_mpi(int code, const char* call) {
    if (code == MPI_SUCCESS) return;
    std::array<char, MPI_MAX_ERROR_STRING> text{};
    int length = 0;
    MPI_Error_string(code, text.data(), &length);
    throw Error(std::string("procpool: ").append(call).append(": ").append(text.data()));
}

/// Thread-safe: MPI is called by one thread at a time.
///
/// MPI makes progress only while somebody calls it, so whoever waits for a message, or for one to be sent,
/// comes back to receive() now and then.
template <class = only_if_used>
class basic_network {
public:
    /// Collective. Works with a copy of `from`.
    explicit basic_network(MPI_Comm from)
        : comm_(copy_of(from)), rank_(rank_in(comm_)), size_(size_of(comm_)), bell_(rank_, size_) {
        bell_of_rank_0 told;
        if (rank_ == 0) told = bell_.describe();
        check_mpi(MPI_Bcast(&told, sizeof told, MPI_BYTE, 0, comm_), "MPI_Bcast");
        bell_.know(told);
        MPI_Comm here = MPI_COMM_NULL;
        check_mpi(MPI_Comm_split_type(comm_, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &here),
                  "MPI_Comm_split_type");
        first_on_node_ = rank_;
        check_mpi(MPI_Bcast(&first_on_node_, 1, MPI_INT, 0, here), "MPI_Bcast");
        check_mpi(MPI_Comm_free(&here), "MPI_Comm_free");
        if (rank_ != 0) bell_.ring(0);
        reading_.resize(static_cast<std::size_t>(size_));
    }
    basic_network(const basic_network&) = delete;
    basic_network& operator=(const basic_network&) = delete;
    ~basic_network() = default;  // the communicator ends with MPI: to free it would wait for everybody

    int rank() const noexcept { return rank_; }
    int size() const noexcept { return size_; }
    /// The first of the ranks that share this one's node.
    int first_on_node() const noexcept { return first_on_node_; }
    mpi::bell& bell() noexcept { return bell_; }

    /// What each rank says, on all of them. Collective, and only at the start.
    std::vector<wire::buffer> exchange(std::span<const std::byte> mine) {
        const mutex_guard lock(mutex_);
        const int length = static_cast<int>(mine.size());
        std::vector<int> lengths(static_cast<std::size_t>(size_));
        check_mpi(MPI_Allgather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, comm_), "MPI_Allgather");
        std::vector<int> places;
        int total = 0;
        for (const int one : lengths) {
            places.push_back(total);
            total += one;
        }
        wire::buffer all;
        all.extend(static_cast<std::size_t>(total));
        check_mpi(MPI_Allgatherv(mine.data(), length, MPI_BYTE, all.data(), lengths.data(), places.data(),
                                 MPI_BYTE, comm_),
                  "MPI_Allgatherv");
        std::vector<wire::buffer> parts(lengths.size());
        for (std::size_t i = 0; i < lengths.size(); ++i)
            parts[i].append(all.data() + places[i], static_cast<std::size_t>(lengths[i]));
        return parts;
    }

    /// Starts to send a message, which isn't empty. Waits for nobody: while another thread calls MPI, that
    /// one sends it.
    /// @return false if receive() must be called to move it on
    bool send(int to, wire::buffer&& message, sending_mode mode = sending_mode::usual) {
        outbound_.put(to, std::move(message), mode);
        if (!mutex_.try_lock()) return false;
        outbound_.start();
        if (!closed_) outbound_.test();  // else MPI may have ended
        const bool is_out = closed_ || outbound_.empty();
        mutex_.unlock();
        return is_out;
    }

    /// Calls `take(rank, message, is_lost)` for each that has come, in the order in which each rank has sent
    /// them; also for those of lost ranks. It may not use the network. A `glance` is a look after which
    /// another one follows at once.
    /// @return whether there was any, or a part of one
    template <class Take>
    bool receive(Take take, bool glance = false) {
        const mutex_guard lock(mutex_);
        if (closed_) return false;
        const bool any = begin_to_receive(glance ? 2 : 16);
        bool came = false;
        for (std::size_t from = 0; from < reading_.size(); ++from) {
            source& one = reading_[from];
            while (!one.is_broken && !one.parts.empty() && is_done(one.parts.front().request, from)) {
                part next = std::move(one.parts.front());
                one.parts.pop_front();
                came = true;
                if (one.begun.empty())
                    one.begun = std::move(next.bytes);
                else
                    one.begun.append(next.bytes.data(), next.bytes.size());
                if (!next.is_last) continue;
                take(static_cast<int>(from), std::exchange(one.begun, {}), outbound_.has_lost(from));
            }
        }
        outbound_.start();
        outbound_.test();
        return any || came;
    }

    /// Whether something is on its way out, or has begun to come, but for lost ranks. Between others than
    /// rank 0, which knows who is lost, it counts only if something has moved within `patience`.
    bool is_busy(std::chrono::nanoseconds patience) {
        const mutex_guard lock(mutex_);
        if (closed_) return false;
        if (outbound_.is_busy(patience)) return true;
        const auto now = std::chrono::steady_clock::now();
        for (std::size_t from = 0; from < reading_.size(); ++from)
            if (!reading_[from].parts.empty() && !outbound_.has_lost(from) &&
                (from == 0 || rank_ == 0 || now - reading_[from].heard < patience))
                return true;
        return false;
    }
    /// Whether a message to one that isn't lost is still to be sent.
    bool is_sending() {
        const mutex_guard lock(mutex_);
        if (closed_) return false;
        outbound_.start();
        outbound_.test();
        return outbound_.is_busy(std::chrono::nanoseconds::max());
    }

    /// When the last message of that rank began to come: others, such as a beat, may wait behind a large one.
    steady_time heard(int rank) {
        const mutex_guard lock(mutex_);
        return reading_[static_cast<std::size_t>(rank)].heard;
    }

    /// MPI is about to end: from now on nothing is sent, and nothing comes.
    void close() {
        const mutex_guard lock(mutex_);
        closed_ = true;
        outbound_.close();
    }
    /// Nothing is sent to that rank any more.
    void lose(int rank) {
        const mutex_guard lock(mutex_);
        outbound_.lose(static_cast<std::size_t>(rank));
    }
    /// After close() that is all.
    bool has_lost(int rank) {
        const mutex_guard lock(mutex_);
        return closed_ || outbound_.has_lost(static_cast<std::size_t>(rank));
    }
    bool has_lost_any() {
        const mutex_guard lock(mutex_);
        return outbound_.has_lost_any();
    }

private:
    struct part {
        wire::buffer bytes;
        MPI_Request request;
        bool is_last;
    };
    struct source {
        std::deque<part> parts;
        wire::buffer begun;      // parts that have come of a message that is not complete
        steady_time heard = {};  // when the last message began to come
        bool is_broken = false;  // a part is missing: what follows makes no sense
    };

    static MPI_Comm copy_of(MPI_Comm from) {
        MPI_Comm copy = MPI_COMM_NULL;
        check_mpi(MPI_Comm_dup(from, &copy), "MPI_Comm_dup");
        check_mpi(MPI_Comm_set_errhandler(copy, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
        return copy;
    }
    static int rank_in(MPI_Comm comm) {
        int rank = 0;
        check_mpi(MPI_Comm_rank(comm, &rank), "MPI_Comm_rank");
        return rank;
    }
    static int size_of(MPI_Comm comm) {
        int size = 0;
        check_mpi(MPI_Comm_size(comm, &size), "MPI_Comm_size");
        return size;
    }

    /// Open MPI reads its sockets at every eighth call only, so one that finds nothing isn't enough.
    bool begin_to_receive(int most_misses) PROCPOOL_REQUIRES(mutex_) {
        bool any = false;  // what has come is worth more than a look for what else there is
        int misses = 0;
        while (misses < (any ? 1 : most_misses)) {
            outbound_.start();
            int there = 0;
            MPI_Message message = MPI_MESSAGE_NULL;
            MPI_Status status;
            if (MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, comm_, &there, &message, &status) != MPI_SUCCESS)
                break;
            if (!there) {
                ++misses;
                continue;
            }
            int bytes = 0;
            MPI_Get_count(&status, MPI_BYTE, &bytes);
            part next{{}, MPI_REQUEST_NULL, status.MPI_TAG == tag_end};
            next.bytes.extend(static_cast<std::size_t>(bytes));
            const auto rank = static_cast<std::size_t>(status.MPI_SOURCE);
            auto& parts = reading_[rank].parts;
            reading_[rank].heard = std::chrono::steady_clock::now();
            parts.push_back(std::move(next));
            if (MPI_Imrecv(parts.back().bytes.data(), bytes, MPI_BYTE, &message, &parts.back().request) !=
                MPI_SUCCESS) {
                parts.pop_back();
                break_off(rank);
            }
            any = true;
        }
        return any;
    }
    bool is_done(MPI_Request& request, std::size_t from) PROCPOOL_REQUIRES(mutex_) {
        int done = 0;
        if (MPI_Test(&request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS) return done != 0;
        break_off(from);
        return false;
    }
    /// Nothing that comes from there can be trusted any more.
    void break_off(std::size_t rank) PROCPOOL_REQUIRES(mutex_) {
        outbound_.lose(rank);
        reading_[rank].is_broken = true;
    }

    const MPI_Comm comm_;
    const int rank_;
    const int size_;
    int first_on_node_ = 0;
    mpi::bell bell_;
    mutex mutex_;
    bool closed_ PROCPOOL_GUARDED_BY(mutex_) = false;
    outbound outbound_{comm_, rank_, size_, bell_};  // put() by any thread, else with mutex_
    std::vector<source> reading_ PROCPOOL_GUARDED_BY(mutex_);
};
using network = basic_network<>;

}  // namespace procpool::inline v0_1::detail::mpi

#endif
