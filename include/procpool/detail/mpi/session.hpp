// SPDX-License-Identifier: MIT
// The nodes of a program that runs over MPI, as rank 0 sees them: who is there, who is lost, whose message it
// is.
#ifndef PROCPOOL_DETAIL_MPI_SESSION_HPP
#define PROCPOOL_DETAIL_MPI_SESSION_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/mpi/network.hpp"
#include "procpool/detail/mpi/protocol.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/event.hpp"
#include "procpool/detail/os/thread.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// So often each side says that it is alive.
inline constexpr std::chrono::seconds beat_interval{1};

/// Messages for one pool. Thread-safe.
template <class = only_if_used>
class basic_inbox {
public:
    struct message {
        int from = 0;
        wire::buffer bytes;  // empty: that rank is lost
    };

    /// `arrival` is rung for each.
    explicit basic_inbox(os::event& arrival) : arrival_(arrival) {}

    void put(int from, wire::buffer&& bytes, bool by_receiver = false) {
        {
            const mutex_guard lock(mutex_);
            messages_.push_back({from, std::move(bytes)});
        }
        if (!by_receiver) arrival_.ring();  // who receives messages looks here next
    }
    std::vector<message> take() {
        const mutex_guard lock(mutex_);
        return std::exchange(messages_, {});
    }
    bool empty() {
        const mutex_guard lock(mutex_);
        return messages_.empty();
    }

private:
    os::event& arrival_;
    mutex mutex_;
    std::vector<message> messages_ PROCPOOL_GUARDED_BY(mutex_);
};
using inbox = basic_inbox<>;

/// What is known of a rank that hosts workers.
struct host_rank {
    int rank = 0;
    std::string name;  // of its machine
    int processors = 1;
};

/// Of rank 0. Thread-safe.
template <class = only_if_used>
class basic_session {
public:
    /// `hosts` begins with rank 0 itself.
    basic_session(network& net, std::vector<host_rank> hosts) : net_(net), hosts_(std::move(hosts)) {
        for (const host_rank& one : hosts_) heard_[one.rank] = std::chrono::steady_clock::now();
        pulse_ = os::start_thread([this] { beat_until_stopped(); }, "MPI's");
    }
    basic_session(const basic_session&) = delete;
    basic_session& operator=(const basic_session&) = delete;
    ~basic_session() {
        {
            const mutex_guard lock(mutex_);
            stopping_ = true;
        }
        stopped_.notify_all();
        pulse_.join();
    }

    const std::vector<host_rank>& hosts() const noexcept { return hosts_; }
    int processors_of(int rank) const noexcept {
        const auto at = std::find_if(hosts_.begin(), hosts_.end(),
                                     [rank](const host_rank& one) { return one.rank == rank; });
        return at != hosts_.end() ? at->processors : 1;
    }
    bool is_lost(int rank) { return net_.has_lost(rank); }
    network& net() noexcept { return net_; }

    // ---- pools

    /// @return the pool's number
    std::uint64_t add(inbox& of_pool, std::chrono::nanoseconds node_timeout) {
        const mutex_guard lock(mutex_);
        const std::uint64_t number = ++last_pool_;
        pools_[number] = {&of_pool, node_timeout};
        return number;
    }
    void remove(std::uint64_t pool) {
        const mutex_guard lock(mutex_);
        pools_.erase(pool);
    }
    bool has_pools() {
        const mutex_guard lock(mutex_);
        return !pools_.empty();
    }

    // ---- messages

    /// Puts what has come into the inboxes of its pools, of which the caller looks at `own` next.
    /// @return whether anything has come
    bool receive(const inbox* own = nullptr) {
        const mutex_guard lock(mutex_);
        const auto now = std::chrono::steady_clock::now();
        return net_.receive([&](int from, wire::buffer&& message) PROCPOOL_REQUIRES(mutex_) {
            heard_[from] = now;
            if (message.size() < sizeof(frame_header)) return;
            const auto header = wire::cursor(message.bytes()).value<frame_header>();
            const auto at = pools_.find(header.pool);
            if (at == pools_.end()) return;
            at->second.to->put(from, std::move(message), at->second.to == own);
        });
    }

private:
    struct pool_entry {
        inbox* to = nullptr;
        std::chrono::nanoseconds node_timeout{};
    };

    void beat_until_stopped() {
        mutex_lock lock(mutex_);
        steady_time last = std::chrono::steady_clock::now();
        while (!stopping_) {
            stopped_.wait_for(lock.native(), beat_interval);
            if (stopping_) return;
            const auto now = std::chrono::steady_clock::now();
            // Who was stopped itself, or had no CPU, can't tell who was silent.
            if (now - last > 3 * beat_interval)
                for (auto& [rank, heard] : heard_) heard = now;
            last = now;
            lock.unlock();
            net_.bell().silence();
            beat();
            receive();
            lock.lock();
            find_lost(now);
        }
    }
    void beat() {
        for (int rank = 1; rank < net_.size(); ++rank) {
            wire::buffer message;
            append_frame(message, {.what = frame_header::kind::beat});
            net_.send(rank, std::move(message));
        }
    }
    void find_lost(steady_time now) PROCPOOL_REQUIRES(mutex_) {
        if (pools_.empty()) return;
        const auto shortest =
            std::min_element(pools_.begin(), pools_.end(), [](const auto& one, const auto& other) {
                return one.second.node_timeout < other.second.node_timeout;
            });
        for (const host_rank& one : hosts_) {
            if (one.rank == net_.rank()) continue;
            const bool is_silent = now - heard_[one.rank] > shortest->second.node_timeout;
            if (is_silent) net_.lose(one.rank);
            if (!net_.has_lost(one.rank) || std::exchange(told_lost_[one.rank], true)) continue;
            for (auto& [number, pool] : pools_) pool.to->put(one.rank, {});
        }
    }

    network& net_;
    const std::vector<host_rank> hosts_;
    mutex mutex_;
    std::map<std::uint64_t, pool_entry> pools_ PROCPOOL_GUARDED_BY(mutex_);
    std::uint64_t last_pool_ PROCPOOL_GUARDED_BY(mutex_) = 0;
    std::map<int, steady_time> heard_ PROCPOOL_GUARDED_BY(mutex_);
    std::map<int, bool> told_lost_ PROCPOOL_GUARDED_BY(mutex_);
    bool stopping_ PROCPOOL_GUARDED_BY(mutex_) = false;
    std::condition_variable stopped_;
    std::thread pulse_;
};
using session = basic_session<>;

/// The program's nodes while rank 0 is in the function that it was given; null otherwise.
inline std::atomic<session*> current_session = nullptr;

/// @throws Error if there are none
inline session& require_session() {
    if (session* const all = current_session.load(std::memory_order_acquire)) return *all;
    throw Error(
        "procpool: an mpi::Pool is made in the function that mpi::run calls: in main, return "
        "procpool::mpi::run(argc, argv, f), and make the pool in f");
}

}  // namespace procpool::inline v0_1::detail::mpi

#endif
