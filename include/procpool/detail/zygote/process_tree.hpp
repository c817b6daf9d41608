// SPDX-License-Identifier: MIT
// What tasks have started, and what that has started: it ends with the worker that it comes from.
//
// Each worker gives its descendants a mark, which tells them from another worker's when their parents have
// ended. They become the zygote's children then: so it knows that there are some.
#ifndef PROCPOOL_DETAIL_ZYGOTE_PROCESS_TREE_HPP
#define PROCPOOL_DETAIL_ZYGOTE_PROCESS_TREE_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <thread>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/descendants.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/process_identity.hpp"

namespace procpool::inline v0_1::detail::zygote {

/// Kills all processes of a tree that `is_condemned` is true for, by their ids and their ancestors' numbers,
/// until there are no others: who is killed can't start any more.
template <class IsCondemned>
void kill_descendants(std::uint64_t tree, IsCondemned is_condemned) {
    std::vector<long> killed;
    for (std::size_t before = 1; before != killed.size();) {
        before = killed.size();
        os::for_each_process([&](long pid) {
            if (pid == os::current_pid() || std::ranges::find(killed, pid) != killed.end()) return;
            if (os::kill_if(pid, [&](long one) {
                    const auto of = os::descent_of(one);
                    return of && of->tree == tree && is_condemned(one, of->ancestor);
                }))
                killed.push_back(pid);
        });
    }
}

/// What the workers of a zygote have started that has been killed. A worker that is just being born still has
/// the zygote's number: it is to say which process it is, and dies then.
inline void kill_descendants(std::uint64_t tree) {
    kill_descendants(tree, [](long, std::uint64_t ancestor) { return ancestor != 0; });
}

/// In the zygote. Does nothing if tasks' processes are to be kept.
template <class = only_if_used>
class basic_process_tree {
public:
    explicit basic_process_tree(std::uint64_t tree) noexcept : tree_(tree) {}

    /// From now on orphans come to this process.
    void begin() const noexcept {
        if (tree_ == 0) return;
        const bool adopts = os::adopt_orphans();
        if (const bool marked = os::mark_descent({tree_, 0}); adopts && marked) return;
        std::fputs(
            "procpool: the system refuses what it takes to end processes that tasks have started together with "
            "their worker; some may outlive it (keep_children in PoolOptions says that this is meant)\n",
            stderr);
    }

    /// Some process below this one has ended: orphans may be left of it. They are looked for soon, and not
    /// after each of many ends, since that may read a list of all processes.
    void note_end() noexcept {
        if (tree_ != 0) due_ = std::min(due_, next_);
    }
    /// When sweep() is to be called.
    steady_time due() const noexcept { return due_; }

    /// Kills what is left of dead workers. `is_worker(pid)` also of those that nobody has waited for yet,
    /// `is_alive(ancestor)` for the number of a worker.
    template <class IsWorker, class IsAlive>
    void sweep(IsWorker is_worker, IsAlive is_alive) {
        if (tree_ == 0) return;
        const auto begun = std::chrono::steady_clock::now();
        due_ = steady_time::max();
        if (os::may_have_other_children(is_worker)) {
            // Orphans come here whatever their mark is: those of a task's own pool have another one.
            os::for_each_process([&](long pid) {
                if (!is_worker(pid)) os::reap_if_ended(pid);
            });
            kill_descendants(tree_, [&](long pid, std::uint64_t ancestor) {
                return !is_worker(pid) && ancestor != 0 && !is_alive(ancestor);
            });
        }
        constexpr int most_share = 20;  // of the time, as a divisor
        const auto end = std::chrono::steady_clock::now();
        next_ = end + most_share * (end - begun);
    }

    /// Kills all that there is below this process, which has waited for its workers; also what has lost its
    /// mark, as another user's process may.
    void end() const {
        if (tree_ == 0) return;
        const steady_time until = deadline_in(std::chrono::seconds(1));  // a network disk may hold some
        while (os::has_children()) {
            bool any = false;
            os::for_each_process([&](long pid) {
                if (pid == os::current_pid()) return;
                const auto is_meant = [&](long one) {
                    const auto of = os::descent_of(one);
                    return (of && of->tree == tree_) ||
                           os::read_process_state(one).parent == os::current_pid();
                };
                if (is_meant(pid) && (os::reap_if_ended(pid) || os::kill_if(pid, is_meant))) any = true;
            });
            if (!any || std::chrono::steady_clock::now() >= until) return;
            std::this_thread::sleep_for(std::chrono::microseconds(200));
        }
    }

private:
    const std::uint64_t tree_;
    steady_time due_ = steady_time::max();
    steady_time next_ = steady_time::min();  // not before that
};
using process_tree = basic_process_tree<>;

}  // namespace procpool::inline v0_1::detail::zygote

#endif
