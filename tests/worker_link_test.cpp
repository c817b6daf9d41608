// SPDX-License-Identifier: MIT
// The pool's end of a worker, fed with frames made by hand: good ones, and those of a corrupt worker.
#include "procpool/detail/backend/worker_link.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace backend = procpool::detail::backend;
namespace posix = procpool::detail::posix;
namespace wire = procpool::detail::wire;
namespace worker = procpool::detail::worker;
using wire::result_header;
using wire::task_header;

class silent_job final : public backend::remote_job {
public:
    silent_job(std::uint64_t number, const std::string& definition, bool once = false)
        : remote_job(definition_of(definition), once) {
        id = number;
    }
    void accept(std::uint64_t, std::uint64_t, std::uint64_t, std::span<const std::byte>) override {}
    void fail(std::uint64_t, std::exception_ptr) override {}

private:
    static backend::task_definition definition_of(const std::string& text) {
        backend::task_definition definition;
        definition.bytes.append(text.data(), text.size());
        return definition;
    }
};

std::shared_ptr<silent_job> job(std::uint64_t number, const std::string& definition = "def", bool once = false) {
    return std::make_shared<silent_job>(number, definition, once);
}

backend::block block(std::uint64_t first, std::uint64_t count, const std::string& bytes = {}) {
    backend::block made;
    made.first = first;
    made.count = count;
    made.stride = count > 0 ? bytes.size() / count : 0;
    made.bytes.append(bytes.data(), bytes.size());
    return made;
}

std::string text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
std::string sized(const std::string& content) {
    const std::uint64_t size = content.size();
    return std::string(reinterpret_cast<const char*>(&size), sizeof size) + content;
}
std::string frame(result_header header, const std::string& payload) {
    if (header.length == 0) header.length = payload.size();
    return std::string(reinterpret_cast<const char*>(&header), sizeof header) + payload;
}
std::string values(std::uint64_t sequence, std::uint64_t stride, const std::string& payload) {
    return frame({.sequence = sequence, .stride = stride}, payload);
}
std::string error(std::uint64_t sequence, const std::string& record) {
    return frame({.what = result_header::kind::error, .sequence = sequence}, sized(record));
}

/// "first+count: bytes" of each delivery.
std::string summary(const std::vector<backend::delivery>& deliveries) {
    std::string all;
    for (const auto& one : deliveries)
        all += (one.what == backend::delivery::kind::error_record ? "error " : "") + std::to_string(one.job->id) +
               ":" + std::to_string(one.first) + "+" + std::to_string(one.count) + "=" + text(one.bytes) + ";";
    return all;
}

struct task_frame {
    task_header header;
    std::string payload;
};

class WorkerLink : public testing::Test {
protected:
    WorkerLink() { worker_end = link.connect(memory.data()); }

    void send_up(const std::string& bytes) {
        ASSERT_TRUE(posix::write_all(worker_end, reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()));
    }
    std::string collected() {
        std::vector<backend::delivery> found;
        link.receive(1 << 20);
        link.collect(found);
        return summary(found);
    }
    /// What the worker would read now.
    std::string sent_down() {
        posix::set_nonblocking(link.tasks_reader());
        std::string all;
        std::array<std::byte, 4096> piece{};
        for (;;) {
            const auto got = posix::read_some(link.tasks_reader(), piece.data(), piece.size());
            if (got.bytes == 0) return all;
            all += text({piece.data(), got.bytes});
        }
    }
    std::vector<task_frame> frames_down() {
        const std::string all = sent_down();
        wire::cursor from(std::as_bytes(std::span(all)));
        std::vector<task_frame> frames;
        while (from.left() > 0) {
            const auto header = from.value<task_header>();
            frames.push_back({header, text(from.take(static_cast<std::size_t>(header.length)))});
        }
        return frames;
    }
    void give(std::uint64_t first, std::uint64_t count, std::uint64_t number = 1) {
        link.give(job(number), block(first, count));
        EXPECT_TRUE(link.send());
    }
    worker::black_box& box() { return *std::launder(reinterpret_cast<worker::black_box*>(memory.data())); }

