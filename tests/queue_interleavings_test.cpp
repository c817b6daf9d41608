// SPDX-License-Identifier: MIT
// The ends of a queue: a process that puts or gets is stopped or killed after each instruction that matters,
// and others go on with what it leaves.
//
// It runs in single steps in a child, and is stopped wherever something has changed that others can see: the
// queue's own memory, or the thread's list of held locks, which the kernel reads at its death. What it writes
// into a record can be seen by nobody before the count says so. In scope all it is killed at others, too.
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <optional>
#include <ostream>
#include <span>
#include <string>

#include "procpool/detail/os/available_memory.hpp"
#include "procpool/detail/shared/object.hpp"
#include "procpool/detail/shared/record_queue.hpp"
#include "support/processes.hpp"
#include "support/rounds.hpp"
#include "support/single_steps.hpp"
#include "support/wait.hpp"

namespace queue_interleavings_test {

namespace os = procpool::detail::os;
namespace wire = procpool::detail::wire;
using procpool::detail::steady_time;
using procpool::detail::shared::object;
using procpool::detail::shared::record_queue;

steady_time in_time() { return std::chrono::steady_clock::now() + test::patience; }

/// A queue of numbers, each of which stands at both ends of its record.
class numbers {
public:
    explicit numbers(std::uint32_t capacity)
        : numbers(object<record_queue>::make_in(room, os::extent::addresses, capacity)) {}

    bool put(std::uint64_t number, std::size_t size, steady_time deadline = record_queue::at_once) const {
        return queue_->put(*queue_.segment(), size, false, deadline, [&](std::byte* to) {
            std::memcpy(to, &number, sizeof number);
            std::memcpy(to + size - sizeof number, &number, sizeof number);
        });
    }
    /// 0: there is none.
    std::uint64_t get(steady_time deadline = record_queue::at_once) const {
        std::uint64_t first = 0, last = 0;
        queue_->get(*queue_.segment(), deadline, [&](std::span<const std::byte> from, bool) {
            if (from.size() < sizeof first) return;
            std::memcpy(&first, from.data(), sizeof first);
            std::memcpy(&last, from.data() + from.size() - sizeof last, sizeof last);
        });
        return first == last ? first : torn;
    }
    static constexpr std::uint64_t torn = ~std::uint64_t{0};

    std::size_t size() const { return queue_->size(); }
    record_queue& state() const { return *queue_; }

    /// For a child, which inherits none.
    class handle {
    public:
        explicit handle(const numbers& of) { of.queue_.encode({bytes_, pins_}); }
        numbers open() const {
            wire::cursor from(bytes_.bytes());
            return numbers(object<record_queue>::decode(from, os::extent::addresses));
        }

    private:
        wire::buffer bytes_;
        wire::pins pins_;
    };

private:
    static constexpr std::size_t room = record_queue::head_room + (256 << 10);

    explicit numbers(const object<record_queue>& queue) : queue_(queue) {}

    object<record_queue> queue_;
};

// ---- a process that comes to a point and no further

/// Which of the points that are told apart, from 1 on.
struct point {
    std::uint64_t number = 0;
    bool each_instruction = false;  // and not only each change
};

class watch {
public:
    watch(const record_queue& queue, point until) : queue_(queue), until_(until) {
        std::size_t size = 0;
        ::syscall(SYS_get_robust_list, 0, &locks_, &size);
        look();
    }
    /// After an instruction: whether this is the point.
    bool is_there() noexcept {
        const bool passes_one = look() || until_.each_instruction;
        return passes_one && ++passed_ == until_.number;
    }

private:
    bool look() noexcept {
        if (std::memcmp(last_queue_.data(), &queue_, sizeof queue_) == 0 &&
            std::memcmp(&last_locks_, locks_, sizeof last_locks_) == 0)
            return false;
        std::memcpy(last_queue_.data(), &queue_, sizeof queue_);
        std::memcpy(&last_locks_, locks_, sizeof last_locks_);
        return true;
    }

