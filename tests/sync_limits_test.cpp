// SPDX-License-Identifier: MIT
// Objects that processes share, where there is little of what they need: a clear error, and nobody is killed.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "procpool/pipe.hpp"
#include "procpool/pool.hpp"
#include "procpool/process.hpp"
#include "procpool/queue.hpp"
#include "procpool/shared_array.hpp"
#include "procpool/shared_memory.hpp"
#include "procpool/sync.hpp"
#include "procpool/value.hpp"
#include "support/handles.hpp"
#include "support/sanitizers.hpp"
#include "support/small_group.hpp"

namespace sync_limits_test {

namespace mp = procpool;
using namespace std::chrono_literals;
using test::passed;

void require(bool condition, const std::string& what) {
    if (!condition) throw std::runtime_error("not so: " + what);
}

/// The error with which `call` fails.
template <class Call>
std::error_code error_of(Call call, const std::string& part_of_text = "") {
    try {
        call();
    } catch (const std::system_error& error) {
        require(std::string(error.what()).find(part_of_text) != std::string::npos, error.what());
        return error.code();
    }
    return {};
}

template <class Program>
void expect_success(Program program) {
    test::child_program child([&] {
        program();
        return 0;
    });
    const test::child_end end = child.wait();
    EXPECT_EQ(end.exit_code, 0) << "signal " << end.signal << "; " << end.errors;
}

/// In this process, from now on. @return whether that many may be open
bool may_open(rlim_t files) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
    if (limit.rlim_cur >= files) return true;
    if (limit.rlim_max < files) return false;
    limit.rlim_cur = files;
    return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

// ---- locks that a thread may hold

constexpr std::size_t most_held = 2048;  // as the kernel has it

TEST(ManyLocks, of_a_killed_process_are_all_free_again) {
    if (!may_open(3000)) GTEST_SKIP() << "each lock takes a descriptor";
    const std::vector<mp::Lock> locks(most_held);
    const mp::Queue<int> queue;
    queue.put(1);
    const mp::Value<int> value(1);
    const mp::Event all_held;
    std::vector<test::message> sent;
    for (const mp::Lock& lock : locks) sent.push_back(test::encoded(lock));
    test::child_program holder(passed(
        [&](const mp::Event& told, const mp::Queue<int>& from, const mp::Value<int>& number) {
            std::vector<mp::Lock> mine;
            for (const test::message& one : sent) mine.push_back(test::decoded<mp::Lock>(one.bytes.bytes()));
            for (const mp::Lock& lock : mine) lock.acquire();
            const mp::RLock another;
            const std::errc refused = std::errc::no_lock_available;
            require(error_of([&] { another.acquire(); }, "2048") == refused, "no lock more");
            require(error_of([&] { (void)another.try_lock(); }) == refused, "nor one tried");
            require(error_of([&] { (void)number.value(); }) == refused, "nor that of a value");
            require(error_of([&] { (void)from.get(); }) == refused, "nor that of a queue");
            require(error_of([&] { mine[0].acquire(); }) == std::errc::resource_deadlock_would_occur,
                    "what it holds it holds");
            std::thread([&] { another.acquire(), another.release(); }).join();
            mine.back().release();
            another.acquire();
            require(another.try_lock(), "again");
            another.release();
            another.release();
            require(from.get() == 1, "the item is still there");
            mine.back().acquire();
            told.set();
            ::pause();
            return 0;
        },
        all_held, queue, value));
    ASSERT_TRUE(all_held.wait(test::patience)) << holder.wait().errors;
    holder.send(SIGKILL);
    holder.wait();
    for (const mp::Lock& lock : locks) EXPECT_THROW(lock.acquire(test::patience), mp::LockOwnerDied);
}

TEST(ManyLocks, that_the_parent_holds_are_none_of_a_childs) {
    if (!may_open(5000)) GTEST_SKIP() << "each lock takes a descriptor";
    const std::vector<mp::Lock> held(most_held);
    for (const mp::Lock& lock : held) lock.acquire();
    expect_success([] {
        const std::vector<mp::Lock> mine(most_held);
        for (const mp::Lock& lock : mine) lock.acquire();
        require(error_of([] { mp::Lock().acquire(); }) == std::errc::no_lock_available, "no lock more");
    });
    for (const mp::Lock& lock : held) lock.release();
}

// ---- RLIMIT_FSIZE

void limit_files_to(rlim_t bytes) {
    const rlimit limit{bytes, bytes};
    require(::setrlimit(RLIMIT_FSIZE, &limit) == 0, "setrlimit");
}

TEST(FileSizeLimit, leaves_a_queue_as_much_as_it_allows) {
    expect_success([] {
        limit_files_to(1 << 20);
        const mp::Queue<std::vector<char>> queue;
        const std::vector<char> item(100'000, 'x');
        int count = 0;
        const auto fill = [&] {
            for (;; ++count) queue.put(item);
        };
        require(error_of(fill) == std::errc::not_enough_memory, "it is full at some time");
        require(count >= 8, "most of the limit can be used, not " + std::to_string(count));
        for (; count > 0; --count) require(queue.get(0s) == item, "what is there is there");
        queue.put(item);
    });
}

TEST(FileSizeLimit, that_is_too_small_is_an_error_that_says_so) {
    expect_success([] {
        limit_files_to(3);
        const std::errc refused = std::errc::file_too_large;
        const std::string why = "RLIMIT_FSIZE";
        require(error_of([] { mp::Queue<int>(); }, why) == refused, "Queue");
        require(error_of([] { mp::Lock(); }, why) == refused, "Lock");
        require(error_of([] { mp::Semaphore(); }, why) == refused, "Semaphore");
        require(error_of([] { mp::Value<int>(); }, why) == refused, "Value");
        require(error_of([] { mp::SharedArray<int, 1>({100}); }, why) == refused, "SharedArray");
        require(error_of([] { mp::SharedMemory::create(1000); }, why) == refused, "SharedMemory");
        require(error_of([] { mp::Pool(1); }, why) == refused, "Pool");
        mp::Process process([](const std::string&) {}, std::string(1000, 'x'));
        require(error_of([&] { process.start(); }, why) == refused, "Process");
    });
}

// ---- memory

TEST(LittleMemory, of_a_control_group_makes_a_queue_refuse_items) {
    if (test::address_sanitizer) GTEST_SKIP() << "its own memory is more than the group has";
    const test::small_group group(96u << 20);
    if (!group.limited()) GTEST_SKIP() << "only who may make control groups can limit the memory of one";
    expect_success([&] {
        require(group.take_this_process(), "it is in the group");
        const mp::Queue<std::vector<char>> queue;
        const std::vector<char> item(200'000, 'x');
        int count = 0;
        const auto fill = [&] {
            for (;; ++count) queue.put(item);
        };
        for (int round = 0; round < 200; ++round)
            require(error_of(fill) == std::errc::not_enough_memory, "an error says that it is out of memory");
        require(count > 200, "much of the memory can be used, not " + std::to_string(count));
        for (; count > 0; --count) require(queue.get(0s) == item, "what is there is there");
        queue.put(item);
    });
}

TEST(LittleMemory, of_a_control_group_makes_small_arrays_be_refused) {
    const test::small_group group(64u << 20);
    if (!group.limited()) GTEST_SKIP() << "only who may make control groups can limit the memory of one";
    expect_success([&] {
        require(group.take_this_process(), "it is in the group");
        std::vector<mp::SharedArray<char, 1>> all;
        const auto fill = [&] {
            for (;;) {
                const mp::SharedArray<char, 1> one({std::size_t{1} << 20});
                std::ranges::fill(one, char{1});
                all.push_back(one);
            }
        };
        require(error_of(fill) == std::errc::not_enough_memory, "an error says that it is out of memory");
        require(all.size() > 20, "much of the memory can be used");
    });
}

// ---- addresses

TEST(ManyQueues, leave_addresses_for_others) {
    if (!may_open(4000)) GTEST_SKIP() << "each queue takes a descriptor";
    expect_success([] {
        std::vector<mp::Queue<int>> queues;
        for (int i = 0; i < 3000; ++i) queues.emplace_back().put(i);
        for (int i = 0; i < 3000; ++i) require(queues[static_cast<std::size_t>(i)].get(0s) == i, "an item");
        std::thread([] {}).join();
        constexpr std::size_t large = std::size_t{1} << 40;
        void* const more =
            ::mmap(nullptr, large, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        require(more != MAP_FAILED, "addresses for others");
    });
}

// ---- another user

TEST(ChangedUser, is_told_how_others_can_open_what_it_sends) {
    if (::getuid() != 0) GTEST_SKIP() << "only root can become another user";
    expect_success([] {
        constexpr uid_t somebody = 54321;
        require(::setgid(somebody) == 0 && ::setuid(somebody) == 0, "setuid");
        const mp::Lock lock;
        const auto [near, far] = mp::Pipe();
        const test::message of_lock = test::encoded(lock), of_pipe = test::encoded(far);
        const auto others_say = [&](const std::string& part) {
            test::child_program child([&] {
                for (const std::string& text : {test::refusal<mp::Lock>(of_lock.bytes.bytes()),
                                                test::refusal<mp::Connection>(of_pipe.bytes.bytes())})
                    if (text.find(part) == std::string::npos) return 1;
                return 0;
            });
            return child.wait().exit_code == 0;
        };
        require(others_say("PR_SET_DUMPABLE"), "they are told what to do");
        require(::prctl(PR_SET_DUMPABLE, 1) == 0, "prctl");
        require(others_say("accepted"), "and that helps");
    });
}

// ---- /proc

/// A child whose /proc is what `mount_it` makes of it: what it is told of what this process sends. Nothing
/// where that isn't allowed.
std::optional<std::string> refusal_with_proc(const std::function<bool()>& mount_it) {
    constexpr int not_allowed = 77;
    const mp::Lock lock;
    const mp::SharedArray<int, 1> array({3});
    const auto [near, far] = mp::Pipe();
    const test::message of_lock = test::encoded(lock), of_array = test::encoded(array),
                        of_pipe = test::encoded(far);
    test::child_program child([&] {
        if (::unshare(CLONE_NEWNS) != 0 ||
            ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 || !mount_it())
            return not_allowed;
        for (const std::string& text : {test::refusal<mp::Lock>(of_lock.bytes.bytes()),
                                        test::refusal<mp::SharedArray<int, 1>>(of_array.bytes.bytes()),
                                        test::refusal<mp::Connection>(of_pipe.bytes.bytes())})
            std::fprintf(stderr, "%s\n", text.c_str());
        return 0;
    });
    const test::child_end end = child.wait();
    if (end.exit_code == not_allowed) return std::nullopt;
    EXPECT_EQ(end.exit_code, 0) << end.errors;
    return end.errors;
}

std::ptrdiff_t count_in(const std::string& text, const std::string& part) {
    std::ptrdiff_t count = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
    return count;
}

TEST(WithoutProc, what_others_send_is_refused_with_the_reason) {
    const auto refusals =
        refusal_with_proc([] { return ::mount("none", "/proc", "tmpfs", 0, nullptr) == 0; });
    if (!refusals) GTEST_SKIP() << "only root can take /proc away";
    EXPECT_EQ(count_in(*refusals, "there is no /proc here"), 3) << *refusals;
    EXPECT_EQ(count_in(*refusals, "is gone"), 0) << *refusals;
}

TEST(HiddenInProc, a_sender_is_not_said_to_be_gone) {
    const auto refusals = refusal_with_proc([] {
        if (::mount("none", "/proc", "proc", 0, "hidepid=2") != 0) return false;
        constexpr uid_t somebody = 54321;
        return ::setgid(somebody) == 0 && ::setuid(somebody) == 0;
    });
    if (!refusals) GTEST_SKIP() << "only root can hide processes";
    EXPECT_EQ(count_in(*refusals, "/proc doesn't show the process"), 3) << *refusals;
    EXPECT_EQ(count_in(*refusals, "is gone"), 0) << *refusals;
}

}  // namespace sync_limits_test
