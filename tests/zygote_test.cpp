// SPDX-License-Identifier: MIT
#include "procpool/detail/zygote/starter.hpp"

#include <gtest/gtest.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/os/poller.hpp"
#include "support/processes.hpp"
#include "support/wait.hpp"

namespace zygote_test {

namespace os = procpool::detail::os;
namespace zygote = procpool::detail::zygote;
using zygote::worker_birth;
using zygote::worker_report;

bool exists(long pid) { return ::kill(static_cast<pid_t>(pid), 0) == 0; }
bool has_ended(long pid) {
    const char state = test::look_at(pid).state;
    return state == 'X' || state == 'Z';
}

/// Waits for the zygote's next report; nothing if the zygote has gone.
std::optional<worker_report> next_report(zygote::zygote& zygote) {
    os::poller poller;
    poller.add(zygote.control(), os::poller::interest::read, 0);
    for (;;) {
        if (auto report = zygote.next_report()) return report;
        if (zygote.gone()) return std::nullopt;
        if (poller.wait(std::chrono::steady_clock::now() + test::patience).empty())
            throw std::runtime_error("no report came");
    }
}

/// Does what its input says, byte by byte, until that ends.
int obedient(worker_birth& birth) {
    std::byte order;
    while (!os::read_some(birth.tasks, &order, 1).closed) {
        switch (static_cast<char>(order)) {
            case 'e': return 7;
            case 'k': ::raise(SIGKILL); break;
            case '?': {
                const std::array<std::int64_t, 3> about{::getpid(), ::getppid(), birth.slot};
                os::write_all(birth.results, reinterpret_cast<const std::byte*>(about.data()), sizeof about);
                break;
            }
            default: return 99;
        }
    }
    return 0;
}

class Zygote : public testing::Test {
protected:
    struct worker {
        std::uint32_t slot;
        std::uint64_t serial;
        long pid = 0;
        os::fd tasks;
        os::fd results;

        void order(char what) const {
            EXPECT_TRUE(os::write_all(tasks, reinterpret_cast<const std::byte*>(&what), 1));
        }
        /// Its process id, its parent's, its slot.
        std::array<std::int64_t, 3> ask() const {
            order('?');
            std::array<std::int64_t, 3> about{};
            EXPECT_EQ(os::read_some(results, reinterpret_cast<std::byte*>(about.data()), sizeof about).bytes,
                      sizeof about);
            return about;
        }
        bool output_has_ended() const {
            std::byte byte;
            return os::read_some(results, &byte, 1).closed;
        }
    };

    worker start(std::uint32_t slot = 0) {
        os::pipe_ends tasks = os::make_pipe();
        os::pipe_ends results = os::make_pipe();
        zygote.fork_worker(slot, ++last_serial, tasks.read, results.write);
        worker made{slot, last_serial, 0, std::move(tasks.write), std::move(results.read)};
        const auto report = next_report(zygote);
        if (!report || report->what != worker_report::kind::started) {
            ADD_FAILURE() << "worker " << slot << " did not start";
            return made;
        }
        EXPECT_EQ(report->slot, slot);
        EXPECT_EQ(report->serial, made.serial);
        EXPECT_GT(report->pid, 0);
        made.pid = static_cast<long>(report->pid);
        return made;
    }

    void expect_exit(const worker& of, int code, bool signalled) {
        const auto report = next_report(zygote);
        ASSERT_TRUE(report);
        EXPECT_TRUE(report->what == worker_report::kind::exited);
        EXPECT_EQ(report->slot, of.slot);
        EXPECT_EQ(report->serial, of.serial);
        EXPECT_EQ(report->pid, of.pid);
        EXPECT_EQ(report->code, code);
        EXPECT_EQ(report->signalled, signalled);
    }

