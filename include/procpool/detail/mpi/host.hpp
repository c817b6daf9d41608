// SPDX-License-Identifier: MIT
// What a rank does that isn't rank 0: hosts shares of pools until the program is over.
#ifndef PROCPOOL_DETAIL_MPI_HOST_HPP
#define PROCPOOL_DETAIL_MPI_HOST_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/mpi/definition_chain.hpp"
#include "procpool/detail/mpi/hosted_pool.hpp"
#include "procpool/detail/mpi/liveness.hpp"
#include "procpool/detail/mpi/network.hpp"
#include "procpool/detail/mpi/pace.hpp"
#include "procpool/detail/mpi/protocol.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/cpu.hpp"
#include "procpool/detail/os/event.hpp"
#include "procpool/detail/os/poller.hpp"
#include "procpool/detail/os/program.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// How the program has ended for a host.
enum class departure {
    in_peace,  ///< all ranks end MPI together
    abrupt,    ///< some are lost, and nobody waits for them
    orphaned,  ///< rank 0 is lost, or this rank can't go on
};

template <class = only_if_used>
class basic_host {
public:
    explicit basic_host(network& net) : net_(net) {
        poller_.add(net_.bell().file(), os::poller::interest::read, key_bell);
        poller_.add(sent_.file(), os::poller::interest::read, key_sent);
    }
    basic_host(const basic_host&) = delete;
    basic_host& operator=(const basic_host&) = delete;
    ~basic_host() {
        end_pools();
        constexpr std::chrono::milliseconds nap{1};
        const auto end = deadline_in(patience_at_end);
        while (std::chrono::steady_clock::now() < end && !all_pools_have_ended())
            std::this_thread::sleep_for(nap);
        abandon_pools();
    }

    /// Does what rank 0 says, until the program is over.
    departure serve() {
        auto last_beat = std::chrono::steady_clock::now();
        listening_.hear(0, last_beat);
        for (;;) {
            if (receive()) pace_.received(std::chrono::steady_clock::now());
            if (ended_) return departure_;
            std::erase_if(pools_, [](const auto& one) { return one.second->has_ended(); });
            const auto now = std::chrono::steady_clock::now();
            if (finishes_at_ && (pools_.empty() || now >= *finishes_at_)) {
                abandon_pools();
                finishes_at_.reset();
                say(frame_header::kind::finish);
            }
            if (now - last_beat >= beat_interval) {
                last_beat = now;
                say(frame_header::kind::beat);
                for (const auto& [number, pool] : pools_) pool->ask_for_missing_parts(now, node_timeout_);
            }
            if (rank_0_is_lost(now)) return departure::orphaned;
            nap(now);
        }
    }

private:
    bool receive() {
        std::vector<wire::buffer> came;
        const bool any = net_.receive(
            [&](int from, wire::buffer&& message, bool /*is_lost*/) {
                if (from == 0) listening_.hear(0, std::chrono::steady_clock::now());
                came.push_back(std::move(message));
            },
            pace_.is_awake());
        for (const wire::buffer& one : came)
            each_frame(one.bytes(), [&](const frame_header& header, std::span<const std::byte> payload) {
                handle(header, payload);
            });
        return any;
    }

    void handle(const frame_header& header, std::span<const std::byte> payload) {
        using kind = frame_header::kind;
        if (header.what == kind::beat) {
            if (header.ns > 0) node_timeout_ = std::chrono::nanoseconds(header.ns);
            return;
        }
        if (header.what == kind::stand_aside) {
            stand_aside();
            return;
        }
        if (header.what == kind::finish) {
            end_pools();
            finishes_at_ = deadline_in(patience_at_end);
            return;
        }
        if (header.what == kind::finalize || header.what == kind::leave) {
            ended_ = true;
            departure_ = header.what == kind::finalize ? departure::in_peace : departure::abrupt;
            return;
        }
        if (header.what == kind::open) {
            if (stands_aside_) return;
            const std::chrono::nanoseconds node_timeout(header.ns);
            node_timeout_ =
                std::exchange(had_pools_, true) ? std::min(node_timeout_, node_timeout) : node_timeout;
            pools_[header.pool] =
                std::make_unique<hosted_pool>(header.pool, payload, [this](wire::buffer&& up) {
                    if (!net_.send(0, std::move(up)) || is_ending_.load(std::memory_order_relaxed))
                        sent_.ring();
                });
            return;
        }
        if (header.what == kind::define_part) pass_on(header, definition_part(payload));
        const auto at = pools_.find(header.pool);
        if (at != pools_.end()) {
            if (at->second->handle(header, payload)) pace_.stay_awake(std::chrono::steady_clock::now());
        } else if (header.what == kind::close)
            say(kind::closed, header.pool);  // it was never opened here
    }
    void pass_on(const frame_header& header, const definition_part& part) {
        if (part.route.empty()) return;
        net_.send(part.route[0], part_message(header, std::span(part.route).subspan(1), {{}, part.bytes}),
                  sending_mode::in_turn);
    }