    struct alignas(4096) pages : std::array<std::byte, worker::slot_memory> {};
    std::unique_ptr<pages> memory_owner = std::make_unique<pages>();
    pages& memory = *memory_owner;
    backend::worker_link link;
    posix::fd worker_end;
};

// ---- down

TEST_F(WorkerLink, sends_a_jobs_definition_once_and_then_only_elements) {
    const auto repeated = job(7, "callable");
    link.give(repeated, block(0, 3, "aabbcc"));
    link.give(repeated, block(3, 1, "dd"));
    EXPECT_TRUE(link.send());
    EXPECT_EQ(link.out_elements(), 4u);
    EXPECT_EQ(link.out_bytes(), 8u);
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

TEST_F(WorkerLink, sends_a_single_calls_definition_with_each) {
    link.give(job(1, "f", true), block(0, 1, "x"));
    link.give(job(2, "f", true), block(0, 1, "y"));
    link.send();
    const auto frames = frames_down();
    ASSERT_EQ(frames.size(), 4u);
    EXPECT_TRUE(frames[0].header.what == task_header::kind::define_once);
    EXPECT_TRUE(frames[2].header.what == task_header::kind::define_once);
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
    link.send();
    std::vector<task_header::kind> kinds;
    for (const auto& one : frames_down()) kinds.push_back(one.header.what);
    using kind = task_header::kind;
    EXPECT_TRUE((kinds == std::vector{kind::define, kind::run, kind::forget, kind::define, kind::run, kind::define,
                                      kind::run}));
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
        done = link.send();
        all += sent_down();
    }
    EXPECT_GT(rounds, 2);
    EXPECT_EQ(all.size(), 3 * sizeof(task_header) + 3 + much.size() + 4);
    EXPECT_TRUE(all.find(much) != std::string::npos && all.ends_with("tail"));
}

TEST_F(WorkerLink, many_small_runs_go_out_in_order) {
    const auto repeated = job(1);
    for (std::uint64_t i = 0; i < 500; ++i) link.give(repeated, block(i, 1, std::to_string(i)));
    EXPECT_TRUE(link.send());
    const auto frames = frames_down();
    ASSERT_EQ(frames.size(), 501u);
    for (std::size_t i = 0; i < 500; ++i) EXPECT_EQ(frames[i + 1].payload, std::to_string(i));
}

