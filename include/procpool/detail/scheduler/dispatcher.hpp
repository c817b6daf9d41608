// SPDX-License-Identifier: MIT
// Gives elements to workers: which job comes next, and which worker gets how much of it.
#ifndef PROCPOOL_DETAIL_SCHEDULER_DISPATCHER_HPP
#define PROCPOOL_DETAIL_SCHEDULER_DISPATCHER_HPP

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/process/worker_link.hpp"
#include "procpool/detail/process/worker_processes.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/supervision.hpp"
#include "procpool/detail/scheduler/window.hpp"

namespace procpool::detail::scheduler {

/// The elements that are ready, of all jobs in turn.
template <class = only_if_used>
class basic_dispatcher {
public:
    /// A worker gets `max_elements` in its life.
    basic_dispatcher(process::worker_processes& workers, std::uint64_t max_elements)
        : workers_(workers), max_elements_(max_elements) {}

    /// Elements go behind those that are ready; a single one, if there are none, to a worker that has room.
    void add(const std::shared_ptr<remote_job>& job, block&& elements) {
        if (queue_.empty() && elements.count == 1) {
            process::worker_link* const link = least_loaded();
            if (link && room(*link, *job, 1) > 0) {
                give(*link, job, std::move(elements));
                return;
            }
        }
        count(*job, elements);
        job->ready.push_back(std::move(elements));
        if (!std::exchange(job->listed, true)) queue_.push_back(job);
    }
    /// An element of `bytes` was appended to what is ready of the job.
    void appended(const std::shared_ptr<remote_job>& job, std::size_t bytes) {
        ++job->ready_elements;
        job->ready_bytes += bytes;
        if (!std::exchange(job->listed, true)) queue_.push_back(job);
    }
    /// In front of those that are ready: they were given out before. Without those that nobody wants.
    void push_front(const std::shared_ptr<remote_job>& job, block&& elements) {
        if (job->has_dropped(elements.first, elements.count)) {
            const auto wanted = [&](std::uint64_t n) { return !job->has_dropped(elements.first + n, 1); };
            for (std::uint64_t begin = elements.count; begin > 0;) {
                const std::uint64_t end = begin;
                while (begin > 0 && wanted(begin - 1)) --begin;
                if (begin < end)
                    push_front(job, elements.copy(begin, end - begin));
                else
                    --begin;
            }
            return;
        }
        count(*job, elements);
        job->ready.push_front(std::move(elements));
        if (!std::exchange(job->listed, true)) queue_.push_front(job);
    }
    /// An element was given up; if it is ready, it won't be given out.
    static void drop(remote_job& job, std::uint64_t index) {
        const auto holds = [&](const block& some) {
            return index >= some.first && index - some.first < some.count;
        };
        const auto at = std::find_if(job.ready.begin(), job.ready.end(), holds);
        if (at == job.ready.end()) return;
        if (index > at->first) job.ready.insert(at, at->take_front(index - at->first));
        job.ready_bytes -= at->take_front(1).weight();
        --job.ready_elements;
        if (at->count == 0) job.ready.erase(at);
    }

    /// Whether workers may get what they were given later, with more.
    enum class sending { now, together };

    /// Gives out what is ready to workers that have room, one job after the other.
    /// @return when the first of them that got something is to be looked at
    steady_time dispatch(sending when = sending::now) {
        bool room_left = true;
        while (!queue_.empty() && room_left) {
            const std::shared_ptr<remote_job> job = std::move(queue_.front());
            queue_.pop_front();
            bool gave = false;
            while (!job->ready.empty()) {
                process::worker_link* const link = least_loaded();
                const std::uint64_t count = link ? room(*link, *job, job->ready.front().count) : 0;
                if (count == 0) break;
                give(*link, job, take_ready(*job, count));
                gave = true;
            }
            job->listed = !job->ready.empty();
            if (!job->listed) continue;
            // Nobody overtakes a job that waits for room; one that had some lets the others go first, but for
            // single calls, which go in the order in which they were made.
            room_left = gave && !job->keeps_its_place;
            if (room_left)
                queue_.push_back(job);
            else
                queue_.push_front(job);
        }
        steady_time next_check = steady_time::max();
        std::erase_if(touched_, [&](process::worker_link* const link) {
            next_check = std::min(next_check, link->check_at);
            if (when == sending::together && link->below_min_batch()) return false;
            workers_.send(*link);
            return true;
        });
        return next_check;
    }

