// SPDX-License-Identifier: MIT
// Elements that wait for memory: with a pretended source of it, and in a control group with a limit.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "procpool/detail/scheduler/delayed_tries.hpp"
#include "procpool/detail/scheduler/dispatcher.hpp"
#include "procpool/detail/scheduler/memory_admission.hpp"
#include "procpool/detail/scheduler/recovery.hpp"
#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "simulation/job.hpp"
#include "simulation/peer.hpp"
#include "support/message_of.hpp"
#include "support/processes.hpp"
#include "support/sanitizers.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace memory_admission_test {

namespace mp = procpool;
namespace scheduler = procpool::detail::scheduler;
using simulation::simulated_job;
using simulation::simulated_peer;

// ---- with a pretended source

class pretended_group final : public scheduler::peer_group {
public:
    explicit pretended_group(std::size_t count) : all(count) {
        long pid = 100;
        for (auto& one : all) {
            one.connect();
            one.tell_start();
            one.words().ready.store(1);
            one.has_memory = {.pid = ++pid, .now = 10, .peak = 10};
            add(one);
        }
    }
    void send(scheduler::peer& to) override { static_cast<simulated_peer&>(to).transfer(1000); }
    void end(scheduler::peer&, ending) override {}
    void forget(const scheduler::remote_job&, bool) override {}
    scheduler::death examine(scheduler::peer&, const scheduler::runs_in_flight::running&,
                             const scheduler::block&) override {
        return {"died", std::make_exception_ptr(std::runtime_error("died")), true, 500};
    }
    std::vector<simulated_peer> all;
};

class Admission : public testing::Test {
protected:
    Admission() { dispatcher.use(memory); }

    std::shared_ptr<simulated_job> make_job(scheduler::task_timing& of) {
        auto made = std::make_shared<simulated_job>(0, 1, false);
        made->id = ++last_id;
        made->timing = &of;
        made->elements.resize(100);
        return made;
    }
    void submit(const std::shared_ptr<simulated_job>& of, std::uint64_t count) {
        scheduler::block made{.first = of->submitted(), .count = count, .stride = 8, .bytes = {}, .pins = {}};
        for (std::uint64_t i = 0; i < count; ++i) made.bytes.append_value(of->number(made.first + i));
        of->add_submitted(count);
        dispatcher.add(of, std::move(made));
        dispatch();
    }
    void dispatch() {
        pass(std::chrono::milliseconds(20));  // what is free isn't looked at all the time
        memory.begin_step();
        dispatcher.dispatch();
    }
    std::uint64_t running() const {
        std::uint64_t all = 0;
        for (const auto& one : group.all) all += one.work().elements();
        return all;
    }
    /// It runs its next element to the end, and has such a peak meanwhile.
    void finish_one(simulated_peer& one, std::uint64_t peak) {
        one.has_memory->peak = std::max(one.has_memory->peak, peak);
        one.begin_next(clock.now());
        ASSERT_TRUE(one.is_running());
        one.end_element(false, clock.now());
        one.send_results();
        std::vector<scheduler::delivery> into;
        one.collect(into);
        memory.note_results(one);
    }
    void pass(std::chrono::milliseconds time) { clock.advance_to(clock.now() + time); }

    pretended_group group{4};
    simulation::simulated_clock clock;
    std::uint64_t available = 1'000'000;
    scheduler::memory_admission memory{
        group, clock, {.bytes = 100, .available = [this] { return available; }}};
    scheduler::supervisor supervisor{group, clock, std::chrono::milliseconds(10)};
    scheduler::dispatcher dispatcher{group, supervisor, ~std::uint64_t{0}, nullptr};
    scheduler::task_timing timing;
    std::uint64_t last_id = 0;
};

TEST_F(Admission, of_a_function_that_nobody_knows_begins_with_one) {
    const auto job = make_job(timing);
    submit(job, 20);
    EXPECT_EQ(running(), 1u);
    finish_one(group.all[0], 110);
    EXPECT_EQ(timing.peak(), 100u);
    dispatch();
    EXPECT_EQ(running(), 4u);
}

