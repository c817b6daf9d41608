// SPDX-License-Identifier: MIT
// How events become a timeline.
#ifndef PROCPOOL_DETAIL_JOB_TRACE_IMPL_HPP
#define PROCPOOL_DETAIL_JOB_TRACE_IMPL_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/trace_file.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/statistics_impl.hpp"
#include "procpool/observer.hpp"
#include "procpool/trace.hpp"

namespace procpool::inline v0_1 {

namespace detail::job {

/// Several pools may tell at once.
class trace_file_of_pools : public trace_file {
public:
    using trace_file::trace_file;
    mutex lock;

    /// What is known of a worker's place.
    struct place {
        std::uint64_t elements = 0;  // that it has got and not ended
        std::uint64_t lives = 0;
    };
    struct pool_state {
        std::map<std::uint32_t, place> places;
        std::uint64_t waiting = 0;  // elements that no worker has
        std::uint64_t deaths = 0;
        clock::time_point counted = {};
    };
    std::map<std::uint64_t, pool_state> pools;

    static std::uint64_t track_of(std::uint32_t worker) noexcept { return std::uint64_t{worker} + 1; }
    place& place_of(std::uint64_t pool, std::uint32_t worker) {
        const auto [at, is_new] = pools[pool].places.try_emplace(worker);
        if (is_new)
            add(std::move(trace_event("M", "thread_name", pool, track_of(worker))
                              .arguments()
                              .string("name", "worker " + std::to_string(worker))));
        return at->second;
    }

