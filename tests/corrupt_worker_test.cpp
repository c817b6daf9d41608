// SPDX-License-Identifier: MIT
// What a corrupt worker sends, or leaves in the memory that it shares, harms nobody but itself.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "procpool/detail/os/process_identity.hpp"
#include "procpool/detail/process/health_check.hpp"
#include "procpool/detail/wire/frame_reader.hpp"
#include "support/processes.hpp"
#include "support/wait.hpp"
#include "support/worker_link.hpp"

namespace corrupt_worker_test {

using namespace test;  // NOLINT(google-build-using-namespace): what the frames are made with
using namespace std::chrono_literals;
using wire::result_header;

class CorruptWorker : public WorkerLink {
protected:
    CorruptWorker() { give(0, 3); }
    bool refused(const std::string& bytes) {
        send_up(bytes);
        try {
            collected();
            return false;
        } catch (const procpool::SerializationError&) {
            return true;
        }
    }
};

TEST_F(CorruptWorker, is_refused_for_bytes_that_are_no_frame) { EXPECT_TRUE(refused(std::string(100, 'x'))); }
TEST_F(CorruptWorker, is_refused_for_a_kind_of_frame_that_is_none) {
    EXPECT_TRUE(refused(frame({.what = static_cast<result_header::kind>(9)}, "x")));
}
TEST_F(CorruptWorker, is_refused_for_results_out_of_step) { EXPECT_TRUE(refused(values(1, 1, "x"))); }
TEST_F(CorruptWorker, is_refused_for_results_that_come_twice) {
    EXPECT_FALSE(refused(values(0, 1, "x")));
    EXPECT_TRUE(refused(values(0, 1, "x")));
}
TEST_F(CorruptWorker, is_refused_for_more_results_than_it_was_given_elements) {
    EXPECT_FALSE(refused(values(0, 1, "abc")));
    EXPECT_TRUE(refused(values(3, 1, "d")));
}
TEST_F(CorruptWorker, is_refused_for_more_results_in_one_frame_than_it_was_given_elements) {
    EXPECT_TRUE(refused(values(0, 1, "abcd")));
}
TEST_F(CorruptWorker, is_refused_for_more_sized_results_than_it_was_given_elements) {
    EXPECT_TRUE(refused(values(0, 0, sized("a") + sized("b") + sized("c") + sized("d"))));
}
TEST_F(CorruptWorker, is_refused_for_an_error_too_many) {
    EXPECT_FALSE(refused(values(0, 1, "abc")));
    EXPECT_TRUE(refused(error(3, "d")));
}
TEST_F(CorruptWorker, is_refused_for_a_frame_that_ends_inside_a_result) {
    EXPECT_TRUE(refused(values(0, 2, "abc")));
}
TEST_F(CorruptWorker, is_refused_for_a_stride_longer_than_the_frame) {
    EXPECT_TRUE(refused(values(0, ~std::uint64_t{0}, "abc")));
}
TEST_F(CorruptWorker, is_refused_for_a_result_that_claims_more_bytes_than_its_frame_has) {
    std::string lie = sized("abc");
    lie[0] = 127;
    EXPECT_TRUE(refused(values(0, 0, lie)));
    EXPECT_EQ(link.work().results(), 0u);
}
TEST_F(CorruptWorker, is_refused_for_an_error_record_that_claims_more_bytes_than_its_frame_has) {
    EXPECT_TRUE(refused(frame({.what = result_header::kind::error}, "xx")));
}

TEST_F(CorruptWorker, keeps_the_results_before_its_mistake) {
    send_up(values(0, 1, "ab") + values(7, 1, "c"));
    std::vector<scheduler::delivery> found;
    link.receive(1 << 20);
    EXPECT_THROW(link.collect(found), wire::protocol_error);
    EXPECT_EQ(summary(found), "1:0+2=ab;");
    EXPECT_EQ(link.work().results(), 2u);
    const auto unfinished = link.take_unfinished();
    ASSERT_EQ(unfinished.size(), 1u);
    EXPECT_EQ(unfinished[0].left(), 1u);
}

TEST_F(CorruptWorker, that_claims_a_huge_frame_gets_no_memory_and_no_result) {
    send_up(frame({.stride = 1, .length = std::uint64_t{1} << 62}, std::string(1000, 'x')));
    EXPECT_EQ(collected(), "");
    EXPECT_EQ(link.work().elements(), 3u);
}

TEST_F(CorruptWorker, that_sends_results_before_it_got_elements_is_refused) {
    worker_end = link.connect(memory.data());
    link.take_unfinished();
    send_up(values(0, 1, "x"));
    EXPECT_THROW(collected(), wire::protocol_error);
}

TEST_F(CorruptWorker, never_breaks_the_pool_whatever_it_sends) {
    std::mt19937 random(11);  // NOLINT(cert-msc51-cpp): the same bytes in each run
    for (int i = 0; i < 500; ++i) {
        worker_end = link.connect(memory.data());
        link.take_unfinished();
        give(0, 5);
        std::string stream = values(0, 2, "aabb") + error(2, "what") + values(3, 0, sized("x") + sized("yy"));
        for (auto changes = random() % 4; changes > 0; --changes)
            stream[random() % stream.size()] = static_cast<char>(random());
        refused(stream);
        EXPECT_LE(link.work().results(), 5u);
        // It may scribble over the memory that it shares, too.
        for (std::size_t at = 0; at < 10 * sizeof(std::uint64_t); at += sizeof(std::uint64_t)) {
            const std::uint64_t word =
                random() % 3 == 0 ? random() : random() % (worker::outbox_capacity + 10);
            std::memcpy(memory.data() + at, &word, sizeof word);
        }
        worker_end.reset();
        std::vector<scheduler::delivery> found;
        link.receive_rest();
        link.collect_remains(found);
        EXPECT_LE(link.work().results(), 5u);
        link.take_timing();
        while (const auto interrupted = link.interrupted()) link.take_interrupted(*interrupted->of);
        std::uint64_t left = 0;
        for (const auto& one : link.take_unfinished()) left += one.left();
        EXPECT_LE(left, 5u);
    }
}

TEST_F(CorruptWorker, may_tell_any_times) {
    box().told.busy_ns = std::numeric_limits<std::int64_t>::max();
    EXPECT_GT(link.take_timing().first, 0.0);
    box().told.busy_ns = std::numeric_limits<std::int64_t>::min();
    EXPECT_LT(link.take_timing().first, 0.0);
}

TEST_F(CorruptWorker, with_an_outbox_that_cannot_be_leaves_nothing) {
    for (const auto& [base, committed, open] :
         {std::array<std::uint64_t, 3>{1, 50, ~std::uint64_t{0}},  // it forgot what was never received
          std::array<std::uint64_t, 3>{0, worker::outbox_capacity + 1, ~std::uint64_t{0}},
          std::array<std::uint64_t, 3>{50, 1, 0}, std::array<std::uint64_t, 3>{0, ~std::uint64_t{0}, 0}}) {
        worker_end = link.connect(memory.data());
        box().base = base;
        box().committed = committed;
        box().open_frame = open;
        worker_end.reset();
        link.receive_rest();
        std::vector<scheduler::delivery> found;
        link.collect_remains(found);
        EXPECT_TRUE(found.empty()) << base << " " << committed;
    }
}

TEST_F(CorruptWorker, leaves_the_results_behind_its_garbage) {
    for (const std::string& garbage :
         {std::string("hello\n"), std::string("P"), std::string("PKR1PKR1"), values(0, 1, "").substr(0, 8),
          values(1, 1, "abc").substr(0, 34), frame({.sequence = 1, .stride = 1, .length = 1000}, "abc"),
          values(7, 1, "c"), values(1, 2, "abc"), values(1, 0, "abc")}) {
        worker_end = link.connect(memory.data());
        link.take_unfinished();
        give(0, 5);
        send_up(values(0, 1, "a") + garbage + values(1, 1, "b") + garbage + values(2, 0, sized("c")));
        put_into_outbox(values(3, 1, "d"));
        box().told.begun = 5;
        worker_end.reset();
        link.receive_rest();
        std::vector<scheduler::delivery> found;
        EXPECT_TRUE(link.collect_remains(found)) << garbage;
        EXPECT_EQ(link.work().results(), 4u) << garbage << ": " << summary(found);
        ASSERT_TRUE(link.interrupted());
        EXPECT_EQ(link.interrupted()->index, 4u);
    }
}

TEST_F(CorruptWorker, has_lost_the_results_that_it_has_sent_elsewhere) {
    box().told.claimed_and_recalls = 3;
    box().told.begun = 3;
    put_into_outbox(values(2, 1, "c"));
    worker_end.reset();
    link.receive_rest();
    std::vector<scheduler::delivery> found;
    link.collect_remains(found);
    EXPECT_EQ(summary(found), "") << "whose results these are isn't known";
    for (int lost = 0; lost < 3; ++lost) {
        const auto interrupted = link.interrupted();
        ASSERT_TRUE(interrupted) << lost;
        EXPECT_EQ(link.take_interrupted(*interrupted->of).first, static_cast<unsigned>(lost));
    }
    EXPECT_FALSE(link.interrupted());
}

// ---- before it dies

TEST_F(CorruptWorker, is_refused_for_a_part_of_a_frame_that_it_does_not_send) {
    const std::string result = values(0, 1, "abc");
    for (std::size_t cut = 1; cut < result.size(); ++cut) {
        worker_end = link.connect(memory.data());
        link.take_unfinished();
        give(0, 3);
        put_into_outbox(result);
        send_up(result.substr(0, cut));
        EXPECT_EQ(collected(), "");
        EXPECT_NO_THROW(link.check_unfinished()) << "it is being sent";
        box().committed = cut - 1;
        EXPECT_THROW(link.check_unfinished(), wire::protocol_error) << "so much isn't there";
        box().large_end = 1000;
        EXPECT_NO_THROW(link.check_unfinished()) << "it is too large for the outbox";
        box().large_end = 0;
        box().committed = result.size();
        memory[worker::outbox_offset + std::min<std::size_t>(cut, 32) - 1] ^= std::byte{1};
        EXPECT_THROW(link.check_unfinished(), wire::protocol_error) << "another one is being sent";
        box().base = result.size();
        EXPECT_NO_THROW(link.check_unfinished()) << "the rest must be in the pipe";
    }
}

TEST_F(CorruptWorker, is_found_out_when_it_waits_and_owes_results) {
    EXPECT_FALSE(link.send_probe()) << "it has not read what it got";
    sent_down();
    EXPECT_TRUE(link.send_probe());
    EXPECT_TRUE(link.write());
    EXPECT_FALSE(link.send_probe()) << "one question is enough";
    EXPECT_FALSE(link.owes_after_probe()) << "it may be busy";
    EXPECT_TRUE(frames_down().at(0).header.what == wire::task_header::kind::probe);
    send_up("x");
    EXPECT_FALSE(link.owes_after_probe()) << "that may be the answer";
    std::vector<scheduler::delivery> found;
    link.receive(100);
    EXPECT_TRUE(link.owes_after_probe());
}

TEST_F(CorruptWorker, owes_only_what_it_got_before_the_question) {
    sent_down();
    send_up(values(0, 1, "ab"));
    collected();
    EXPECT_TRUE(link.send_probe());
    link.give(job(1), block(3, 2));
    EXPECT_TRUE(link.write());
    send_up(values(2, 1, "c"));
    sent_down();
    collected();
    EXPECT_FALSE(link.owes_after_probe());
    EXPECT_TRUE(link.send_probe());
    box().told.claimed_and_recalls = 3;
    link.recall();
    link.give(job(1), block(5, 2));
    EXPECT_TRUE(link.write());
    sent_down();
    EXPECT_FALSE(link.owes_after_probe()) << "it was all taken back";
}

TEST_F(CorruptWorker, tells_what_can_not_be) {
    box().told.claimed_and_recalls = 3;
    box().told.begun = 2;
    box().told.ended = 1;
    EXPECT_TRUE(link.tells_the_possible());
    const auto lie = [&](std::atomic<std::uint64_t>& word, std::uint64_t value) {
        const std::uint64_t truth = word.exchange(value);
        EXPECT_FALSE(link.tells_the_possible()) << value;
        word = truth;
    };
    lie(box().told.ended, 3);
    lie(box().told.begun, 4);
    lie(box().told.begun, 0);
    lie(box().told.claimed_and_recalls, 1);
    lie(box().told.claimed_and_recalls, 4);
    send_up(values(0, 1, "ab"));
    collected();
    EXPECT_TRUE(link.tells_the_possible());
    lie(box().told.begun, 1);
}

TEST_F(CorruptWorker, that_claims_what_it_has_not_claimed_is_told_from_one_whose_elements_were_taken_back) {
    using claim_end = wire::activity::claim_end;
    EXPECT_EQ(box().told.claim(0, 2, 0), claim_end::claimed);
    link.recall();
    EXPECT_EQ(box().told.claim(2, 1, 0), claim_end::taken_back);
    EXPECT_EQ(box().told.claim(2, 1, 1), claim_end::claimed);
    box().told.claimed_and_recalls += 1;
    EXPECT_EQ(box().told.claim(3, 1, 1), claim_end::overwritten);
}

// ---- in the midst of a frame

/// A worker of which a part of a frame has come, and the process that it is.
class BrokenFrame : public WorkerLink {
protected:
    BrokenFrame() {
        give(0, 3);
        sent_down();
        const std::string result = values(0, 1, "abc");
        put_into_outbox(result);
        send_up(result.substr(0, 10));
        EXPECT_EQ(collected(), "");
        EXPECT_EQ(looked_at_after(0s), nullptr);
    }
    ~BrokenFrame() override {
        if (link.pid == 0) return;
        ::kill(pid(), SIGKILL);
        ::waitpid(pid(), nullptr, 0);
    }