TEST_F(Admission, lets_as_many_run_as_leave_the_reserve) {
    timing.note_peak(100);
    const auto job = make_job(timing);
    available = 399;  // what two take, the reserve, and nearly as much as another one takes
    submit(job, 20);
    EXPECT_EQ(running(), 2u);
    EXPECT_GT(memory.due(), clock.now());
    EXPECT_LT(memory.due(), procpool::detail::steady_time::max());
    available = 400;
    dispatch();
    EXPECT_EQ(running(), 3u);
    // What one has taken isn't there any more, and isn't expected, either.
    group.all[0].has_memory->now = 110;
    available = 399;
    dispatch();
    EXPECT_EQ(running(), 3u);
    available = 400;
    dispatch();
    EXPECT_EQ(running(), 4u);
}

TEST_F(Admission, always_lets_one_run) {
    timing.note_peak(100);
    available = 0;
    const auto job = make_job(timing);
    submit(job, 3);
    for (int left = 3; left > 0; --left) {
        EXPECT_EQ(running(), 1u);
        for (auto& one : group.all)
            if (one.work().elements() > 0) {
                finish_one(one, 50);
                break;
            }
        dispatch();
    }
    EXPECT_EQ(running(), 0u);
}

TEST_F(Admission, sends_ahead_only_while_there_is_plenty) {
    timing.note_peak(100);
    timing.add(1000, 1);
    const auto job = make_job(timing);
    available = 400;
    submit(job, 90);
    EXPECT_EQ(running(), 3u);
    available = 10'000;
    pass(std::chrono::milliseconds(20));
    dispatch();
    EXPECT_GT(running(), 10u);
    EXPECT_FALSE(memory.is_to_be_taken_back());
    available = 400;
    EXPECT_FALSE(memory.is_to_be_taken_back());  // it is not read all the time
    pass(std::chrono::milliseconds(20));
    EXPECT_TRUE(memory.is_to_be_taken_back());
    EXPECT_FALSE(memory.is_to_be_taken_back());
}

TEST_F(Admission, keeps_functions_apart_so_that_each_has_its_own_peak) {
    scheduler::task_timing other;
    const auto small = make_job(timing), large = make_job(other);
    submit(small, 1);
    submit(large, 1);
    EXPECT_EQ(running(), 2u);
    finish_one(group.all[0], 20);
    finish_one(group.all[1], 510);
    EXPECT_EQ(timing.peak(), 10u);
    EXPECT_EQ(other.peak(), 500u);
}

TEST_F(Admission, runs_what_memory_was_short_for_again_alone_and_once) {
    timing.note_peak(10);
    scheduler::delayed_tries again{dispatcher, clock};
    scheduler::recovery recovery{group, dispatcher, again, nullptr};
    recovery.use(memory);
    const auto job = make_job(timing);
    submit(job, 4);
    ASSERT_EQ(running(), 4u);
    for (auto& one : group.all) one.begin_next(clock.now());
    std::vector<scheduler::delivery> errors;
    const auto die = [&](simulated_peer& one) {
        one.die();
        recovery.recover(one, errors);
        const auto index = one.index;
        one.leave();
        one.connect();
        one.index = index;
        one.tell_start();
        one.words().ready.store(1);
    };
    die(group.all[0]);
    EXPECT_TRUE(errors.empty());
    EXPECT_EQ(timing.peak(), 490u);
    submit(job, 4);  // which are many
    EXPECT_EQ(running(), 3u);
    for (std::size_t i = 1; i < 4; ++i) {
        auto& one = group.all[i];
        one.end_element(false, clock.now());
        one.send_results();
        std::vector<scheduler::delivery> into;
        one.collect(into);
        dispatch();
    }
    EXPECT_EQ(running(), 1u);
    dispatch();
    EXPECT_EQ(running(), 1u);
    for (auto& one : group.all)
        if (one.work().elements() > 0) {
            one.begin_next(clock.now());
            die(one);
            break;
        }
    EXPECT_EQ(errors.size(), 1u);  // not again
    dispatch();
    EXPECT_GE(running(), 1u);
}

// ---- in a control group