    /// Elements that a worker has got and not claimed go where they are run sooner, apart from those of the
    /// chunk that it has begun. @return whether there were any
    bool take_back(process::worker_link& link) {
        const bool begun = link.box().begun.load(std::memory_order_acquire) > 0;
        if (!begun && workers_.initializer()) {  // which is not to be taken back
            check_after(link, cancel_grace);
            return false;
        }
        std::vector<returned> back = link.recall();
        link.stalled = link.work().elements() > 0;  // until the result of what runs has come
        if (begun && !back.empty() && !back.front().job->abandoned) {
            auto& [job, rest] = back.front();
            const std::uint64_t of_chunk = rest.first % job->chunk;
            if (of_chunk != 0)
                link.give(job, rest.take_front(std::min(rest.count, job->chunk - of_chunk)),
                          elements_together(*job));
        }
        bool any = false;
        for (auto one = back.rbegin(); one != back.rend(); ++one) {
            if (one->elements.count == 0 || one->job->abandoned || one->job->failure()) continue;
            push_front(one->job, std::move(one->elements));
            any = true;
        }
        workers_.send(link);
        return any;
    }

    /// Where a worker has nothing left to do and no element is ready, it gets a part of what waits in another
    /// one.
    void relieve_busiest() {
        if (!queue_.empty()) return;
        const auto& links = workers_.links();
        if (std::none_of(links.begin(), links.end(), [&](const process::worker_link& link) {
                return link.work().elements() == 0 && can_work(link) && has_started(link);
            }))
            return;
        constexpr double worthwhile_ns = 200e3;
        process::worker_link* busiest = nullptr;
        double longest = worthwhile_ns;
        for (process::worker_link& link : workers_.links()) {
            if (!can_work(link) || link.keeps_all) continue;
            // What is still on its way would only be sent once more: it must have claimed something, which
            // stays.
            const std::uint64_t begun = link.box().begun.load(std::memory_order_acquire);
            const std::uint64_t claimed = link.box().claimed();
            if (claimed < begun || claimed <= link.work().results()) continue;
            const double waiting = link.work().waiting_ns(claimed);
            if (waiting <= longest) continue;
            longest = waiting;
            busiest = &link;
        }
        if (!busiest) return;
        busiest->keeps_all = !take_back(*busiest);
        busiest->stalled = false;
        dispatch();
    }

    /// Nothing that is ready will run any more.
    void clear() { queue_.clear(); }

    /// Whether a worker is alive and may get elements.
    bool can_work(const process::worker_link& link) const noexcept {
        return (link.now == process::worker_link::state::up ||
                link.now == process::worker_link::state::starting) &&
               !link.exit && !link.results_ended && !link.corrupt && !link.terminating && !link.stalled &&
               !is_done_with(link);
    }
    /// Whether a worker has got all that it gets in its life.
    bool is_done_with(const process::worker_link& link) const noexcept {
        return link.taken >= max_elements_ || link.box().overgrown.load(std::memory_order_acquire) != 0;
    }

private:
    static void count(remote_job& job, const block& elements) noexcept {
        job.ready_elements += elements.count;
        job.ready_bytes += elements.weight();
    }

    static bool has_started(const process::worker_link& link) noexcept {
        return link.box().ready.load(std::memory_order_acquire) != 0;
    }

    process::worker_link* least_loaded() {
        process::worker_link* best = nullptr;
        for (process::worker_link& link : workers_.links()) {
            if (!can_work(link)) continue;
            if (!best || link.work().elements() < best->work().elements() ||
                (link.work().elements() == best->work().elements() && !has_started(*best) &&
                 has_started(link)))
                best = &link;
        }
        return best;
    }

    /// How many elements of `job`, `most` at the most, to give to `link` now.
    std::uint64_t room(const process::worker_link& link, const remote_job& job,
                       std::uint64_t most) const noexcept {
        const std::uint64_t may_take = max_elements_ - link.taken;
        return std::min(elements_to_give(job, workers_.links().size(), link.work().elements(),
                                         link.work().bytes(), may_take),
                        most);
    }

    static block take_ready(remote_job& job, std::uint64_t count) {
        block& front = job.ready.front();
        block elements;
        if (count >= front.count) {
            elements = std::move(front);
            job.ready.pop_front();
        } else {
            elements = front.take_front(count);
        }
        job.ready_elements -= elements.count;
        job.ready_bytes -= elements.weight();
        return elements;
    }

    void give(process::worker_link& link, const std::shared_ptr<remote_job>& job, block&& elements) {
        link.give(job, std::move(elements), elements_together(*job));
        schedule_check(link, *job);
        if (std::find(touched_.begin(), touched_.end(), &link) == touched_.end()) touched_.push_back(&link);
    }

    process::worker_processes& workers_;
    const std::uint64_t max_elements_;
    std::deque<std::shared_ptr<remote_job>> queue_;  // those with elements ready
    std::vector<process::worker_link*> touched_;     // with something new to send
};
using dispatcher = basic_dispatcher<>;

}  // namespace procpool::detail::scheduler

#endif
