// SPDX-License-Identifier: MIT
#include "procpool/detail/process/worker_link.hpp"
#include "procpool/detail/wire/frame_reader.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "support/worker_link.hpp"

namespace worker_link_test {

using namespace test;  // NOLINT(google-build-using-namespace): what the frames are made with
using wire::result_header;
using wire::task_header;

// ---- down

TEST_F(WorkerLink, sends_a_jobs_definition_once_and_then_only_elements) {
    const auto repeated = job(7, "callable");
    link.give(repeated, block(0, 3, "aabbcc"));
    link.give(repeated, block(3, 1, "dd"));
    EXPECT_TRUE(link.write());
    EXPECT_EQ(link.work().elements(), 4u);
    EXPECT_EQ(link.work().bytes(), 8u);
    const auto frames = frames_down();
    ASSERT_EQ(frames.size(), 3u);
    EXPECT_TRUE(frames[0].header.what == task_header::kind::define && frames[0].header.job == 7);
    EXPECT_EQ(frames[0].payload, "callable");
    EXPECT_TRUE(frames[1].header.what == task_header::kind::run && frames[1].header.job == 7);
    EXPECT_EQ(frames[1].header.count, 3u);
    EXPECT_EQ(frames[1].header.stride, 2u);
    EXPECT_EQ(frames[1].payload, "aabbcc");
    EXPECT_EQ(frames[2].payload, "dd");
}

TEST_F(WorkerLink, sends_the_definition_of_single_calls_again_only_when_it_changes) {
    link.give(job(1, "f", true), block(0, 1, "x"));
    link.give(job(2, "f", true), block(0, 1, "y"));
    link.write();
    const auto frames = frames_down();
    ASSERT_EQ(frames.size(), 4u);
    EXPECT_TRUE(frames[0].header.what == task_header::kind::define_once);
    EXPECT_TRUE(frames[2].header.what == task_header::kind::define_again);
    EXPECT_EQ(frames[2].payload, "");
    EXPECT_TRUE(frames[3].header.job == 2);
    link.give(job(3, "g", true), block(0, 1, "y"));
    link.write();
    EXPECT_TRUE(frames_down()[0].header.what == task_header::kind::define_once);
    link.forget(1);  // not needed: the worker has forgotten it
    give(0, 1, 3);
    EXPECT_TRUE(frames_down()[0].header.what == task_header::kind::define);
}

TEST_F(WorkerLink, tells_the_worker_which_jobs_are_over_and_defines_them_anew_if_they_come_back) {
    const auto first = job(1);
    link.give(first, block(0, 1, "x"));
    link.forget(1);
    link.forget(99);
    link.give(job(2), block(0, 1, "y"));
    link.give(first, block(1, 1, "z"));
    link.write();
    std::vector<task_header::kind> kinds;
    for (const auto& one : frames_down()) kinds.push_back(one.header.what);
    using kind = task_header::kind;
    EXPECT_TRUE((kinds == std::vector{kind::define, kind::run, kind::forget, kind::define, kind::run,
                                      kind::define, kind::run}));
}

TEST_F(WorkerLink, a_full_pipe_takes_the_rest_later) {
    std::string much(300'000, 'x');
    for (std::size_t i = 0; i < much.size(); ++i) much[i] = static_cast<char>(i * 7 % 251);
    const auto repeated = job(1);
    link.give(repeated, block(0, 1, much));
    link.give(repeated, block(1, 1, "tail"));
    std::string all;
    int rounds = 0;
    for (bool done = false; !done; ++rounds) {
        done = link.write();
        all += sent_down();
    }
    EXPECT_GT(rounds, 2);
    EXPECT_EQ(all.size(), 3 * sizeof(task_header) + 3 + much.size() + 4);
    EXPECT_TRUE(all.find(much) != std::string::npos && all.ends_with("tail"));
}

TEST_F(WorkerLink, many_small_runs_go_out_in_order) {
    const auto repeated = job(1);
    for (std::uint64_t i = 0; i < 500; ++i) link.give(repeated, block(i, 1, std::to_string(i)));
    EXPECT_TRUE(link.write());
    const auto frames = frames_down();
    ASSERT_EQ(frames.size(), 501u);
    for (std::size_t i = 0; i < 500; ++i) EXPECT_EQ(frames[i + 1].payload, std::to_string(i));
}

/// An element with room for frames in front of it, as single calls are made.
scheduler::block with_room(const std::string& bytes) {
    scheduler::block made = block(0, 1, std::string(scheduler::block::room_for_frames, '?') + bytes);
    made.begin = scheduler::block::room_for_frames;
    made.stride = bytes.size();
    return made;
}

TEST_F(WorkerLink, frames_go_in_front_of_an_element_where_there_is_room) {
    const std::string large(300'000, 'x');
    link.give(job(1, "f", true), with_room("first"));
    link.give(job(2, "f", true), with_room("second"));
    link.give(job(3, "f", true), with_room(large));
    link.give(job(4, "g", true), with_room("other"));
    EXPECT_EQ(link.work().bytes(), 5 + 6 + large.size() + 5);
    std::string all;
    for (bool done = false; !done;) {
        done = link.write();
        all += sent_down();
    }
    const auto frames = frames_of(all);
    using kind = task_header::kind;
    std::vector<kind> kinds;
    for (const auto& one : frames) kinds.push_back(one.header.what);
    ASSERT_TRUE((kinds == std::vector{kind::define_once, kind::run, kind::define_again, kind::run,
                                      kind::define_again, kind::run, kind::define_once, kind::run}));
    EXPECT_EQ(frames[1].payload, "first");
    EXPECT_EQ(frames[3].payload, "second");
    EXPECT_TRUE(frames[5].payload == large);
    EXPECT_EQ(frames[6].payload, "g");
    EXPECT_EQ(frames[7].payload, "other");
}

TEST_F(WorkerLink, an_element_with_frames_in_front_goes_to_another_worker_as_it_was) {
    const auto call = job(1, "f", true);
    link.give(call, with_room("argument"));
    link.write();
    std::deque<scheduler::run> left = link.take_unfinished();
    ASSERT_EQ(left.size(), 1u);
    EXPECT_EQ(text(left.front().elements.payload()), "argument");
    frames_down();
    link.give(call, std::move(left.front().elements));
    link.write();
    const auto frames = frames_down();
    ASSERT_EQ(frames.size(), 2u);
    EXPECT_EQ(frames[1].payload, "argument");

    link.give(call, with_room("again"));
    const auto back = link.recall();
    ASSERT_EQ(back.size(), 2u);
    EXPECT_EQ(text(back[0].elements.payload()), "argument");
    EXPECT_EQ(text(back[1].elements.payload()), "again");
    link.write();
    EXPECT_EQ(frames_down()[1].payload, "again") << "the worker skips it";
}

TEST_F(WorkerLink, writing_to_a_dead_workers_pipe_is_no_error_and_no_signal) {
    worker_end.reset();  // the worker is dead; its task pipe is held open on our side
    const auto repeated = job(1);
    link.give(repeated, block(0, 1, std::string(300'000, 'x')));
    EXPECT_FALSE(link.write());
    EXPECT_EQ(link.take_unfinished().size(), 1u);
}

// ---- what it has got

TEST_F(WorkerLink, what_waits_in_a_worker_is_what_it_has_not_claimed) {
    scheduler::task_timing usual;
    const auto timed = job(1);
    timed->timing = &usual;
    link.give(timed, block(0, 5, "abcde"));
    link.write();
    EXPECT_EQ(link.work().waiting_ns(0), 0) << "how long an element takes is not known";
    usual.add(3000, 3);
    EXPECT_EQ(link.work().waiting_ns(0), 5000);
    EXPECT_EQ(link.work().waiting_ns(2), 3000);
    EXPECT_EQ(link.work().waiting_ns(5), 0);
    EXPECT_EQ(link.work().waiting_ns(99), 0);
    send_up(values(0, 1, "ab"));
    collected();
    EXPECT_EQ(link.work().waiting_ns(2), 3000) << "those with results were claimed, too";
    link.recall();
    EXPECT_EQ(link.work().waiting_ns(2), 0);
}

TEST_F(WorkerLink, is_patient_if_all_that_it_has_got_is) {
    const auto bulk = job(1);
    bulk->bulk = true;
    link.give(bulk, block(0, 1, "a"));
    EXPECT_TRUE(link.work().bulk());
    give(0, 1, 2);
    EXPECT_FALSE(link.work().bulk());
}

// ---- up

TEST_F(WorkerLink, results_belong_to_the_elements_in_the_order_in_which_they_were_sent) {
    give(10, 3, 1);
    give(0, 2, 2);
    send_up(values(0, 2, "aabb"));
    EXPECT_EQ(collected(), "1:10+2=aabb;");
    EXPECT_EQ(link.work().elements(), 3u);
    send_up(values(2, 2, "ccddee"));
    EXPECT_EQ(collected(), "1:12+1=cc;2:0+2=ddee;") << "one frame may hold results of two runs";
    EXPECT_EQ(link.work().elements(), 0u);
    EXPECT_EQ(link.work().bytes(), 0u);
    EXPECT_EQ(link.work().results(), 5u);
}

TEST_F(WorkerLink, results_of_different_sizes_and_errors_mix) {
    give(0, 4);
    send_up(values(0, 0, sized("long result") + sized("")) + error(2, "what") + values(3, 1, "x"));
    EXPECT_EQ(collected(), "1:0+2=" + sized("long result") + sized("") + ";error 1:2+1=what;1:3+1=x;");
}

TEST_F(WorkerLink, finds_the_same_results_wherever_the_stream_is_cut) {
    const std::string stream = values(0, 1, "ab") + error(2, "oops") + values(3, 0, sized("cd"));
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
        worker_end = link.connect(memory.data());
        link.take_unfinished();
        give(0, 4);
        send_up(stream.substr(0, cut));
        std::string all = collected();
        send_up(stream.substr(cut));
        all += collected();
        EXPECT_EQ(all, "1:0+2=ab;error 1:2+1=oops;1:3+1=" + sized("cd") + ";") << cut;
    }
}

TEST_F(WorkerLink, a_frame_without_results_changes_nothing) {
    give(0, 1);
    send_up(values(0, 8, "") + values(0, 0, "") + values(0, 1, "x"));
    EXPECT_EQ(collected(), "1:0+1=x;");
}

TEST_F(WorkerLink, a_release_between_runs_counts_no_results) {
    give(0, 1);
    send_up(frame({.pinned = 1, .stride = 1}, "x"));
    EXPECT_EQ(collected(), "1:0+1=x;");
    EXPECT_TRUE(link.take_pinned());
    EXPECT_FALSE(link.take_pinned());
    link.send_release();
    give(1, 1);
    const auto frames = frames_down();
    ASSERT_GE(frames.size(), 3u);
    EXPECT_TRUE(frames[2].header.what == task_header::kind::release);
    EXPECT_EQ(frames[2].header.count, 1u);
    send_up(values(1, 1, "y"));
    EXPECT_EQ(collected(), "1:1+1=y;");
}

TEST_F(WorkerLink, tells_the_time_of_elements_once) {
    box().told.ended = 4;
    box().told.busy_ns = 1000;
    EXPECT_EQ(link.take_timing(), (std::pair{1000.0, 4.0}));
    EXPECT_EQ(link.take_timing(), (std::pair{0.0, 0.0}));
}

// ---- early: from the outbox of a worker that lives

TEST_F(WorkerLink, results_that_are_held_back_are_taken_once) {
    give(0, 4);
    put_into_outbox(values(0, 1, "a") + values(1, 1, "b"));
    EXPECT_EQ(collected_early(), "1:0+1=a;1:1+1=b;");
    EXPECT_EQ(link.work().elements(), 2u);
    EXPECT_EQ(collected_early(), "") << "nothing new";
    send_up(values(0, 1, "a") + values(1, 1, "bc"));
    EXPECT_EQ(collected(), "1:2+1=c;") << "the rest of a frame whose beginning is known";
    EXPECT_EQ(link.work().results(), 3u);
}

TEST_F(WorkerLink, a_frame_that_is_still_being_filled_is_taken_as_far_as_it_goes) {
    give(0, 5);
    std::string open = values(0, 1, "");
    put_into_outbox(open + "abc", 0);
    EXPECT_EQ(collected_early(), "1:0+3=abc;");
    put_into_outbox(open + "abcd", 0);
    EXPECT_EQ(collected_early(), "1:3+1=d;");
    send_up(values(0, 1, "abcd") + error(4, "what"));
    EXPECT_EQ(collected(), "error 1:4+1=what;");
}

TEST_F(WorkerLink, an_error_that_was_taken_early_comes_once) {
    give(0, 2);
    put_into_outbox(error(0, "what"));
    EXPECT_EQ(collected_early(), "error 1:0+1=what;");
    send_up(error(0, "what") + values(1, 1, "x"));
    EXPECT_EQ(collected(), "1:1+1=x;");
}

TEST_F(WorkerLink, nothing_is_taken_early_while_the_pipe_comes_first) {
    give(0, 2);
    send_up(values(0, 1, "a"));
    put_into_outbox(values(1, 1, "b"));
    box().base = values(0, 1, "a").size();
    box().committed = box().base + values(1, 1, "b").size();
    EXPECT_EQ(collected_early(), "") << "it is not received yet";
    EXPECT_EQ(collected(), "1:0+1=a;");
    EXPECT_EQ(collected_early(), "1:1+1=b;");
}

TEST_F(WorkerLink, what_was_taken_early_is_not_taken_again_after_a_death) {
    give(0, 3);
    put_into_outbox(values(0, 1, "ab"));
    EXPECT_EQ(collected_early(), "1:0+2=ab;");
    put_into_outbox(values(0, 1, "ab") + values(2, 1, "c"));
    worker_end.reset();
    link.receive_rest();
    std::vector<scheduler::delivery> rest;
    EXPECT_FALSE(link.collect_remains(rest));
    EXPECT_EQ(summary(rest), "1:2+1=c;");
}

TEST_F(WorkerLink, knows_what_runs_and_since_when) {
    give(0, 2, 1);
    give(7, 2, 2);
    EXPECT_FALSE(link.now_running());
    box().told.begun = 1;
    box().told.begun_at = 1000;
    auto running = link.now_running();
    ASSERT_TRUE(running);
    EXPECT_EQ(running->index, 0u);
    EXPECT_EQ(running->since, 1000);
    box().told.ended = 1;
    EXPECT_FALSE(link.now_running()) << "between two elements";
    box().told.begun = 4;
    box().told.ended = 3;
    running = link.now_running();
    ASSERT_TRUE(running);
    EXPECT_EQ(running->index, 8u) << "results that wait in the outbox are counted";
    EXPECT_EQ(running->number, 3u);
    EXPECT_EQ(running->of->job->id, 2u);
    box().told.begun = 1000;
    EXPECT_FALSE(link.now_running()) << "a corrupt worker has begun more than it was given";
}

TEST_F(WorkerLink, what_runs_was_begun_after_the_last_look_that_saw_another_element) {
    give(0, 3);
    box().told.begun = 1;
    box().told.begun_at = 1000;
    EXPECT_TRUE(link.progresses(procpool::detail::steady_time(std::chrono::nanoseconds(2000))));
    EXPECT_EQ(link.now_running()->since, 1000);
    EXPECT_FALSE(link.progresses(procpool::detail::steady_time(std::chrono::nanoseconds(3000))));
    box().told.begun = 2;  // the worker has not looked at its clock in between
    EXPECT_TRUE(link.progresses(procpool::detail::steady_time(std::chrono::nanoseconds(4000))));
    EXPECT_EQ(link.now_running()->since, 3000);
    box().told.begun_at = 3500;
    EXPECT_EQ(link.now_running()->since, 3500);
}

// ---- taking back

TEST_F(WorkerLink, what_is_not_claimed_comes_back_and_its_results_are_not_expected) {
    link.taken = 0;
    give(10, 3, 1);
    give(5, 2, 2);
    EXPECT_TRUE(claim(1, 0));
    EXPECT_TRUE(claim(1, 0));
    const auto back = link.recall();
    ASSERT_EQ(back.size(), 2u);
    EXPECT_TRUE(back[0].job->id == 1 && back[0].elements.first == 12 && back[0].elements.count == 1);
    EXPECT_TRUE(back[1].job->id == 2 && back[1].elements.first == 5 && back[1].elements.count == 2);
    EXPECT_EQ(link.work().elements(), 2u);
    EXPECT_EQ(link.taken, 2u);
    EXPECT_FALSE(claim(1, 0)) << "the worker may begin nothing that it got before";
    EXPECT_EQ(box().told.claimed_and_recalls % wire::activity::first_recall, 2u);
    EXPECT_TRUE(link.write());
    const auto frames = frames_down();
    EXPECT_TRUE(frames.back().header.what == task_header::kind::recalled && frames.back().header.count == 1);
    EXPECT_TRUE(claim(1, 1)) << "but what comes after the notice";
    give(20, 1, 3);
    send_up(values(0, 1, "abc"));
    EXPECT_EQ(collected(), "1:10+2=ab;3:20+1=c;");
}

TEST_F(WorkerLink, what_is_claimed_together_is_not_taken_back_in_part) {
    give(0, 5);
    EXPECT_TRUE(claim(3, 0));
    box().told.begun = 1;
    const auto back = link.recall();
    ASSERT_EQ(back.size(), 1u);
    EXPECT_TRUE(back[0].elements.first == 3 && back[0].elements.count == 2);
}

TEST_F(WorkerLink, taking_back_twice_needs_two_notices) {
    give(0, 2);
    EXPECT_EQ(link.recall().size(), 1u);
    give(2, 2);
    EXPECT_EQ(link.recall().size(), 1u);
    EXPECT_FALSE(claim(1, 1));
    EXPECT_TRUE(claim(1, 2));
    EXPECT_TRUE(link.recall().empty());
}

TEST_F(WorkerLink, elements_keep_their_bytes_when_a_part_is_taken_back_and_the_worker_dies) {
    const auto one_job = job(1);
    link.give(one_job, block(0, 4, "aabbccdd"));
    EXPECT_TRUE(link.write());
    claim(1, 0);
    const auto back = link.recall();
    EXPECT_EQ(test::text(back.at(0).elements.payload()), "bbccdd");
    EXPECT_EQ(link.work().bytes(), 2u);
    const auto unfinished = link.take_unfinished();
    EXPECT_EQ(test::text(unfinished.at(0).elements.payload()), "aa");
    EXPECT_EQ(unfinished.at(0).left(), 1u);
}

TEST_F(WorkerLink, results_of_what_was_taken_back_are_refused) {
    give(0, 2);
    link.recall();
    send_up(values(0, 1, "a"));
    EXPECT_THROW(collected(), wire::protocol_error);
}

// ---- after a death

TEST_F(WorkerLink, only_an_element_that_was_begun_and_has_no_result_was_interrupted) {
    give(0, 2);
    give(2, 2);
    EXPECT_FALSE(link.interrupted()) << "nothing was begun";
    send_up(values(0, 1, "ab"));
    collected();
    box().told.begun = 2;
    EXPECT_FALSE(link.interrupted()) << "it died between two elements";
    box().told.begun = 3;
    const auto interrupted = link.interrupted();
    ASSERT_TRUE(interrupted);
    EXPECT_EQ(interrupted->index, 2u);
    EXPECT_EQ(interrupted->number, 2u);
    EXPECT_EQ(link.take_interrupted(*interrupted->of).first, 2u);
    EXPECT_EQ(link.work().elements(), 1u);
    const auto unfinished = link.take_unfinished();
    ASSERT_EQ(unfinished.size(), 1u);
    EXPECT_EQ(unfinished[0].left(), 1u);
    EXPECT_EQ(link.work().elements(), 0u);
    EXPECT_EQ(link.work().bytes(), 0u);
}

TEST_F(WorkerLink, a_new_worker_starts_afresh) {
    give(0, 3);
    send_up(values(0, 1, "a") + "part of a frame");
    collected();
    link.take_unfinished();
    worker_end = link.connect(memory.data());
    EXPECT_EQ(link.work().elements(), 0u);
    EXPECT_EQ(link.work().results(), 0u);
    give(5, 1);
    EXPECT_TRUE(frames_down()[0].header.what == task_header::kind::define) << "it knows no job yet";
    send_up(values(0, 1, "b"));
    EXPECT_EQ(collected(), "1:5+1=b;");
}

TEST_F(WorkerLink, the_end_of_its_results_is_seen) {
    collected();
    EXPECT_FALSE(link.ended());
    worker_end.reset();
    collected();
    EXPECT_TRUE(link.ended());
}

}  // namespace worker_link_test