/// A control group below that of this process, with a limit of memory.
class control_group {
public:
    explicit control_group(std::uint64_t bytes) {
        std::ifstream own("/proc/self/cgroup");
        for (std::string line; std::getline(own, line) && !*this;) {
            const auto first = line.find(':'), second = line.find(':', first + 1);
            if (second == std::string::npos) continue;
            const std::string controllers = line.substr(first + 1, second - first - 1);
            const std::string name = line.substr(second + 1) + "/procpool_test_" + std::to_string(::getpid());
            if (controllers == "memory")
                make("/sys/fs/cgroup/memory" + name, "memory.limit_in_bytes", bytes);
            else if (controllers.empty())
                make("/sys/fs/cgroup" + name, "memory.max", bytes);
        }
    }
    control_group(const control_group&) = delete;
    control_group& operator=(const control_group&) = delete;
    ~control_group() {
        if (!*this) return;
        EXPECT_TRUE(test::eventually([&] { return ::rmdir(folder_.c_str()) == 0; }));
    }
    explicit operator bool() const noexcept { return !folder_.empty(); }
    bool enter() const {
        std::ofstream file(folder_ + "/cgroup.procs");
        file << ::getpid() << std::flush;
        return file.good();
    }

private:
    void make(const std::string& folder, const char* limit, std::uint64_t bytes) {
        std::error_code problem;
        if (!std::filesystem::create_directory(folder, problem)) return;
        std::ofstream file(folder + "/" + limit);
        file << bytes << std::flush;
        if (file.good())
            folder_ = folder;
        else
            std::filesystem::remove(folder, problem);
    }
    std::string folder_;
};

constexpr std::size_t mib = std::size_t{1} << 20;

/// Takes memory for a moment.
std::size_t take(std::size_t bytes) {
    void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    std::memset(at, 1, bytes);
    ::usleep(3000);
    ::munmap(at, bytes);
    return bytes;
}

/// Runs `program` in a control group.
template <class Program>
void run_with_limit(std::size_t limit, Program program) {
    if (test::address_sanitizer || test::thread_sanitizer) GTEST_SKIP() << "a sanitizer takes memory itself";
    const control_group group(limit);
    if (!group) GTEST_SKIP() << "no control group can be made here";
    test::child_program child([&] { return group.enter() ? program() : 77; });
    const test::child_end end = child.wait();
    EXPECT_EQ(end.exit_code, 0) << end.signal << " " << end.errors;
}

TEST(MemoryReserve, lets_a_batch_finish_whose_elements_dont_fit_all_at_once) {
    run_with_limit(56 * mib, [] {
        mp::Pool pool({.processes = 4, .memory = {.reserve = 8 * mib}});
        const auto all = pool.map(take, std::vector<std::size_t>(24, 14 * mib), {.chunksize = 1});
        return all == std::vector<std::size_t>(24, 14 * mib) ? 0 : 1;
    });
}

TEST(MemoryReserve, lets_those_finish_that_were_killed_together) {
    run_with_limit(56 * mib, [] {
        mp::Pool pool({.processes = 4, .memory = {.reserve = mib}});
        std::vector<std::size_t> sizes(13, 20 * mib);
        sizes[0] = 4096;  // which promises too much
        return pool.map(take, sizes, {.chunksize = 1}) == sizes ? 0 : 1;
    });
}

TEST(MemoryReserve, lets_an_element_fail_that_is_too_large_alone) {
    run_with_limit(48 * mib, [] {
        mp::Pool pool({.processes = 2, .memory = {.reserve = mib}});
        const std::vector<std::size_t> sizes{4096, 100 * mib, 4096, 8192};
        const auto all = pool.try_map(take, sizes, {.chunksize = 1});
        int good = 0;
        for (const auto& one : all) good += one.has_value();
        if (good != 3 || all[1].has_value()) return 1;
        try {
            all[1].value();
            return 2;
        } catch (const mp::WorkerDied& death) {
            return death.out_of_memory() ? 0 : 3;
        }
    });
}

TEST(MemoryReserve, is_refused_by_threads) {
    EXPECT_NE(test::message_of<std::invalid_argument>([] {
                  mp::ThreadPool({.memory = {.reserve = 1}});
              }).find("ThreadPool has no memory.reserve"),
              std::string::npos);
}

TEST(MemoryReserve, that_is_never_left_lets_one_run_at_a_time) {
    mp::Pool pool({.processes = 3, .memory = {.reserve = ~std::size_t{0} / 2}});
    const auto squares = pool.map([](int x) { return x * x; }, test::views::iota(0, 100));
    EXPECT_EQ(squares[99], 99 * 99);
    EXPECT_EQ(pool.apply([] { return 3; }), 3);
}

}  // namespace memory_admission_test