    /// The lengths of queues; not more often than it can be seen.
    void count(std::uint64_t pool, clock::time_point when) {
        constexpr std::chrono::milliseconds visible{1};
        pool_state& state = pools[pool];
        if (when - state.counted < visible) return;
        state.counted = when;
        std::uint64_t in_workers = 0, working = 0;
        for (const auto& [index, one] : state.places) {
            in_workers += one.elements;
            working += one.elements > 0 ? 1 : 0;
        }
        add(std::move(trace_event("C", "queue", pool, 0)
                          .time("ts", since(when))
                          .arguments()
                          .number("waiting", state.waiting)
                          .number("in workers", in_workers)));
        add(std::move(trace_event("C", "workers", pool, 0)
                          .time("ts", since(when))
                          .arguments()
                          .number("working", working)
                          .number("waiting", state.places.size() - working)));
    }
};

inline trace_file_of_pools& of_pools(const std::shared_ptr<trace_file>& file) noexcept {
    return static_cast<trace_file_of_pools&>(*file);
}

}  // namespace detail::job

PROCPOOL_COMPILED_APART Trace::Trace(const std::string& path, const TraceOptions& options)
    : file_(std::make_shared<detail::job::trace_file_of_pools>(path, options.most_bytes)) {}

PROCPOOL_COMPILED_APART Trace::~Trace() {
    try {
        file_->end();
    } catch (const std::exception&) {  // the array stays open, which viewers take
    }
}

PROCPOOL_COMPILED_APART void Trace::call_begins(const CallInfo& call) {
    using detail::job::trace_event;
    auto& file = detail::job::of_pools(file_);
    const detail::mutex_guard lock(file.lock);
    trace_event begin("b", call.name.empty() ? "call" : call.name, call.pool, 0);
    begin.string("cat", "call").number("id", call.id).time("ts", file.since(call.begun)).arguments();
    if (call.elements) begin.number("elements", *call.elements);
    file.add(std::move(begin));
    file.flush(true);
}

PROCPOOL_COMPILED_APART void Trace::elements_given(const CallInfo& call, const ElementsGiven& some) {
    auto& file = detail::job::of_pools(file_);
    const detail::mutex_guard lock(file.lock);
    file.place_of(call.pool, some.worker).elements = some.in_worker;
    file.pools[call.pool].waiting = some.waiting;
    file.count(call.pool, some.when);
}

PROCPOOL_COMPILED_APART void Trace::elements_end(const CallInfo& call, std::span<const ElementEnd> some) {
    using detail::job::trace_event;
    auto& file = detail::job::of_pools(file_);
    const detail::mutex_guard lock(file.lock);
    const std::string& name = call.name.empty() ? "element" : call.name;
    for (const ElementEnd& one : some) {
        trace_event event(one.worker ? "X" : "i", name, call.pool,
                          one.worker ? file.track_of(*one.worker) : 0);
        event.string("cat", one.worker ? "element" : "unrun").time("ts", file.since(one.begun));
        if (one.worker) {
            auto& place = file.place_of(call.pool, *one.worker);
            if (place.elements > 0) --place.elements;
            event.time("dur", one.run_time());
        }
        event.arguments().number("call", call.id).number("index", one.index);
        if (!one.arguments.empty()) event.string("arguments", one.arguments);
        if (one.outcome != element_outcome::returned)
            event.string("outcome", std::string(detail::text_of(one.outcome)) +
                                        (one.runs_again ? ", and it runs again" : ""));
        if (one.attempt > 1) event.number("attempt", one.attempt);
        file.add(std::move(event));
    }
    if (!some.empty()) file.count(call.pool, some.back().ended);
    file.flush(false);
}

PROCPOOL_COMPILED_APART void Trace::call_ends(const CallInfo& call, const CallEnd& end) {
    using detail::job::trace_event;
    auto& file = detail::job::of_pools(file_);
    const detail::mutex_guard lock(file.lock);
    file.pools[call.pool].waiting = 0;
    file.add(std::move(trace_event("e", call.name.empty() ? "call" : call.name, call.pool, 0)
                           .string("cat", "call")
                           .number("id", call.id)
                           .time("ts", file.since(end.ended))
                           .arguments()
                           .number("succeeded", end.succeeded)
                           .number("failed", end.failed)));
    file.count(call.pool, end.ended);
    file.flush(true);
}

PROCPOOL_COMPILED_APART void Trace::worker_starts(const WorkerStart& start) {
    using detail::job::trace_event;
    auto& file = detail::job::of_pools(file_);
    const detail::mutex_guard lock(file.lock);
    auto& place = file.place_of(start.pool, start.index);
    place.elements = 0;
    file.add(std::move(trace_event("X", place.lives++ == 0 ? "starts" : "starts again", start.pool,
                                   file.track_of(start.index))
                           .string("cat", "start")
                           .time("ts", file.since(start.asked))
                           .time("dur", start.began - start.asked)
                           .arguments()
                           .number("process", static_cast<std::uint64_t>(start.pid))));
    file.flush(true);
}

PROCPOOL_COMPILED_APART void Trace::worker_ends(const WorkerEnd& end) {
    using detail::job::trace_event;
    auto& file = detail::job::of_pools(file_);
    const detail::mutex_guard lock(file.lock);
    auto& place = file.place_of(end.pool, end.index);
    place.elements = 0;
    const bool died = end.reason == worker_end::died || end.reason == worker_end::ended;
    const char* const what = end.reason == worker_end::died    ? "died"
                             : end.reason == worker_end::ended ? "was ended"
                                                               : "left";
    file.add(std::move(
        trace_event("i", end.how.empty() ? what : what + (": " + end.how), end.pool, file.track_of(end.index))
            .string("cat", died ? "death" : "end")
            .string("s", "t")
            .time("ts", file.since(end.ended))
            .arguments()
            .number("process", static_cast<std::uint64_t>(end.pid))
            .number("peak memory", end.peak_memory)));
    if (died)
        file.add(std::move(trace_event("C", "deaths", end.pool, 0)
                               .time("ts", file.since(end.ended))
                               .arguments()
                               .number("deaths", ++file.pools[end.pool].deaths)));
    file.flush(true);
}

}  // namespace procpool::inline v0_1

#endif