    const record_queue& queue_;
    const point until_;
    std::uint64_t passed_ = 0;
    const robust_list_head* locks_ = nullptr;
    std::array<std::byte, sizeof(record_queue)> last_queue_{};
    robust_list_head last_locks_{};
};

/// A child that calls `act(queue)`, and is sent `signal` when it has come to that point.
class stepping_process {
public:
    template <class Act>
    stepping_process(const numbers& queue, Act act, point until, int signal) {
        const numbers::handle way(queue);
        (void)os::memory_left();  // so that the child need not look, which would be very many steps
        pid_ = ::fork();
        if (pid_ != 0) return;
        const numbers mine = way.open();
        watch watching(mine.state(), until);
        bool good = false;
        test::run_in_single_steps([&] { good = act(mine); },
                                  [&] {
                                      if (watching.is_there()) ::kill(::getpid(), signal);
                                  });
        ::_exit(good ? 0 : 1);
    }
    stepping_process(const stepping_process&) = delete;
    stepping_process& operator=(const stepping_process&) = delete;
    ~stepping_process() {
        if (is_there_) end();
    }

    /// Until it is stopped or at its end. @return whether it got to the point
    bool gets_there() {
        int status = 0;
        EXPECT_EQ(::waitpid(pid_, &status, WUNTRACED), pid_);
        is_there_ = WIFSTOPPED(status);
        EXPECT_TRUE(!WIFEXITED(status) || WEXITSTATUS(status) == 0) << "its call went wrong";
        EXPECT_TRUE(!WIFSIGNALED(status) || WTERMSIG(status) == SIGKILL) << "it has crashed";
        return !WIFEXITED(status);
    }
    void go_on() {
        ::kill(pid_, SIGCONT);
        gets_there();
    }
    void end() {
        ::kill(pid_, SIGKILL);
        gets_there();
    }

private:
    pid_t pid_ = 0;
    bool is_there_ = false;
};

// ---- queues and what is done to them

struct scenario {
    const char* name;
    std::uint32_t capacity;  // 0: none
    std::size_t size;        // of each item
    const char* before;      // puts and gets
    bool gets;               // or else it puts
};
void PrintTo(const scenario& one, std::ostream* to) { *to << one.name; }

constexpr std::size_t small = 48, large = 16 << 10;
const std::array scenarios{
    scenario{"put_into_an_empty_queue", 0, small, "", false},
    scenario{"put_behind_others", 0, small, "pppg", false},
    scenario{"put_of_the_last_one_for_which_there_is_room", 3, small, "pppg", false},
    scenario{"put_that_goes_on_at_the_start_of_the_memory", 0, large, "pppgg", false},
    scenario{"put_that_goes_on_above_all", 0, large, "pppggp", false},
    scenario{"get_of_the_only_item", 0, small, "pppgg", true},
    scenario{"get_from_a_full_queue", 3, small, "ppp", true},
    scenario{"get_of_large_items_side_by_side", 0, large, "pppg", true},
    scenario{"get_of_what_lies_at_the_start_of_the_memory", 0, large, "pppggpg", true},
    scenario{"get_of_what_lies_above_all", 0, large, "pppggppgg", true},
};

/// A queue in the midst of its life, and what must be in it.
class tested_queue {
public:
    explicit tested_queue(const scenario& what) : what_(what), queue_(what.capacity) {
        for (const char* one = what.before; *one; ++one) {
            if (*one == 'p')
                EXPECT_TRUE(put(what.size));
            else
                get();
        }
    }

    const numbers& queue() const noexcept { return queue_; }

    /// What the other process does.
    auto act() const {
        const std::uint64_t number = what_.gets ? there_.front() : next_;
        return [number, what = what_](const numbers& mine) {
            return what.gets ? mine.get() == number : mine.put(number, what.size);
        };
    }
    /// It has done so, or not, and nobody else has done anything since.
    void note_what_became_of_it() {
        const std::size_t before = there_.size(), now = queue_.size();
        if (what_.gets) {
            ASSERT_TRUE(now == before || now + 1 == before) << now << " items, and before " << before;
            if (now < before) there_.pop_front();
        } else {
            ASSERT_TRUE(now == before || now == before + 1) << now << " items, and before " << before;
            if (now > before) there_.push_back(next_);
            ++next_;
        }
    }

