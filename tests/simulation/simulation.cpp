// SPDX-License-Identifier: MIT
#include "simulation.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "callers.hpp"
#include "invariants.hpp"
#include "peer.hpp"
#include "workers.hpp"
#include "world.hpp"

namespace simulation {

namespace {

using namespace std::chrono_literals;

/// In which order things happen.
class course {
public:
    explicit course(const plan& what) : world_(what) {}

    void run(counts& total) {
        for (std::uint64_t i = 0; i < world_.what.actions; ++i) {
            act();
            move_driver();
            for (const auto& host : world_.hosts)
                if (host->is_alive) move(*host);
        }
        finish();
        total.elements += world_.last_number;
        total.deaths += world_.deaths;
        total.steps += steps_;
    }

private:
    void act() {
        switch (world_.dice.below(12)) {
            case 0: callers_.add_job(); return;
            case 1: callers_.submit_more(); return;
            case 2: callers_.single_calls(); return;
            case 3: callers_.give_up(); return;
            case 4: pass_time(); return;
            case 5:
                callers_.resize();
                callers_.end_pool();
                if (world_.dice.one_in(12)) workers_.lose_one();
                return;
            default: workers_.move_one(); return;
        }
    }

    /// The driver sleeps until something wakes it, then does a step.
    void move_driver() {
        if (!world_.pool.sleeps()) {
            if (world_.dice.one_in(2)) return;  // callers come and go meanwhile
            world_.pool.fall_asleep();
            return;
        }
        if (!world_.pool.must_wake()) {
            if (world_.pool.has_something_to_do())
                throw broken("nothing wakes the driver, and there is something to do");
            return;
        }
        step();
    }
    /// The same of a node, which gets messages at any time.
    void move(simulated_host& host) {
        host.receive(world_.dice);
        if (!host.pool.sleeps()) {
            if (!world_.dice.one_in(2)) host.pool.fall_asleep();
        } else if (host.pool.must_wake()) {
            step(host);
        } else if (host.pool.has_something_to_do()) {
            throw broken("nothing wakes a node, and there is something to do");
        }
    }
    void step(simulated_host& host) {
        host.step(world_.dice);
        check_limits(host.pool);
    }
    void step() {
        ++steps_;
        world_.pool.wake_up(
            world_.dice, [this] { check_idle(world_); },
            [this] { check_places(world_), check_limits(world_.pool); });
        check_ends(world_);
    }

    void pass_time() {
        const auto step =
            std::chrono::microseconds(world_.dice.from(1, world_.dice.one_in(4) ? 20'000 : 500));
        // The driver wakes up in time.
        const steady_time now = world_.pool.time().now();
        if (!world_.pool.sleeps()) return;
        world_.advance_to(std::min<steady_time>(now + step, std::max(world_.sleeps_until(), now)));
    }

    /// No more calls and deaths: everything comes to its end, by what the driver is told alone.
    void finish() {
        callers_.come_to_an_end();
        std::uint64_t steps_to_the_end = 0;
        for (std::uint64_t idle = 0; idle < 200;) {
            if (!world_.pool.sleeps()) world_.pool.fall_asleep();
            const bool any = move_all_peers();
            if (world_.pool.must_wake()) {
                step();
                idle = 0;
                if (++steps_to_the_end > 100'000) throw broken("the driver never sleeps:" + world_.state());
                if (!world_.pool.has_jobs() && ++quiet_ > 20) break;
                continue;
            }
            if (any) continue;
            if (!world_.pool.has_jobs()) break;
            ++idle;
            wait();
        }
        if (world_.pool.has_jobs())
            throw broken("the pool has come to a stop with calls that have no end:" + world_.state());
        for (const entry& one : world_.jobs) {
            if (!is_over(one)) throw broken("a job is not done, and the pool has none left");
            check_end(world_, one);
        }
        check_hosts();
    }
    /// @return whether anybody did anything
    bool move_all_peers() {
        bool any = false;
        for (const auto& host : world_.hosts) {
            if (!host->is_alive) continue;
            any = host->receive(world_.dice) || any;
            if (!host->pool.sleeps()) host->pool.fall_asleep();
            if (!host->pool.must_wake()) continue;
            step(*host);
            any = true;
        }
        world_.each_pool_of_peers([&](simulated_pool& pool) {
            for (auto& one : pool.peers()) {
                if (one.alive && one.asked_to_end) one.alive = false;
                any = (one.alive && workers_.run(one, 3)) || any;
                if (one.alive && one.holds_results() && one.is_out_of_input()) one.send_results();
            }
        });
        return any;
    }
    /// Peers that run something long need time.
    void wait() {
        bool busy = false;
        world_.each_pool_of_peers([&](simulated_pool& pool) {
            for (const auto& one : pool.peers()) busy = busy || (one.alive && one.is_running());
        });
        const steady_time due = world_.sleeps_until();
        if (busy)
            world_.advance_to(std::min<steady_time>(due, world_.pool.time().now() + 5ms));
        else if (due != steady_time::max())
            world_.advance_to(due);
    }
    /// Nodes keep nothing of jobs that are over.
    void check_hosts() {
        if (world_.pool.why_failed()) return;
        for (unsigned idle = 0; idle < 50;) {
            const bool any = move_all_peers();
            if (any && ++quiet_ < 2000) continue;
            ++idle;
            wait();
        }
        for (const auto& host : world_.hosts)
            if (!host->is_lost() && host->pool.has_jobs())
                throw broken("a node keeps a job that is over:" + world_.state());
    }

    world world_;
    callers callers_{world_};
    workers workers_{world_};
    std::uint64_t steps_ = 0;
    unsigned quiet_ = 0;
};

}  // namespace

std::optional<std::string> run(const plan& what, counts& total) try {
    course(what).run(total);
    return std::nullopt;
} catch (const std::exception& error) {
    return error.what();
}

}  // namespace simulation