    /// Of whoever runs this program, and what its tests share.
    const std::map<int, std::string> descriptors_before = test::descriptors_of(::getpid());
    os::fd memory = os::make_memfd("test", os::page_size());
    zygote::zygote zygote{memory, obedient, {}, os::signal_mask::of_this_thread()};
    std::uint64_t last_serial = 0;
};

TEST_F(Zygote, is_the_parent_of_the_workers) {
    const worker first = start(0);
    const worker second = start(5);
    const auto [pid, parent, slot] = first.ask();
    EXPECT_EQ(pid, first.pid);
    EXPECT_EQ(slot, 0);
    EXPECT_NE(parent, ::getpid());
    EXPECT_EQ(second.ask()[1], parent);
    EXPECT_EQ(second.ask()[2], 5);
    EXPECT_EQ(test::look_at(parent).parent, ::getpid());
}

TEST_F(Zygote, reports_exit_codes) {
    const worker one = start();
    one.order('e');
    expect_exit(one, 7, false);
    worker other = start();
    other.tasks.reset();
    expect_exit(other, 0, false);
}

TEST_F(Zygote, reports_signals) {
    const worker killed = start(1);
    killed.order('k');
    expect_exit(killed, SIGKILL, true);
    const worker from_outside = start(2);
    from_outside.ask();  // now it has its signals back
    ::kill(static_cast<pid_t>(from_outside.pid), SIGTERM);
    expect_exit(from_outside, SIGTERM, true);
}

TEST_F(Zygote, reports_each_of_many_deaths) {
    std::vector<worker> workers;
    for (std::uint32_t slot = 0; slot < 20; ++slot) workers.push_back(start(slot));
    for (const worker& one : workers) ::kill(static_cast<pid_t>(one.pid), SIGKILL);
    std::vector<int> reports(workers.size());
    for (std::size_t i = 0; i < workers.size(); ++i) {
        const auto report = next_report(zygote);
        ASSERT_TRUE(report && report->what == worker_report::kind::exited);
        ++reports.at(report->slot);
    }
    EXPECT_EQ(reports, std::vector<int>(workers.size(), 1));
    EXPECT_FALSE(zygote.next_report());
}

TEST(ZygoteProcess, a_worker_that_throws_says_why_and_fails) {
    test::child_program pool([] {
        const zygote::worker_main main = [](worker_birth&) -> int { throw std::runtime_error("a reason"); };
        const os::fd memory = os::make_memfd("test", os::page_size());
        zygote::zygote zygote(memory, main, {}, os::signal_mask::of_this_thread());
        const auto pipe = os::make_pipe();
        zygote.fork_worker(0, 1, pipe.read, pipe.write);
        next_report(zygote);
        const auto report = next_report(zygote);
        return report && report->code == EXIT_FAILURE && !report->signalled ? 0 : 1;
    });
    const auto end = pool.wait();
    EXPECT_EQ(end.exit_code, 0);
    EXPECT_NE(end.errors.find("ends: a reason"), std::string::npos) << end.errors;
}

TEST_F(Zygote, keeps_a_dead_workers_process_id_until_it_is_reaped) {
    const worker one = start(3);
    one.order('k');
    expect_exit(one, SIGKILL, true);
    EXPECT_TRUE(exists(one.pid));
    zygote.reap(one.slot, one.serial + 1);  // another one, that never was
    zygote.reap(one.slot + 1, one.serial);
    start(4).ask();  // by now they are done
    EXPECT_TRUE(exists(one.pid));
    EXPECT_EQ(test::look_at(one.pid).state, 'Z');
    zygote.reap(one.slot, one.serial);
    EXPECT_TRUE(test::eventually([&] { return !exists(one.pid); }));
}

TEST_F(Zygote, a_slot_may_have_a_new_worker_before_the_old_one_is_reaped) {
    const worker old = start(0);
    old.order('e');
    expect_exit(old, 7, false);
    const worker next = start(0);
    EXPECT_NE(next.pid, old.pid);
    zygote.reap(0, old.serial);
    EXPECT_TRUE(test::eventually([&] { return !exists(old.pid); }));
    EXPECT_EQ(next.ask()[0], next.pid);
}

TEST_F(Zygote, a_worker_gets_the_pools_memory) {
    const os::mapping mine(memory, 0, os::page_size());
    zygote::worker_main write_there = [](worker_birth& birth) {
        const os::mapping shared(birth.memory, 0, os::page_size());
        shared.data()[birth.slot] = std::byte{42};
        return 0;
    };
    zygote::zygote other(memory, write_there, {}, os::signal_mask::of_this_thread());
    const auto tasks = os::make_pipe();
    const auto results = os::make_pipe();
    other.fork_worker(9, 1, tasks.read, results.write);
    while (next_report(other)->what != worker_report::kind::exited) {
    }
    EXPECT_EQ(mine.data()[9], std::byte{42});
}

TEST_F(Zygote, a_worker_holds_no_other_workers_pipes) {
    worker first = start(0);
    const worker second = start(1);
    second.ask();
    first.order('k');
    EXPECT_TRUE(first.output_has_ended()) << "somebody else holds its result pipe open";
    expect_exit(first, SIGKILL, true);
    worker third = start(2);
    const worker fourth = start(3);
    fourth.ask();
    third.tasks.reset();
    expect_exit(third, 0, false);
}

TEST_F(Zygote, a_worker_has_just_its_descriptors) {
    const worker one = start();
    one.ask();
    auto open = test::descriptors_of(one.pid);
    EXPECT_EQ(open[STDIN_FILENO], "/dev/null");
    const auto own = test::descriptors_of(::getpid());
    std::multiset<std::string> beyond;
    for (const auto& [number, target] : open) {
        const auto before = descriptors_before.find(number);
        const bool was_there = before != descriptors_before.end() && before->second == target;
        if (number > STDERR_FILENO && !was_there) beyond.insert(target);
    }
    EXPECT_EQ(beyond, (std::multiset<std::string>{own.at(one.tasks.get()), own.at(one.results.get()),
                                                  own.at(memory.get())}));
}

// ---- signals

TEST_F(Zygote, outlives_signals_to_the_whole_group_and_so_do_its_workers) {
    const worker one = start();
    const long zygote_pid = one.ask()[1];
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::kill(static_cast<pid_t>(zygote_pid), signal);
    ::kill(static_cast<pid_t>(one.pid), SIGINT);
    EXPECT_EQ(one.ask()[0], one.pid);
    EXPECT_EQ(start(1).ask()[1], zygote_pid);
}

/// What a worker answers that runs `check`: its exit code.
template <class Check>
int answer_of_worker(Check check, const os::signal_mask& mask) {
    static const Check* checks = nullptr;  // of which no two have the same type
    checks = &check;
    const zygote::worker_main main = [](worker_birth&) { return (*checks)(); };
    const os::fd memory = os::make_memfd("test", os::page_size());
    zygote::zygote zygote(memory, main, {}, mask);
    const auto pipe = os::make_pipe();
    zygote.fork_worker(0, 1, pipe.read, pipe.write);
    for (;;) {
        const auto report = next_report(zygote);
        if (!report) return -1;
        if (report->what == worker_report::kind::exited)
            return report->signalled ? -report->code : report->code;
    }
}

TEST(ZygoteProcess, workers_have_the_programs_signals_but_for_those_that_are_for_the_parent) {
    const auto check = [] {
        const auto action_of = [](int signal) {
            struct sigaction action{};
            ::sigaction(signal, nullptr, &action);
            return action.sa_handler;
        };
        if (action_of(SIGINT) != SIG_IGN) return 1;
        for (const int signal : {SIGTERM, SIGHUP, SIGCHLD})
            if (action_of(signal) != SIG_DFL) return signal;
        return 0;
    };
    EXPECT_EQ(answer_of_worker(check, os::signal_mask::of_this_thread()), 0);
}

TEST(ZygoteProcess, workers_block_the_signals_that_they_are_told_to) {
    sigset_t one;
    ::sigemptyset(&one);
    ::sigaddset(&one, SIGUSR1);
    const auto before = os::signal_mask::of_this_thread();
    ::pthread_sigmask(SIG_BLOCK, &one, nullptr);
    const auto wanted = os::signal_mask::of_this_thread();
    before.apply();
    const auto check = [] {
        sigset_t blocked;
        ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
        if (::sigismember(&blocked, SIGUSR1) != 1) return 1;
        return ::sigismember(&blocked, SIGUSR2) == 0 && ::sigismember(&blocked, SIGCHLD) == 0 ? 0 : 2;
    };
    EXPECT_EQ(answer_of_worker(check, wanted), 0);
    EXPECT_EQ(answer_of_worker(check, before), 1);
}

TEST_F(Zygote, sends_signals_to_its_workers_alone) {
    const worker one = start();
    one.ask();
    zygote.signal(one.slot, one.serial, one.pid, SIGTERM);
    expect_exit(one, SIGTERM, true);
    zygote.signal(one.slot, one.serial, one.pid, SIGKILL);  // no error, though it is dead

    worker victim = start(1);
    ::kill(static_cast<pid_t>(victim.ask()[1]), SIGKILL);
    EXPECT_TRUE(victim.output_has_ended());
    EXPECT_TRUE(test::eventually([&] { return !exists(victim.pid); }));
    // Before anybody has read of the zygote's death, somebody else gets the dead worker's number.
    const pid_t number = static_cast<pid_t>(victim.pid);
    clone_args arguments{};
    arguments.exit_signal = SIGCHLD;
    arguments.set_tid = reinterpret_cast<std::uint64_t>(&number);
    arguments.set_tid_size = 1;
    const long stranger = ::syscall(SYS_clone3, &arguments, sizeof arguments);
    if (stranger == 0) {
        for (;;) ::pause();
    }
    if (stranger < 0) GTEST_SKIP() << "needs the right to choose a process id";
    EXPECT_EQ(stranger, victim.pid);
    zygote.signal(victim.slot, victim.serial, victim.pid, SIGTERM);
    ::kill(static_cast<pid_t>(stranger), SIGKILL);
    int status = 0;
    EXPECT_EQ(::waitpid(static_cast<pid_t>(stranger), &status, 0), stranger);
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

// ---- the end

TEST_F(Zygote, kill_ends_all_workers_and_returns_when_they_are_gone) {
    std::vector<worker> workers;
    for (std::uint32_t slot = 0; slot < 5; ++slot) workers.push_back(start(slot));
    workers[2].order('e');  // one is a zombie by then
    const long zygote_pid = workers[0].ask()[1];
    zygote.kill();
    for (const worker& one : workers) EXPECT_FALSE(exists(one.pid));
    EXPECT_FALSE(exists(zygote_pid));
    zygote.kill();  // harmless
}

TEST_F(Zygote, finish_lets_workers_end_by_themselves) {
    worker busy = start(0);
    const worker dead = start(1);
    dead.order('e');
    expect_exit(dead, 7, false);  // and is not reaped
    const long zygote_pid = busy.ask()[1];
    zygote.finish();
    EXPECT_TRUE(test::eventually([&] { return !exists(dead.pid); }));
    EXPECT_EQ(busy.ask()[0], busy.pid);
    EXPECT_FALSE(has_ended(zygote_pid));
    busy.tasks.reset();
    EXPECT_TRUE(busy.output_has_ended());
    zygote.wait();
    EXPECT_FALSE(exists(busy.pid));
    EXPECT_FALSE(exists(zygote_pid));
}

TEST_F(Zygote, kill_after_finish_ends_a_worker_that_stays) {
    const worker one = start();
    zygote.finish();
    EXPECT_EQ(one.ask()[0], one.pid);
    zygote.kill();
    EXPECT_FALSE(exists(one.pid));
}

TEST_F(Zygote, its_workers_die_with_it_and_the_pool_is_told) {
    const worker first = start(0);
    const worker second = start(1);
    ::kill(static_cast<pid_t>(first.ask()[1]), SIGKILL);
    EXPECT_TRUE(first.output_has_ended());
    EXPECT_TRUE(second.output_has_ended());
    EXPECT_FALSE(next_report(zygote));
    EXPECT_TRUE(zygote.gone());
    EXPECT_TRUE(test::eventually([&] { return has_ended(first.pid) && has_ended(second.pid); }));
    const auto pipe = os::make_pipe();
    zygote.fork_worker(0, 99, pipe.read, pipe.write);  // no error, no signal
}

TEST_F(Zygote, everybody_is_gone_after_the_pools_process_was_killed) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    test::child_program pool([&] {
        const os::fd shared = os::make_memfd("test", os::page_size());
        zygote::zygote mine(shared, obedient, {}, os::signal_mask::of_this_thread());
        const auto tasks = os::make_pipe();
        const auto results = os::make_pipe();
        mine.fork_worker(0, 1, tasks.read, results.write);
        const auto report = next_report(mine);
        const long worker_pid = report ? static_cast<long>(report->pid) : 0;
        if (::write(ends[1], &worker_pid, sizeof worker_pid) != sizeof worker_pid) return 1;
        for (;;) ::pause();
    });
    long worker_pid = 0;
    ASSERT_EQ(::read(ends[0], &worker_pid, sizeof worker_pid), static_cast<ssize_t>(sizeof worker_pid));
    ::close(ends[0]);
    ::close(ends[1]);
    ASSERT_GT(worker_pid, 0);
    const long zygote_pid = test::look_at(worker_pid).parent;
    EXPECT_EQ(test::look_at(zygote_pid).parent, pool.pid());
    pool.send(SIGKILL);
    EXPECT_EQ(pool.wait().signal, SIGKILL);  // waits for their standard error to close, too
    EXPECT_TRUE(test::eventually([&] { return has_ended(worker_pid) && has_ended(zygote_pid); }));
}

}  // namespace zygote_test