TEST_F(WorkerLink, writing_to_a_dead_workers_pipe_is_no_error_and_no_signal) {
    worker_end.reset();  // the worker is dead; its task pipe is held open on our side
    const auto repeated = job(1);
    link.give(repeated, block(0, 1, std::string(300'000, 'x')));
    EXPECT_FALSE(link.send());
    EXPECT_EQ(link.take_unfinished().size(), 1u);
}

// ---- up

TEST_F(WorkerLink, results_belong_to_the_elements_in_the_order_in_which_they_were_sent) {
    give(10, 3, 1);
    give(0, 2, 2);
    send_up(values(0, 2, "aabb"));
    EXPECT_EQ(collected(), "1:10+2=aabb;");
    EXPECT_EQ(link.out_elements(), 3u);
    send_up(values(2, 2, "ccddee"));
    EXPECT_EQ(collected(), "1:12+1=cc;2:0+2=ddee;") << "one frame may hold results of two runs";
    EXPECT_EQ(link.out_elements(), 0u);
    EXPECT_EQ(link.out_bytes(), 0u);
    EXPECT_EQ(link.results_seen(), 5u);
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
    box().ended = 4;
    box().busy_ns = 1000;
    EXPECT_EQ(link.take_timing(), (std::pair{1000.0, 4.0}));
    EXPECT_EQ(link.take_timing(), (std::pair{0.0, 0.0}));
}

// ---- hostile: a corrupt worker

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

TEST_F(CorruptWorker, is_refused_for_bytes_that_are_no_frame) {
    EXPECT_TRUE(refused(std::string(100, 'x')));
}
TEST_F(CorruptWorker, is_refused_for_a_kind_of_frame_that_is_none) {
    EXPECT_TRUE(refused(frame({.what = static_cast<result_header::kind>(9)}, "x")));
}
TEST_F(CorruptWorker, is_refused_for_results_out_of_step) {
    EXPECT_TRUE(refused(values(1, 1, "x")));
}
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
    EXPECT_EQ(link.results_seen(), 0u);
}
TEST_F(CorruptWorker, is_refused_for_an_error_record_that_claims_more_bytes_than_its_frame_has) {
    EXPECT_TRUE(refused(frame({.what = result_header::kind::error}, "xx")));
}

TEST_F(CorruptWorker, keeps_the_results_before_its_mistake) {
    send_up(values(0, 1, "ab") + values(7, 1, "c"));
    std::vector<backend::delivery> found;
    link.receive(1 << 20);
    EXPECT_THROW(link.collect(found), wire::protocol_error);
    EXPECT_EQ(summary(found), "1:0+2=ab;");
    EXPECT_EQ(link.results_seen(), 2u);
    const auto unfinished = link.take_unfinished();
    ASSERT_EQ(unfinished.size(), 1u);
    EXPECT_EQ(unfinished[0].left(), 1u);
}

TEST_F(CorruptWorker, that_claims_a_huge_frame_gets_no_memory_and_no_result) {
    send_up(frame({.stride = 1, .length = std::uint64_t{1} << 62}, std::string(1000, 'x')));
    EXPECT_EQ(collected(), "");
    EXPECT_EQ(link.out_elements(), 3u);
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
        EXPECT_LE(link.results_seen(), 5u);
        // It may scribble over the memory that it shares, too.
        for (std::size_t at = 0; at < 10 * sizeof(std::uint64_t); at += sizeof(std::uint64_t)) {
            const std::uint64_t word = random() % 3 == 0 ? random() : random() % (worker::outbox_capacity + 10);
            std::memcpy(memory.data() + at, &word, sizeof word);
        }
        worker_end.reset();
        std::vector<backend::delivery> found;
        try {
            link.receive_remains();
            link.collect(found);
        } catch (const procpool::SerializationError&) {
        }
        link.take_timing();
        if (backend::run* const interrupted = link.interrupted()) link.drop_interrupted(*interrupted);
        std::uint64_t left = 0;
        for (const auto& one : link.take_unfinished()) left += one.left();
        EXPECT_LE(left, 5u);
    }
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
        link.receive_remains();
        std::vector<backend::delivery> found;
        link.collect(found);
        EXPECT_TRUE(found.empty()) << base << " " << committed;
    }
}

// ---- after a death

TEST_F(WorkerLink, only_an_element_that_was_begun_and_has_no_result_was_interrupted) {
    give(0, 2);
    give(2, 2);
    EXPECT_EQ(link.interrupted(), nullptr) << "nothing was begun";
    send_up(values(0, 1, "ab"));
    collected();
    box().begun = 2;
    EXPECT_EQ(link.interrupted(), nullptr) << "it died between two elements";
    box().begun = 3;
    backend::run* const interrupted = link.interrupted();
    ASSERT_NE(interrupted, nullptr);
    EXPECT_EQ(interrupted->elements.first + interrupted->results, 2u);
    link.drop_interrupted(*interrupted);
    EXPECT_EQ(link.out_elements(), 1u);
    const auto unfinished = link.take_unfinished();
    ASSERT_EQ(unfinished.size(), 1u);
    EXPECT_EQ(unfinished[0].left(), 1u);
    EXPECT_EQ(link.out_elements(), 0u);
    EXPECT_EQ(link.out_bytes(), 0u);
}

TEST_F(WorkerLink, a_new_worker_starts_afresh) {
    give(0, 3);
    send_up(values(0, 1, "a") + "part of a frame");
    collected();
    link.take_unfinished();
    worker_end = link.connect(memory.data());
    EXPECT_EQ(link.out_elements(), 0u);
    EXPECT_EQ(link.results_seen(), 0u);
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

}  // namespace
