// SPDX-License-Identifier: MIT
// The word by which a worker claims elements while its pool takes others back: every order in which their
// steps can happen.
//
// Each step on the word is one atomic operation, so all that can happen is an order of whole steps. They are
// made with the functions that workers and pools call.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

#include "procpool/detail/wire/activity.hpp"

namespace claim_and_recall_test {

using procpool::detail::wire::activity;

/// Everything that a worker and its pool know; a step makes another one of it.
struct world {
    std::uint64_t word = 0;

    struct message {
        std::vector<int> elements;  // none: a notice of a recall
    };
    std::deque<message> pipe;

    // The worker's.
    std::deque<int> run;
    std::uint64_t claimed = 0, recalls = 0;
    std::vector<int> executed;

    // The pool's.
    std::vector<int> given;  // and not taken back, in order
    std::vector<int> returned;
    unsigned pool_steps = 0;

    /// Calls `act` with the shared memory as it is.
    template <class Act>
    auto on_memory(Act act) {
        activity memory;
        memory.claimed_and_recalls.store(word);
        const auto result = act(memory);
        word = memory.claimed_and_recalls.load();
        return result;
    }
};

class EveryOrder {
public:
    EveryOrder(int elements, std::uint64_t together, unsigned recalls)
        : elements_(elements), together_(together), recalls_(recalls) {}

    std::uint64_t orders() {
        explore(world());
        return orders_;
    }

private:
    /// The pool gives all elements, takes back what it can, gives that again, and so on.
    bool pool_moves(world& now) const {
        if (now.pool_steps > 2 * recalls_) return false;
        if (now.pool_steps++ % 2 == 0) {
            world::message run;
            if (now.pool_steps == 1)
                for (int i = 0; i < elements_; ++i) run.elements.push_back(i);
            else
                run.elements.swap(now.returned);
            if (run.elements.empty()) return true;
            now.given.insert(now.given.end(), run.elements.begin(), run.elements.end());
            now.pipe.push_back(run);
        } else {
            const auto kept = now.on_memory([](activity& memory) { return memory.recall(); });
            EXPECT_LE(kept, now.given.size());
            now.returned.assign(now.given.begin() + static_cast<std::ptrdiff_t>(kept), now.given.end());
            now.given.resize(kept);
            now.pipe.push_back({});
        }
        return true;
    }

    bool worker_moves(world& now) const {
        if (!now.run.empty()) {
            const std::uint64_t wanted = std::min<std::uint64_t>(now.run.size(), together_);
            const auto end = now.on_memory(
                [&](activity& memory) { return memory.claim(now.claimed, wanted, now.recalls); });
            EXPECT_NE(end, activity::claim_end::overwritten);
            if (end == activity::claim_end::claimed) {
                now.claimed += wanted;
                for (std::uint64_t i = 0; i < wanted; ++i) {
                    now.executed.push_back(now.run.front());
                    now.run.pop_front();
                }
            } else {
                now.run.clear();  // the rest was taken back
            }
            return true;
        }
        if (now.pipe.empty()) return false;
        const world::message next = now.pipe.front();
        now.pipe.pop_front();
        if (next.elements.empty())
            ++now.recalls;
        else
            now.run.assign(next.elements.begin(), next.elements.end());
        return true;
    }

    void explore(const world& now) {
        world pool_first = now, worker_first = now;
        const bool pool_can = pool_moves(pool_first), worker_can = worker_moves(worker_first);
        if (pool_can) explore(pool_first);
        if (worker_can) explore(worker_first);
        if (pool_can || worker_can) return;
        ++orders_;
        // All is done: what the pool has not got back was executed, once.
        std::vector<int> executed = now.executed, given = now.given;
        std::sort(executed.begin(), executed.end());
        std::sort(given.begin(), given.end());
        EXPECT_EQ(executed, given);
        EXPECT_EQ(given.size() + now.returned.size(), static_cast<std::size_t>(elements_));
    }

    const int elements_;
    const std::uint64_t together_;
    const unsigned recalls_;
    std::uint64_t orders_ = 0;
};

TEST(ClaimAndRecall, run_each_element_once_in_every_order_of_their_steps) {
    std::uint64_t orders = 0;
    for (int elements = 1; elements <= 4; ++elements)
        for (std::uint64_t together = 1; together <= 3; ++together)
            for (unsigned recalls = 1; recalls <= 3; ++recalls)
                orders += EveryOrder(elements, together, recalls).orders();
    EXPECT_GT(orders, 10'000u);
}

TEST(ClaimAndRecall, sees_a_word_that_somebody_else_has_changed) {
    activity memory;
    EXPECT_EQ(memory.claim(0, 2, 0), activity::claim_end::claimed);
    memory.claimed_and_recalls.store(5);
    EXPECT_EQ(memory.claim(2, 1, 0), activity::claim_end::overwritten);
}

}  // namespace claim_and_recall_test