    bool put(std::size_t size) {
        if (!queue_.put(next_, size)) return false;
        there_.push_back(next_++);
        return true;
    }
    void get() {
        ASSERT_FALSE(there_.empty());
        ASSERT_EQ(queue_.get(), there_.front());
        there_.pop_front();
    }
    void drain() {
        while (!there_.empty() && !testing::Test::HasFailure()) get();
        ASSERT_EQ(queue_.size(), 0u);
        ASSERT_EQ(queue_.get(), 0u);
    }
    /// Sizes that take every place that might be thought free.
    void fill() {
        for (const std::size_t size : {what_.size, what_.size / 2, what_.size / 2})
            ASSERT_TRUE(put(size) || queue_.state().full());
    }
    void serves_on() {
        for (int round = 0; round < 4; ++round) {
            fill();
            drain();
        }
    }

    // While the other process is stopped in a put, the others get; and the other way round.

    void others_act() {
        if (what_.gets) {
            fill();
            return;
        }
        while (const std::uint64_t got = queue_.get()) {
            const bool is_next = !there_.empty() && got == there_.front();
            ASSERT_TRUE(is_next || (there_.empty() && got == next_ && !has_come_)) << got;
            if (is_next)
                there_.pop_front();
            else
                has_come_ = true;
        }
        ASSERT_TRUE(there_.empty());
    }
    /// After that it has got to its end, or died.
    void note_its_end(bool died) {
        if (what_.gets) {
            const std::size_t now = queue_.size();
            ASSERT_TRUE(now + 1 == there_.size() || (died && now == there_.size())) << now;
            if (now < there_.size()) there_.pop_front();
        } else {
            const std::size_t now = queue_.size();
            ASSERT_TRUE(now == (has_come_ ? 0 : 1) || (died && now == 0)) << now;
            if (now == 1) there_.push_back(next_);
            ++next_;
        }
    }

private:
    const scenario what_;
    const numbers queue_;
    std::deque<std::uint64_t> there_;
    std::uint64_t next_ = 1;
    bool has_come_ = false;
};

/// Whether any instruction is a point, too. Sanitizers add too many of their own.
bool is_thorough() { return test::rounds(100) == 100 && !test::sanitized; }

class QueueSteps : public testing::Test {
protected:
    void SetUp() override {
        if (!test::single_steps) GTEST_SKIP() << test::no_single_steps;
    }
};
class QueueInterleavings : public QueueSteps, public testing::WithParamInterface<scenario> {};

/// Calls `trial(a point)` for one after the other, until that is false: the end was reached before.
template <class Trial>
std::uint64_t for_each_point(bool each_instruction, Trial trial) {
    // All up to an instruction are made in single steps before it.
    const std::uint64_t by = each_instruction ? 17 : 1;
    for (std::uint64_t number = 1;; number += by) {
        SCOPED_TRACE((each_instruction ? "instruction " : "change ") + std::to_string(number));
        if (!trial(point{number, each_instruction}) || testing::Test::HasFailure()) return number - 1;
    }
}

TEST_P(QueueInterleavings, a_death_leaves_the_queue_as_it_was_before_or_after) {
    const auto dies = [&](point where, bool others_drain_first) {
        tested_queue queue(GetParam());
        stepping_process victim(queue.queue(), queue.act(), where, SIGKILL);
        const bool died = victim.gets_there();
        queue.note_what_became_of_it();
        others_drain_first ? queue.drain() : queue.fill();
        queue.drain();
        queue.serves_on();
        return died;
    };
    EXPECT_GT(for_each_point(false, [&](point where) { return dies(where, where.number % 2 == 0); }), 10u);
    if (is_thorough()) {
        for_each_point(false, [&](point where) { return dies(where, where.number % 2 != 0); });
        const auto points =
            for_each_point(true, [&](point where) { return dies(where, where.number % 2 == 0); });
        EXPECT_GT(points, 200u);
        RecordProperty("instructions", static_cast<int>(points));
    }
}

TEST_P(QueueInterleavings, the_other_end_serves_in_the_midst_of_a_call) {
    const auto is_overtaken = [&](point where, bool dies) {
        tested_queue queue(GetParam());
        stepping_process other(queue.queue(), queue.act(), where, SIGSTOP);
        if (!other.gets_there()) return false;
        queue.others_act();
        dies ? other.end() : other.go_on();
        queue.note_its_end(dies);
        queue.drain();
        queue.serves_on();
        return true;
    };
    EXPECT_GT(for_each_point(false, [&](point where) { return is_overtaken(where, where.number % 2 == 0); }),
              10u);
    if (is_thorough())
        for_each_point(false, [&](point where) { return is_overtaken(where, where.number % 2 != 0); });
}

INSTANTIATE_TEST_SUITE_P(In, QueueInterleavings, testing::ValuesIn(scenarios),
                         [](const auto& which) { return std::string(which.param.name); });

// ---- those who sleep

/// A process that sleeps until `act(queue)` is done.
template <class Act>
class sleeper {
public:
    sleeper(const numbers& queue, Act act)
        : child_([way = numbers::handle(queue), act] { return act(way.open()) ? 0 : 1; }) {
        EXPECT_TRUE(test::eventually([&] { return test::look_at(child_.pid()).state == 'S'; }));
    }
    void expect_end() {
        const bool ends = test::eventually([&] { return test::look_at(child_.pid()).state == 'Z'; });
        ASSERT_TRUE(ends) << "nobody wakes it";
        EXPECT_EQ(child_.wait().exit_code, 0);
    }

private:
    test::child_program child_;
};

TEST_F(QueueSteps, a_death_in_put_leaves_nobody_asleep_for_whom_there_is_an_item) {
    for_each_point(false, [](point where) {
        const numbers queue(0);
        sleeper waits(queue, [](const numbers& mine) { return mine.get(steady_time::max()) == 7; });
        stepping_process victim(
            queue, [](const numbers& mine) { return mine.put(7, small); }, where, SIGKILL);
        const bool died = victim.gets_there();
        if (queue.state().number_of_next() == 1) queue.put(7, small);
        waits.expect_end();
        EXPECT_EQ(queue.get(), 0u);
        return died;
    });
}

TEST_F(QueueSteps, a_death_in_get_leaves_nobody_asleep_for_whom_there_is_room) {
    for_each_point(false, [](point where) {
        const numbers queue(1);
        queue.put(7, small);
        sleeper waits(queue, [](const numbers& mine) { return mine.put(8, small, steady_time::max()); });
        stepping_process victim(queue, [](const numbers& mine) { return mine.get() == 7; }, where, SIGKILL);
        const bool died = victim.gets_there();
        std::uint64_t got = queue.get(in_time());
        if (got == 7) got = queue.get(in_time());
        EXPECT_EQ(got, 8u);
        waits.expect_end();
        EXPECT_EQ(queue.get(), 0u);
        return died;
    });
}

TEST_F(QueueSteps, a_death_in_task_done_counts_an_item_once_or_not) {
    for_each_point(false, [](point where) {
        const numbers queue(0);
        for (std::uint64_t number = 1; number <= 2; ++number) {
            queue.put(number, small);
            queue.get();
        }
        stepping_process victim(
            queue, [](const numbers& mine) { return mine.state().item_done(); }, where, SIGKILL);
        const bool died = victim.gets_there();
        int more = 0;
        while (queue.state().item_done()) ++more;
        EXPECT_TRUE(more == 1 || (died && more == 2)) << more;
        EXPECT_TRUE(queue.state().wait_until_done(in_time()));
        return died;
    });
}

}  // namespace queue_interleavings_test
