// SPDX-License-Identifier: MIT
// Queues, locks and all else that processes share.
#include <unistd.h>

#include <array>
#include <chrono>
#include <mutex>
#include <numeric>
#include <string>
#include <vector>

#include "feature.hpp"
#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "procpool/queue.hpp"
#include "procpool/sync.hpp"
#include "procpool/value.hpp"

namespace faults {
namespace features_of_sync {
namespace {

namespace mp = procpool;
using mp::start_method;
using namespace std::chrono_literals;

// Who waits for somebody who may have ended by the fault waits no longer.
constexpr auto patience = 2s;

struct shared_objects {
    mp::Lock lock;
    mp::RLock again;
    mp::Semaphore permits{1};
    mp::BoundedSemaphore bounded{2};
    mp::Condition changed;
    mp::Event begin;
    mp::Value<long> value{0};

    template <class Archive>
    void serialize(Archive& archive) {
        archive(lock, again, permits, bounded, changed, begin, value);
    }
};

void count(const shared_objects& all, int) {
    if (!all.begin.wait(patience)) throw mp::Error("procpool: nobody has set the event");
    {
        const std::lock_guard first(all.lock);
        const std::lock_guard second(all.again);
        const std::lock_guard third(all.again);
        if (!all.permits.acquire(patience)) throw mp::Error("procpool: no permit came");
        if (!all.bounded.acquire(patience)) throw mp::Error("procpool: no permit came");
        all.bounded.release();
        all.permits.release();
    }
    const std::unique_lock lock(all.changed);
    all.value.update([](long& n) { ++n; });
    all.changed.notify_all();
}

template <start_method How>
void sync_objects() {
    const shared_objects all;
    mp::Pool pool({.processes = 2, .start_method = How});
    auto calls = pool.map_async(mp::partial(count, all), std::vector{1, 2, 3, 4}, {.chunksize = 1});
    all.begin.set();
    attempts attempt;
    attempt([&] { calls.get(); });
    attempt([&] {
        const std::unique_lock lock(all.changed);
        const bool all_counted = all.changed.wait([&] { return all.value.value() == 4; }, patience);
        if (calls.successful()) expect(all_counted, "counted by all");
    });
    attempt.finish();
}

void barrier() {
    const mp::Barrier barrier(3);
    mp::Pool pool({.processes = 2, .start_method = start_method::fork});
    auto calls = pool.map_async([](const mp::Barrier& mine) { return mine.wait(patience); },
                                std::vector{barrier, barrier}, {.chunksize = 1});
    attempts attempt;
    attempt([&] { (void)barrier.wait(patience); });
    attempt([&] { calls.get(); });
    attempt.finish();
}

void take_and_put(const mp::Queue<std::string>& in, const mp::Queue<std::string>& out) {
    for (;;) {
        const std::string word = in.get(patience);
        if (word.empty()) return;
        out.put(word + word, patience);
    }
}

template <start_method How>
void queue() {
    const mp::Queue<std::string> in(4);
    const mp::Queue<std::string> out;
    mp::Pool pool({.processes = 1, .start_method = How});
    auto call = pool.apply_async(take_and_put, in, out);
    attempts attempt;
    int put = 0;
    attempt([&] {
        for (; put < 10; ++put) in.put(std::string(static_cast<std::size_t>(put + 1) * 1000, 'x'), patience);
    });
    attempt([&] { in.put("", patience); });
    attempt([&] { call.get(); });
    attempt([&] {
        for (int i = 0; i < put; ++i)
            expect(out.get(patience).size() == static_cast<std::size_t>(i + 1) * 2000, "an item");
    });
    attempt([&] {
        mp::JoinableQueue<int> tasks;
        tasks.put(1);
        (void)tasks.get();
        tasks.task_done();
        tasks.join();
    });
    attempt.finish();
}

constexpr std::array features{feature{"sync_objects", sync_objects<start_method::fork>},
                              feature{"sync_objects_spawn", sync_objects<start_method::spawn>},
                              feature{"barrier", barrier}, feature{"queue", queue<start_method::fork>},
                              feature{"queue_spawn", queue<start_method::spawn>}};

}  // namespace
}  // namespace features_of_sync

std::span<const feature> sync_features() { return features_of_sync::features; }

}  // namespace faults