    void say(frame_header::kind what, std::uint64_t pool = 0) {
        wire::buffer message;
        append_frame(message, {.what = what, .pool = pool});
        net_.send(0, std::move(message));
    }

    /// Rank 0 goes on without this node, which was silent for too long. It stays nevertheless: many a
    /// launcher ends all ranks when one ends early.
    void stand_aside() {
        if (!std::exchange(stands_aside_, true))
            std::fprintf(stderr, "procpool: %s was silent for too long, so the program goes on without it\n",
                         os::host_name().c_str());
        end_pools();
    }

    /// They end, and this rank goes on with what it does.
    void end_pools() {
        is_ending_.store(true, std::memory_order_relaxed);
        for (const auto& [number, pool] : pools_) pool->end_now();
    }
    bool all_pools_have_ended() const {
        return std::all_of(pools_.begin(), pools_.end(),
                           [](const auto& one) { return one.second->has_ended(); });
    }
    /// Nobody waits for workers that can't be ended.
    void abandon_pools() {
        for (auto& [number, pool] : pools_)
            if (!pool->has_ended()) hosted_pool::abandon(std::move(pool));
        pools_.clear();
    }

    bool rank_0_is_lost(steady_time now) {
        bool is_lost = false;
        listening_.look(now);
        listening_.each_silent(
            now, node_timeout_, [this](int rank) { return net_.heard(rank); },
            [&](int /*rank*/, const silence& its) {
                is_lost = true;
                std::fprintf(
                    stderr, "procpool: %s: rank 0 was silent for %lld s, so this node ends\n",
                    os::host_name().c_str(),
                    static_cast<long long>(std::chrono::ceil<std::chrono::seconds>(its.time).count()));
            });
        return is_lost;
    }

    void nap(steady_time now) {
        const bool more_comes = std::any_of(pools_.begin(), pools_.end(),
                                            [](const auto& one) { return one.second->awaits_parts(); });
        const auto time = pace_.next(now, more_comes || net_.is_busy(node_timeout_), net_.bell().reaches(0));
        if (time.count() == 0) std::this_thread::yield();  // what is waited for may need this processor
        for (const auto& event : poller_.wait_precisely(now + time)) {
            if (event.key == key_bell) {
                net_.bell().silence();
                pace_.restart();  // a message may come a moment later than its bell
                continue;
            }
            sent_.silence();
            pace_.restart();  // what was sent may need another call of MPI
        }
    }

    /// Workers are killed, which takes no time unless the system can't; rank 0 waits for longer.
    static constexpr std::chrono::seconds patience_at_end{5};
    static constexpr std::uint64_t key_bell = 0;
    static constexpr std::uint64_t key_sent = 1;

    network& net_;
    os::event sent_;  // rung when a pool has sent something
    os::poller poller_;
    pace pace_{os::affinity_count()};
    std::map<std::uint64_t, std::unique_ptr<hosted_pool>> pools_;  // which use what stands before it
    std::atomic<bool> is_ending_ = false;                          // of those
    std::optional<steady_time> finishes_at_;  // when they have ended, or nobody waits for them any more
    bool ended_ = false;
    bool stands_aside_ = false;
    bool had_pools_ = false;
    departure departure_ = departure::in_peace;
    liveness listening_;
    std::chrono::nanoseconds node_timeout_ = std::chrono::seconds(30);
};
using host = basic_host<>;

}  // namespace procpool::inline v0_1::detail::mpi

#endif
