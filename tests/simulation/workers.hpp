// SPDX-License-Identifier: MIT
// What peers do, one small step at a time: they read, run elements, send results, and die.
#ifndef PROCPOOL_TESTS_SIMULATION_WORKERS_HPP
#define PROCPOOL_TESTS_SIMULATION_WORKERS_HPP

#include <chrono>
#include <cstdint>
#include <vector>

#include "invariants.hpp"
#include "job.hpp"
#include "peer.hpp"
#include "world.hpp"

namespace simulation {

class workers {
public:
    explicit workers(world& in) : in_(in) {}

    void move_one() {
        simulated_pool* const pool = some_pool();
        if (!pool) return;
        simulated_peer& one = pool->peers()[in_.dice.below(pool->peers().size())];
        if (!one.alive) return;
        if (in_.with(trouble::deaths) && in_.dice.one_in(60)) {
            kill(one);
            return;
        }
        if (one.asked_to_end && in_.dice.one_in(2)) {
            kill(one);
            return;
        }
        run(one, in_.dice.from(1, 4));
    }
    /// Some steps of a peer. @return whether it did anything
    bool run(simulated_peer& one, std::uint64_t steps) {
        bool any = false;
        for (; steps > 0 && one.alive; --steps) {
            if (one.is_running()) {
                if (!end_element(one)) return any;
            } else if (one.can_read()) {
                one.words().ready.store(1);
                one.begin_next(in_.pool.time().now());
                if (one.is_running()) note_begin(one);
            } else if (one.holds_results()) {
                one.send_results();
            } else if (one.input_ended) {
                one.alive = false;
            } else {
                one.words().ready.store(1);
                return any;
            }
            any = true;
            if (in_.dice.one_in(4)) one.send_results();
        }
        return any;
    }

    /// A node is lost.
    void lose_one() {
        if (in_.hosts.empty() || !in_.with(trouble::losses)) return;
        simulated_host& host = *in_.hosts[in_.dice.below(in_.hosts.size())];
        if (host.is_lost()) return;
        ++in_.losses;
        host.lose(in_.dice);
    }

private:
    simulated_pool* some_pool() {
        if (in_.hosts.empty()) return &in_.pool;
        simulated_host& host = *in_.hosts[in_.dice.below(in_.hosts.size())];
        return host.is_alive ? &host.pool : nullptr;
    }
    void kill(simulated_peer& one) {
        ++in_.deaths;
        one.alive = false;
    }
    void note_begin(const simulated_peer& one) {
        if (account* const of = in_.account_of(*one.running)) {
            record& kept = of->of(one.running->index);
            // One that was told to end for the sake of another element dies in this one, which is innocent.
            if (one.asked_to_end) ++kept.innocent;
            ++kept.begun;
        }
        check_begin(in_, one);
    }
    /// False if it goes on.
    bool end_element(simulated_peer& one) {
        const auto& element = *one.running;
        account* const of = in_.account_of(element);
        if (!of) {
            if (in_.hosts.empty() && in_.dice.one_in(10))
                kill(one);
            else
                one.end_element(in_.dice.one_in(100), in_.pool.time().now());
            return true;
        }
        const record& kept = of->of(element.index);
        switch (kept.does) {
            case behaviour::hangs: return false;
            case behaviour::takes_long:
                if (in_.pool.time().now() - one.begun_at < std::chrono::milliseconds(30)) return false;
                break;
            case behaviour::kills: kill(one); return true;
            case behaviour::kills_once:
                if (kept.begun == 1) {
                    kill(one);
                    return true;
                }
                break;
            default: break;
        }
        const bool throws =
            kept.does == behaviour::throws || (kept.does == behaviour::throws_once && kept.begun == 1);
        one.end_element(throws, in_.pool.time().now());
        return true;
    }

    world& in_;
};

}  // namespace simulation

#endif
