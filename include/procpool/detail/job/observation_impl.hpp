// SPDX-License-Identifier: MIT
// How events become calls of observers' functions.
#ifndef PROCPOOL_DETAIL_JOB_OBSERVATION_IMPL_HPP
#define PROCPOOL_DETAIL_JOB_OBSERVATION_IMPL_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/callback_runner.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/job/observation.hpp"
#include "procpool/detail/job/observed_call.hpp"
#include "procpool/detail/job/pool_lock.hpp"
#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/job/statistics_keeper.hpp"
#include "procpool/detail/job/unlocked.hpp"
#include "procpool/observer.hpp"
#include "procpool/statistics.hpp"

namespace procpool::inline v0_1::detail::job {

/// Of pools and of calls that are observed, in this program.
inline std::uint64_t next_observed_number() noexcept {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

/// Room for so many more. @throws std::bad_alloc
template <class Record>
void make_room(std::vector<Record>& records, std::size_t more) {
    if (records.capacity() - records.size() >= more) return;
    records.reserve(std::max(records.size() + more, 2 * records.capacity()));
}

PROCPOOL_COMPILED_APART observation::observation() : pool_(next_observed_number()) {}

PROCPOOL_COMPILED_APART void observation::events::clear() noexcept {
    order.clear();
    given.clear();
    begins.clear();
    ends.clear();
    call_ends.clear();
    worker_starts.clear();
    worker_ends.clear();
}

PROCPOOL_COMPILED_APART void observation::add(std::shared_ptr<Observer> one) {
    const auto is_it = [&](const auto& seat) { return seat->who == one; };
    if (std::any_of(seats_.begin(), seats_.end(), is_it)) return;
    seats_.push_back(std::make_shared<observer_seat>(std::move(one)));
}

PROCPOOL_COMPILED_APART void observation::keep_statistics(std::size_t workers) {
    keeper_ = std::make_shared<statistics_keeper>(workers);
    add(keeper_);
}

PROCPOOL_COMPILED_APART void observation::add_statistics(Statistics& to) const {
    if (!keeper_) return;
    to.slowest = keeper_->slowest();
    const std::vector<Statistics::Worker> told = keeper_->workers();
    // Large results aren't among what came through pipes.
    for (std::size_t i = 0; i < std::min(told.size(), to.workers.size()); ++i)
        to.workers[i].bytes_received = std::max(to.workers[i].bytes_received, told[i].bytes_received);
}

PROCPOOL_COMPILED_APART void observation::begin(basic_job& job) {
    if (is_told_here()) {
        job.observed.reset();
        return;
    }
    if (!job.observed) job.observed = std::make_shared<observed_call>();
    observed_call& call = *job.observed;
    for (const auto& seat : seats_)
        if (!seat->dropped) call.told.push_back(seat);
    for (const auto& one : call.own) {
        const auto is_it = [&](const auto& seat) { return seat->who == one; };
        if (std::none_of(call.told.begin(), call.told.end(), is_it))
            call.told.push_back(std::make_shared<observer_seat>(one));
    }
    if (call.told.empty()) {
        job.observed.reset();
        return;
    }
    make_room(next_.order, 1);
    job.add_callback([] {});  // so it isn't done before observers were told of its end
    if (!call.own.empty()) with_own_.push_back(job.observed);
    call.by = this;
    call.info.pool = pool_;
    call.info.id = next_observed_number();
    if (job.announced != basic_job::unknown) call.info.elements = job.announced;
    call.info.begun = std::chrono::steady_clock::now();
    count(kind::call_begins, job.observed, 1);
}

PROCPOOL_COMPILED_APART void begin_call(runner& pool, basic_job& job) {
    if (!pool.observed()) pool.observe(std::make_shared<observation>());
    pool.observed()->begin(job);
}

PROCPOOL_COMPILED_APART void observation::end(basic_job& job) noexcept {
    const std::shared_ptr<observed_call>& call = job.observed;
    if (!call->goes_on()) return;
    call->by = nullptr;
    if (!call->own.empty()) std::erase(with_own_, call);
    try {
        make_room(next_.order, 1);
        next_.call_ends.push_back({.succeeded = call->succeeded,
                                   .failed = call->failed,
                                   .error = job.failure(),
                                   .ended = std::chrono::steady_clock::now()});
        count(kind::call_ends, call, 1);
    } catch (const std::bad_alloc&) {
    }
}

PROCPOOL_COMPILED_APART void observation::note(const std::shared_ptr<observed_call>& call,
                                               const ElementsGiven& some) noexcept try {
    make_room(next_.order, 1);
    next_.given.push_back(some);
    count(kind::given, call, 1);
} catch (const std::bad_alloc&) {
}

PROCPOOL_COMPILED_APART void observation::note(const std::shared_ptr<observed_call>& call,
                                               const ElementBegin& one) noexcept try {
    make_room(next_.order, 1);
    next_.begins.push_back(one);
    count(kind::begins, call, 1);
} catch (const std::bad_alloc&) {
}

PROCPOOL_COMPILED_APART void observation::note(WorkerStart start) noexcept try {
    start.pool = pool_;
    make_room(next_.order, 1);
    next_.worker_starts.push_back({std::move(start), of_workers()});
    count(kind::worker_starts, nullptr, 1);
} catch (const std::bad_alloc&) {
}

PROCPOOL_COMPILED_APART void observation::note(WorkerEnd end) noexcept try {
    end.pool = pool_;
    make_room(next_.order, 1);
    next_.worker_ends.push_back({std::move(end), of_workers()});
    count(kind::worker_ends, nullptr, 1);
} catch (const std::bad_alloc&) {
}

/// There is room for one more event.
PROCPOOL_COMPILED_APART void observation::count(kind what, const std::shared_ptr<observed_call>& call,
                                                std::size_t records) noexcept {
    if (!next_.order.empty() && next_.order.back().what == what && call && next_.order.back().call == call)
        next_.order.back().count += records;
    else
        next_.order.push_back({what, call, records});
}

PROCPOOL_COMPILED_APART observer_seats observation::of_workers() const {
    observer_seats all = seats_;
    for (const auto& call : with_own_)
        for (const auto& seat : call->told)
            if (std::find(all.begin(), all.end(), seat) == all.end()) all.push_back(seat);
    return all;
}

PROCPOOL_COMPILED_APART observation::ends::ends(const std::shared_ptr<observed_call>& call,
                                                std::size_t elements) noexcept
    : call_(call), to_(call->by) {
    if (!to_) return;
    try {
        make_room(to_->next_.order, 2);
        make_room(to_->next_.begins, elements);
        make_room(to_->next_.ends, elements);
        text_from_ = call->text_from();
    } catch (const std::bad_alloc&) {
        to_ = nullptr;
    }
}

PROCPOOL_COMPILED_APART observation::ends::~ends() {
    if (!to_) return;
    std::vector<event>& order = to_->next_.order;
    const std::size_t size = order.size();
    // Batches that follow each other become one.
    if (begun_ > 0 && size >= 2 && order[size - 1].what == kind::ends && order[size - 1].call == call_ &&
        order[size - 2].what == kind::begins && order[size - 2].call == call_) {
        order[size - 2].count += begun_;
    } else if (begun_ > 0) {
        to_->count(kind::begins, call_, begun_);
    }
    if (ended_ > 0) to_->count(kind::ends, call_, ended_);
}

PROCPOOL_COMPILED_APART void observation::tell(pool_lock& held, const callback_runner& runner) {
    if (!has_events()) return;
    telling_ = true;
    teller_ = std::this_thread::get_id();
    while (!next_.order.empty()) {
        std::swap(next_, now_);
        {
            const unlocked meanwhile(held);
            tell_all(now_, runner);
            now_.clear();  // may be the end of observers
        }
        teller_waits_ = false;
        std::erase_if(seats_, [](const auto& seat) { return seat->dropped.load(); });
    }
    telling_ = false;
}

PROCPOOL_COMPILED_APART void observation::tell_all(const events& some,
                                                   const callback_runner& runner) noexcept {
    std::size_t given = 0, begins = 0, ends = 0, call_ends = 0, worker_starts = 0, worker_ends = 0;
    const auto each = [&](const observer_seats& seats, auto tell_one) {
        for (const auto& seat : seats)
            if (!seat->dropped && !runner.run([&] { tell_one(*seat->who); }, "an observer"))
                seat->dropped = true;
    };
    for (const event& next : some.order) {
        const observed_call* const call = next.call.get();
        switch (next.what) {
            case kind::call_begins:
                each(call->told, [&](Observer& one) { one.call_begins(call->info); });
                break;
            case kind::given:
                for (std::size_t i = 0; i < next.count; ++i, ++given)
                    each(call->told,
                         [&](Observer& one) { one.elements_given(call->info, some.given[given]); });
                break;
            case kind::begins: {
                const std::span batch(some.begins.data() + begins, next.count);
                begins += next.count;
                each(call->told, [&](Observer& one) { one.elements_begin(call->info, batch); });
                break;
            }
            case kind::ends: {
                const std::span batch(some.ends.data() + ends, next.count);
                ends += next.count;
                each(call->told, [&](Observer& one) { one.elements_end(call->info, batch); });
                break;
            }
            case kind::call_ends: {
                const CallEnd& end = some.call_ends[call_ends++];
                each(call->told, [&](Observer& one) { one.call_ends(call->info, end); });
                break;
            }
            case kind::worker_starts: {
                const auto& start = some.worker_starts[worker_starts++];
                each(start.told, [&](Observer& one) { one.worker_starts(start.record); });
                break;
            }
            case kind::worker_ends: {
                const auto& end = some.worker_ends[worker_ends++];
                each(end.told, [&](Observer& one) { one.worker_ends(end.record); });
                break;
            }
        }
    }
}

}  // namespace procpool::inline v0_1::detail::job

#endif