    void is(void (*act)()) {
        link.pid = ::fork();
        if (link.pid != 0) return;
        act();
        ::_exit(0);
    }
    void receives(int signal, char state) const {
        ::kill(pid(), signal);
        EXPECT_TRUE(eventually([=, this] { return look_at(link.pid).state == state; }));
    }
    /// What the check says, for which so much time has passed.
    const char* looked_at_after(std::chrono::seconds time) {
        now += time;
        return check.find_fault(link, now);
    }
    pid_t pid() const { return static_cast<pid_t>(link.pid); }

    process::health_check check;
    procpool::detail::steady_time now = std::chrono::steady_clock::now();
};

void sleep_for_ever() {
    for (;;) ::pause();
}
void run_for_ever() {
    for (volatile bool on = true; on;) {
    }
}

TEST_F(BrokenFrame, condemns_a_worker_that_sleeps) {
    is(sleep_for_ever);
    receives(0, 'S');
    EXPECT_EQ(looked_at_after(1s), nullptr);
    EXPECT_NE(looked_at_after(2s), nullptr);
}

TEST_F(BrokenFrame, condemns_no_worker_that_was_stopped) {
    is(sleep_for_ever);  // in place of one that will send the rest
    for (int i = 0; i < 3; ++i) {
        receives(SIGSTOP, 'T');
        EXPECT_EQ(looked_at_after(2s), nullptr);
        EXPECT_EQ(looked_at_after(2s), nullptr);
        receives(SIGCONT, 'S');
        EXPECT_EQ(looked_at_after(2s), nullptr) << "when it has just been continued";
    }
    EXPECT_NE(looked_at_after(2s), nullptr) << "it sleeps";
}

TEST_F(BrokenFrame, condemns_no_worker_that_waits_for_a_cpu) {
    is(run_for_ever);
    receives(0, 'R');
    for (int i = 0; i < 3; ++i) EXPECT_EQ(looked_at_after(2s), nullptr) << "it has run for a moment only";
    EXPECT_NE(looked_at_after(20s), nullptr) << "it may be one that sleeps now and then";
}

TEST_F(BrokenFrame, condemns_no_worker_whose_rest_has_come_meanwhile) {
    is(sleep_for_ever);
    receives(0, 'S');
    EXPECT_EQ(looked_at_after(1s), nullptr);
    send_up("the rest");  // while the program was stopped
    EXPECT_EQ(looked_at_after(2s), nullptr);
}

}  // namespace corrupt_worker_test
