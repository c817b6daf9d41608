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
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/mpi/inbox.hpp"
#include "procpool/detail/mpi/liveness.hpp"
#include "procpool/detail/mpi/network.hpp"
#include "procpool/detail/mpi/protocol.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/signal.hpp"
#include "procpool/detail/os/thread.hpp"
#include "procpool/detail/scheduler/pool_backend.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::mpi {

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
        for (int rank = 1; rank < net_.size(); ++rank)
            listening_.hear(rank, std::chrono::steady_clock::now());
        const os::signals_blocked no_signals;
        pulse_ = os::start_thread([this] { beat_until_stopped(); }, "MPI's");
        os::library_threads.fetch_add(1, std::memory_order_relaxed);
    }
    basic_session(const basic_session&) = delete;
    basic_session& operator=(const basic_session&) = delete;
    ~basic_session() {
        {
            const mutex_guard lock(mutex_);
            stopping_ = true;
        }
        changed_.notify_all();
        pulse_.join();
        os::library_threads.fetch_sub(1, std::memory_order_relaxed);
    }

    const std::vector<host_rank>& hosts() const noexcept { return hosts_; }
    int processors_of(int rank) const noexcept {
        const auto at = std::find_if(hosts_.begin(), hosts_.end(),
                                     [rank](const host_rank& one) { return one.rank == rank; });
        return at != hosts_.end() ? at->processors : 1;
    }
    bool is_lost(int rank) { return net_.has_lost(rank); }
    /// For how long a rank was silent when it was found lost; nothing if it is not, or that is not known yet.
    std::optional<silence> silence_of_lost(int rank) {
        const mutex_guard lock(mutex_);
        const auto at = lost_.find(rank);
        return at != lost_.end() ? std::optional(at->second) : std::nullopt;
    }
    network& net() noexcept { return net_; }

    // ---- pools

    /// @return the pool's number
    std::uint64_t add(inbox& of_pool, std::chrono::nanoseconds node_timeout) {
        const mutex_guard lock(mutex_);
        const std::uint64_t number = ++last_pool_;
        pools_[number] = {&of_pool, node_timeout};
        patience_ = number == 1 ? node_timeout : std::min(patience_, node_timeout);
        return number;
    }
    void remove(std::uint64_t pool) {
        const mutex_guard lock(mutex_);
        pools_.erase(pool);
        changed_.notify_all();  // with the lock: the session may end as soon as there are no pools
    }
    /// It is ended with the session, whoever holds it then.
    void end_with_this(const std::shared_ptr<scheduler::pool_backend>& pool) {
        const mutex_guard lock(mutex_);
        std::erase_if(to_end_, [](const auto& one) { return one.expired(); });
        to_end_.push_back(pool);
    }
    /// Whether each host that isn't lost can wake this one: it has rung, so it knows how.
    bool all_hosts_ring() {
        return std::all_of(hosts_.begin(), hosts_.end(), [this](const host_rank& one) {
            return one.rank == net_.rank() || net_.has_lost(one.rank) || net_.bell().reaches(one.rank);
        });
    }

    // ---- links between hosts

    /// What another host passes on to this one gets lost: it is told everything directly.
    void note_broken_link(int to) {
        const mutex_guard lock(mutex_);
        unchained_.insert(to);
    }
    bool is_chained(int rank) {
        const mutex_guard lock(mutex_);
        return !unchained_.contains(rank);
    }

    // ---- the end

    /// How long a rank may take to do what should be done at once.
    std::chrono::nanoseconds patience_at_end() {
        const mutex_guard lock(mutex_);
        return least_patience();
    }

    /// @return false if another thread is at the end of a pool, and doesn't get there
    bool end_pools() {
        std::vector<std::weak_ptr<scheduler::pool_backend>> all;
        {
            const mutex_guard lock(mutex_);
            all.swap(to_end_);
        }
        for (const auto& one : all) {
            const auto pool = one.lock();
            if (!pool) continue;
            auto held = pool->acquire();
            pool->terminate(held);
        }
        mutex_lock lock(mutex_);
        return changed_.wait_for(lock.native(), 2 * least_patience(),
                                 [this]() PROCPOOL_REQUIRES(mutex_) { return pools_.empty(); });
    }

    /// The other ranks end their pools. @return whether all have said so before rank 0 lost its patience, and
    /// can end MPI together
    bool finish() {
        say_to_all({.what = frame_header::kind::finish});
        constexpr std::chrono::microseconds nap{100};
        const auto end = deadline_in(patience_at_end());
        while (!net_.has_lost_any() && std::chrono::steady_clock::now() < end) {
            receive();
            {
                const mutex_guard lock(mutex_);
                // To end MPI takes the links between all hosts.
                if (finished_.size() + 1 == static_cast<std::size_t>(net_.size())) return unchained_.empty();
            }
            std::this_thread::sleep_for(nap);
        }
        if (!net_.has_lost_any()) lose_unfinished();
        return false;
    }
    /// The other ranks end, also those that are lost and alive nevertheless. No more messages come or go.
    void let_all_go(bool may_finalize) {
        std::set<int> lost;
        {
            const mutex_guard lock(mutex_);
            stopping_ = true;
            lost = came_back_;
            const auto now = std::chrono::steady_clock::now();
            for (int rank = 1; rank < net_.size(); ++rank)
                if (net_.has_lost(rank) && listening_.was_heard(rank, now, patience_)) lost.insert(rank);
        }
        changed_.notify_all();
        using kind = frame_header::kind;
        const frame_header last{.what = may_finalize ? kind::finalize : kind::leave};
        say_to_all(last);
        for (const int rank : lost) say(rank, last, sending_mode::even_if_lost);
        constexpr std::chrono::seconds patience{5};
        const auto end = deadline_in(patience);
        while (net_.is_sending() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
        net_.close();
    }

    // ---- messages

    /// Puts what has come into the inboxes of its pools, of which the caller looks at `own` next.
    /// A `glance` is a look after which another one follows at once. @return whether anything has come
    bool receive(const inbox* own = nullptr, bool glance = false) {
        const mutex_guard lock(mutex_);
        const auto now = std::chrono::steady_clock::now();
        return net_.receive(
            [&](int from, wire::buffer&& message, bool is_lost) PROCPOOL_REQUIRES(mutex_) {
                if (is_lost) {
                    came_back_.insert(from);
                    return;
                }
                listening_.hear(from, now);
                if (message.size() < sizeof(frame_header)) return;
                const auto header = wire::cursor(message.bytes()).value<frame_header>();
                if (header.what == frame_header::kind::finish) finished_.insert(from);
                const auto at = pools_.find(header.pool);
                if (at == pools_.end()) return;
                at->second.to->put(from, std::move(message), at->second.to == own);
            },
            glance);
    }

private:
    struct pool_entry {
        inbox* to = nullptr;
        std::chrono::nanoseconds node_timeout{};
    };

    void beat_until_stopped() {
        mutex_lock lock(mutex_);
        steady_time next_beat = std::chrono::steady_clock::now() + beat_interval;
        for (;;) {
            changed_.wait_until(lock.native(), std::min(next_beat, next_loss()),
                                [this]() PROCPOOL_REQUIRES(mutex_) { return stopping_; });
            if (stopping_) return;
            const auto now = std::chrono::steady_clock::now();
            listening_.look(now);
            if (now >= next_beat) listening_.count_beat();
            lock.unlock();
            net_.bell().silence();
            if (now >= next_beat) {
                next_beat = now + beat_interval;
                beat();
            }
            constexpr int most_looks = 64;  // one ends with the first message, others may wait behind it
            for (int looks = 0; looks < most_looks && receive(); ++looks) {
            }
            lock.lock();
            find_lost(now);
        }
    }
    void beat() {
        frame_header alive{.what = frame_header::kind::beat};
        std::set<int> came_back;
        {
            const mutex_guard lock(mutex_);
            if (last_pool_ > 0) alive.ns = patience_.count();
            came_back = came_back_;
        }
        say_to_all(alive);
        for (const int rank : came_back) {
            say(rank, alive, sending_mode::even_if_lost);
            say(rank, {.what = frame_header::kind::stand_aside}, sending_mode::even_if_lost);
        }
    }
    void lose_unfinished() {
        const mutex_guard lock(mutex_);
        for (int rank = 1; rank < net_.size(); ++rank)
            if (!finished_.contains(rank)) net_.lose(rank);
    }
    void say(int rank, const frame_header& what, sending_mode mode = sending_mode::usual) {
        wire::buffer message;
        append_frame(message, what);
        net_.send(rank, std::move(message), mode);
    }
    void say_to_all(const frame_header& what) {
        for (int rank = 1; rank < net_.size(); ++rank) say(rank, what);
    }
    /// How long a rank may be silent; no limit while nobody waits for any.
    std::chrono::nanoseconds shortest_timeout() const PROCPOOL_REQUIRES(mutex_) {
        std::chrono::nanoseconds shortest = std::chrono::hours(24 * 365);  // which can be added to a time
        for (const auto& [number, pool] : pools_) shortest = std::min(shortest, pool.node_timeout);
        return shortest;
    }
    /// When a message that is still coming began to: a beat may wait behind a large one.
    auto coming() {
        return [this](int rank) { return net_.heard(rank); };
    }
    /// When the next rank is lost if nothing comes from it.
    steady_time next_loss() PROCPOOL_REQUIRES(mutex_) {
        return pools_.empty() ? steady_time::max() : listening_.next(shortest_timeout(), coming());
    }
    void find_lost(steady_time now) PROCPOOL_REQUIRES(mutex_) {
        if (pools_.empty()) return;
        std::map<int, silence> found;
        listening_.each_silent(now, shortest_timeout(), coming(), [&](int rank, const silence& its) {
            net_.lose(rank);
            found.emplace(rank, its);
        });
        for (int rank = 1; rank < net_.size(); ++rank)  // MPI may have noticed first
            if (net_.has_lost(rank) && !lost_.contains(rank)) found.emplace(rank, listening_.of(rank, now));
        for (const auto& [rank, its] : found) {
            listening_.forget(rank);
            lost_.emplace(rank, its);
            wire::buffer message;
            append_frame(message, {.what = frame_header::kind::lost, .ns = its.time.count()});
            for (auto& [number, pool] : pools_) {
                wire::buffer one;
                one.append(message.data(), message.size());
                pool.to->put(rank, std::move(one));
            }
        }
    }
    std::chrono::nanoseconds least_patience() const PROCPOOL_REQUIRES(mutex_) {
        constexpr std::chrono::seconds least{10};
        return std::max<std::chrono::nanoseconds>(patience_, least);
    }

    network& net_;
    const std::vector<host_rank> hosts_;
    mutex mutex_;
    std::map<std::uint64_t, pool_entry> pools_ PROCPOOL_GUARDED_BY(mutex_);
    std::uint64_t last_pool_ PROCPOOL_GUARDED_BY(mutex_) = 0;
    liveness listening_ PROCPOOL_GUARDED_BY(mutex_);
    std::map<int, silence> lost_ PROCPOOL_GUARDED_BY(mutex_);
    std::set<int> came_back_ PROCPOOL_GUARDED_BY(mutex_);  // after they were lost
    std::set<int> finished_ PROCPOOL_GUARDED_BY(mutex_);   // who has ended its pools
    std::set<int> unchained_ PROCPOOL_GUARDED_BY(mutex_);  // who is told everything by rank 0 itself
    std::vector<std::weak_ptr<scheduler::pool_backend>> to_end_ PROCPOOL_GUARDED_BY(mutex_);
    /// For who is silent: the shortest node_timeout so far.
    std::chrono::nanoseconds patience_ PROCPOOL_GUARDED_BY(mutex_) = std::chrono::seconds(30);
    bool stopping_ PROCPOOL_GUARDED_BY(mutex_) = false;
    std::condition_variable changed_;
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
