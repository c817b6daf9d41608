// SPDX-License-Identifier: MIT
// Jobs about the life of pools: made and ended while others work, in them or elsewhere.
#include <unistd.h>

#include <exception>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "calls.hpp"
#include "payloads.hpp"

namespace chaos {

namespace {

void call_something(job_context& job) {
    switch (job.random.below(6)) {
        case 0: return run_map(job);
        case 1: return run_imap(job);
        case 2: return run_apply(job);
        case 3: return run_map_of_texts(job);
        case 4: return run_imap_of_texts(job);
        default: return run_starmap(job);
    }
}

enum class ending { close, close_and_join, terminate, terminate_and_join, none };

void end(tested_pool& pool, ending how) {
    if (how == ending::close || how == ending::close_and_join) pool.close();
    if (how == ending::terminate || how == ending::terminate_and_join) pool.terminate();
    if (how == ending::close_and_join || how == ending::terminate_and_join) pool->join();
}

/// A thread that does something to the pool after a while.
class disturbance {
public:
    template <class Deed>
    disturbance(std::size_t microseconds, Deed deed)
        : thread_([this, microseconds, deed] {
              try {
                  ::usleep(static_cast<useconds_t>(microseconds));
                  deed();
              } catch (...) {
                  failure_ = std::current_exception();
              }
          }) {}
    ~disturbance() {
        if (thread_.joinable()) thread_.join();
    }
    /// @throws wrong if it could not be done
    void finish() {
        thread_.join();
        if (failure_) throw wrong("a pool can't be ended: " + describe(failure_));
    }

private:
    std::exception_ptr failure_;
    std::thread thread_;
};

}  // namespace

void run_replacement(job_context& job) {
    const auto how = job.random.pick(
        {ending::close, ending::close_and_join, ending::terminate, ending::terminate_and_join, ending::none});
    const auto slot = static_cast<std::size_t>(job.random.below(job.slots->size()));
    const auto plan = draw_pool(job.random, 2 * job.number + 1);
    ++job.counts.pools;
    if (const auto old = job.slots->replace(slot, std::make_shared<tested_pool>(plan))) end(*old, how);
}

void run_end_in_the_midst(job_context& job) {
    const auto how = job.random.pick(
        {ending::close, ending::close_and_join, ending::terminate, ending::terminate_and_join});
    const std::size_t first = job.random.size(20'000), second = job.random.size(20'000);
    const bool twice = job.random.chance(30);
    disturbance ends(first, [&pool = job.pool, how] { end(pool, how); });
    if (!twice) {
        call_something(job);
        return ends.finish();
    }
    disturbance ends_again(second, [&pool = job.pool] { end(pool, ending::terminate_and_join); });
    call_something(job);
    ends.finish();
    ends_again.finish();
}

void run_orphaned_handles(job_context& job) {
    book of = draw_book(job, {}, 60);
    using handle = procpool::AsyncResult<numbers::result>;
    std::vector<handle> handles;
    std::vector<std::optional<callback_watch>> watches(of.size());
    for (std::size_t i = 0; i < of.size(); ++i) {
        handles.push_back(job.pool->apply_async(&numbers::task, of.scripts()[i]));
        if (job.random.chance(50)) watches[i].emplace(job).attach(handles.back());
    }
    ::usleep(static_cast<useconds_t>(job.random.size(5000)));
    job.pool.destroy();
    for (std::size_t i = 0; i < of.size(); ++i)
        of.settle_alone(i, [&] {
            const bool has_value = handles[i].successful();  // throws if it isn't ready
            if (watches[i]) watches[i]->check(has_value, false, job.counts);
            of.value(i, numbers::is_right(of.scripts()[i], handles[i].get()));
        });
    of.settle(job.counts);
}

void run_doomed(job_context& job) { call_something(job); }

}  // namespace chaos
