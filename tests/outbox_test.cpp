// SPDX-License-Identifier: MIT
// Results in an outbox survive the death of their worker at every point: what the pool's end of the
// link (detail/process/worker_link.hpp) finds afterwards is each result that was put, once, in order.
#include "procpool/detail/worker/outbox_impl.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <cereal/types/memory.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/signal.hpp"
#include "support/outbox_steps.hpp"
#include "support/rounds.hpp"

namespace outbox_test {

namespace os = procpool::detail::os;
namespace process = procpool::detail::process;
namespace scheduler = procpool::detail::scheduler;
namespace wire = procpool::detail::wire;
namespace worker = procpool::detail::worker;

using namespace test::outbox_steps;

constexpr std::size_t capacity = worker::outbox_capacity;

/// A life of a worker with everything in it.
std::vector<step> eventful_life() {
    const std::string large(capacity + 1000, 'L');
    const std::string nearly_full(capacity - 200, 'N');
    return {flush(),
            flat("12345678"),
            flat("abcdefgh"),
            in_a_row({"row_of_a", "row_of_b", "row_of_c"}),
            flat("abcd"),
            in_a_row({}),
            encoded("text"),
            encoded(""),
            in_a_row({"in_a_row"}),
            in_a_row({}),
            flush(),
            in_a_row({}),
            flush(),
            encoded("more"),
            flat("12345678"),
            failed("why"),
            in_a_row({}),
            failed("again"),
            in_a_row({"after_it", "and_more"}),
            encoded("x"),
            pinned("held"),
            pinned("held2"),
            flat("ABCDEFGH"),
            encoded(large),
            flat("abcdefgh"),
            flush(),
            flush(),
            encoded(nearly_full),
            encoded("small"),
            flat("12345678"),
            failed(large),
            pinned(large),
            flat(large),
            flat("12345678"),
            encoded(nearly_full),
            encoded(nearly_full),
            in_a_row({"in_a_row"}),
            flush(),
            flat("z")};
}

TEST(Outbox, no_result_is_lost_wherever_the_worker_dies) {
    const auto life = eventful_life();
    for (std::size_t death = 0; death <= life.size(); ++death) {
        pools_end pool;
        {
            worker::outbox box = pool.make_outbox();
            for (std::size_t i = 0; i < death; ++i) {
                life[i].act(box);
                if (i % 8 == 7) pool.receive();  // or else the pipe would be full
            }
        }
        pool.receive_remains();
        EXPECT_EQ(pool.results == results_of(life, death), true) << "died after step " << death;
        EXPECT_EQ(pool.link.work().results(), pool.results.size());
    }
}

TEST(Outbox, no_result_comes_twice_however_often_the_pool_reads) {
    const auto life = eventful_life();
    for (std::size_t death = 0; death <= life.size(); ++death) {
        pools_end pool;
        {
            worker::outbox box = pool.make_outbox();
            for (std::size_t i = 0; i < death; ++i) {
                life[i].act(box);
                pool.receive();
            }
        }
        pool.receive_remains();
        pool.receive_remains();
        EXPECT_EQ(pool.results == results_of(life, death), true) << "died after step " << death;
    }
}

TEST(Outbox, no_result_is_lost_if_the_worker_dies_in_the_middle_of_a_flush) {
    const std::vector<step> life{flat("12345678"), flat("abcdefgh"), encoded("text"), failed("why"),
                                 encoded("end")};
    const auto expected = results_of(life, life.size());
    std::size_t total = 1;
    for (std::size_t cut = 0; cut <= total; ++cut) {
        pools_end pool;
        os::pipe_ends whole = os::make_pipe();
        worker::outbox box(pool.box(), pool.bytes(), std::move(whole.write));
        for (const step& next : life) next.act(box);
        const std::uint64_t base = pool.box().base;
        box.flush();
        std::vector<std::byte> sent(4096);
        sent.resize(os::read_some(whole.read, sent.data(), sent.size()).bytes);
        total = sent.size();
        // The moment when so many bytes were written and write() has not returned yet.
        pool.box().base = base;
        os::write_all(pool.pipe, sent.data(), cut);
        pool.pipe.reset();
        pool.receive_remains();
        EXPECT_EQ(pool.results, expected) << cut << " of " << total << " bytes";
    }
    EXPECT_GT(total, 100u);
}

TEST(Outbox, a_result_that_was_not_complete_is_not_there) {
    pools_end pool;
    {
        worker::outbox box = pool.make_outbox();
        flat("12345678").act(box);
        std::memset(pool.bytes() + sizeof(wire::result_header) + 8, 0xEE, 4);  // half of the next result
    }
    pool.receive_remains();
    EXPECT_EQ(pool.results, std::vector<std::string>{"12345678"});

    pools_end other;
    {
        worker::outbox box = other.make_outbox();
        flat("12345678").act(box);
        box.flush();
        other.box().open_frame = other.box().committed.load();  // a frame without results yet
    }
    other.receive_remains();
    EXPECT_EQ(other.results, std::vector<std::string>{"12345678"});
}

// ---- frames

TEST(Outbox, results_of_one_kind_share_a_frame) {
    pools_end pool;
    worker::outbox box = pool.make_outbox();
    for (int i = 0; i < 100; ++i) flat("12345678").act(box);
    box.flush();
    EXPECT_EQ(pool.box().committed, sizeof(wire::result_header) + 800);
    for (int i = 0; i < 100; ++i) encoded("abcd").act(box);
    box.flush();
    EXPECT_EQ(pool.box().committed, 2 * sizeof(wire::result_header) + 800 + 100 * (8 + 4));
    flat("12345678").act(box);
    for (int i = 0; i < 50; ++i) in_a_row({"12345678", "abcdefgh"}).act(box);
    box.flush();
    EXPECT_EQ(pool.box().committed, 3 * sizeof(wire::result_header) + 800 + 100 * (8 + 4) + 101 * 8);
    pool.receive();
    EXPECT_EQ(pool.results.size(), 301u);
}

TEST(Outbox, nothing_is_sent_before_a_flush) {
    pools_end pool;
    worker::outbox box = pool.make_outbox();
    EXPECT_TRUE(box.empty());
    flat("12345678").act(box);
    EXPECT_FALSE(box.empty());
    pool.receive();
    EXPECT_TRUE(pool.results.empty());
    box.flush();
    EXPECT_TRUE(box.empty());
    pool.receive();
    EXPECT_EQ(pool.results.size(), 1u);
}

TEST(Outbox, a_full_one_sends_what_it_has) {
    pools_end pool;
    worker::outbox box = pool.make_outbox();
    std::size_t count = 0;
    for (bool was_half_full = false; count < 2 * capacity / 8; ++count) {
        flat("12345678").act(box);
        EXPECT_TRUE(!was_half_full || box.half_full() || pool.box().base > 0) << count;
        was_half_full = box.half_full();
    }
    EXPECT_GT(pool.box().base, 0u);
    box.flush();
    pool.receive();
    EXPECT_EQ(pool.results.size(), count);
}

TEST(Outbox, is_half_full_with_more_than_half_of_its_capacity) {
    pools_end pool;
    worker::outbox box = pool.make_outbox();
    const std::size_t used = sizeof(wire::result_header) + 8;
    encoded(std::string(capacity / 2 - used, 'x')).act(box);
    EXPECT_FALSE(box.half_full());
    failed("").act(box);
    EXPECT_TRUE(box.half_full());
    box.flush();
    EXPECT_FALSE(box.half_full());
}

TEST(Outbox, results_of_any_size_around_its_capacity_arrive) {
    for (const std::size_t around : {capacity - sizeof(wire::result_header), capacity})
        for (std::size_t size = around - 20; size <= around + 20; ++size) {
            pools_end pool;
            const std::vector<step> life{flat("1"), encoded(std::string(size, 'e')),
                                         flat(std::string(size, 'f')), flat("2"),
                                         failed(std::string(size, 'g'))};
            {
                worker::outbox box = pool.make_outbox();
                for (const step& next : life) next.act(box);
            }
            pool.receive_remains();
            EXPECT_EQ(pool.results == results_of(life, life.size()), true) << size;
        }
}

TEST(Outbox, large_results_go_directly_after_those_before_them) {
    pools_end pool;
    worker::outbox box = pool.make_outbox();
    flat("12345678").act(box);
    encoded(std::string(2 * capacity, 'L')).act(box);
    pool.receive();
    ASSERT_EQ(pool.results.size(), 2u);
    EXPECT_EQ(pool.results[1], std::string(2 * capacity, 'L'));
    EXPECT_TRUE(box.empty());
}

TEST(Outbox, a_frame_for_which_no_result_came_is_not_sent) {
    pools_end pool;
    worker::outbox box = pool.make_outbox();
    in_a_row({}).act(box);
    box.flush();
    EXPECT_EQ(pool.box().committed, 0u);
    flat("abcd").act(box);
    in_a_row({}).act(box);
    std::vector<scheduler::delivery> early;
    EXPECT_TRUE(pool.link.collect_early(early));
    EXPECT_EQ(early.size(), 1u);
    box.flush();
    EXPECT_EQ(pool.box().committed, sizeof(wire::result_header) + 4);
}

TEST(Outbox, a_row_is_no_longer_than_there_is_room) {
    pools_end pool;
    worker::outbox box = pool.make_outbox();
    constexpr std::size_t size = 24;
    const std::string text(size, 'r');
    std::size_t count = 0;
    for (int row = 0; row < 3; ++row) {
        worker::outbox::flat_results<size> results(box);
        EXPECT_EQ(results.room(), (capacity - sizeof(wire::result_header)) / size);
        for (std::size_t i = 0; i < results.room(); ++i, ++count) results.put(text.data());
    }
    box.flush();
    pool.receive();
    EXPECT_EQ(pool.results, std::vector<std::string>(count, text));
}

// ---- what results refer to

TEST(Outbox, what_a_result_refers_to_lives_until_it_is_released) {
    pools_end pool;
    worker::outbox box = pool.make_outbox();
    auto object = std::make_shared<int>(1);
    const std::weak_ptr<int> alive = object;
    const wire::sink to = box.scratch();
    to.to.append("x", 1);
    to.held.push_back(std::move(object));
    box.put_encoded();
    encoded("plain").act(box);
    box.flush();
    EXPECT_FALSE(alive.expired());
    pool.receive();
    EXPECT_EQ(pool.results, (std::vector<std::string>{"x", "plain"}));
    EXPECT_TRUE(pool.link.take_pinned());
    EXPECT_FALSE(pool.link.take_pinned()) << "told once";
    box.release_pins(0);
    EXPECT_FALSE(alive.expired());
    box.release_pins(1);
    EXPECT_TRUE(alive.expired());
}

TEST(Outbox, an_error_lets_go_of_what_the_failed_result_referred_to) {
    pools_end pool;
    worker::outbox box = pool.make_outbox();
    auto object = std::make_shared<int>(1);
    const std::weak_ptr<int> alive = object;
    box.scratch().held.push_back(std::move(object));
    failed("no").act(box);
    EXPECT_TRUE(alive.expired());
    encoded("plain").act(box);
    box.flush();
    pool.receive();
    EXPECT_EQ(pool.results, (std::vector<std::string>{"error no", "plain"}));
    EXPECT_FALSE(pool.link.take_pinned());
}

// ---- real processes

std::string result_number(std::uint64_t n) {
    if (n % 997 == 5) return std::string(capacity + n, 'L');
    if (n % 3 == 0) return "flat" + std::string(reinterpret_cast<const char*>(&n), sizeof n);
    return std::string(n * 37 % 3000, static_cast<char>('a' + n % 26));
}

/// A worker that puts numbered results until it is killed, and counts them.
pid_t fork_busy_worker(pools_end& pool) {
    const std::array keep{pool.pipe.get(), pool.file.get()};
    const pid_t pid = os::fork_process(keep, [&] {
        const os::mapping memory(os::fd(keep[1]), 0, worker::slot_memory);
        auto& black_box = *std::launder(reinterpret_cast<worker::black_box*>(memory.data()));
        worker::outbox box(black_box, memory.data() + worker::outbox_offset, os::fd(keep[0]));
        for (std::uint64_t n = 0;; ++n) {
            const std::string text = result_number(n);
            (n % 3 == 0 ? flat(text) : n % 7 == 1 ? failed(text) : encoded(text)).act(box);
            black_box.told.ended = n + 1;
            if (box.half_full()) box.flush();
        }
        return 0;
    });
    pool.pipe.reset();
    return pid;
}

TEST(Outbox, a_killed_process_leaves_each_result_that_it_has_put) {
    for (std::uint64_t round = 0; round < static_cast<std::uint64_t>(test::rounds(20)); ++round) {
        pools_end pool;
        const pid_t pid = fork_busy_worker(pool);
        while (pool.results.size() < 100 * round) {
            pollfd ready{pool.link.results().get(), POLLIN, 0};
            ASSERT_EQ(::poll(&ready, 1, 30'000), 1);
            pool.receive();
        }
        ::kill(pid, SIGKILL);
        ASSERT_EQ(::waitpid(pid, nullptr, 0), pid);
        pool.receive_remains();
        const std::uint64_t ended = pool.box().told.ended;
        EXPECT_GE(pool.results.size(), ended);
        EXPECT_LE(pool.results.size(), ended + 1);
        for (std::uint64_t n = 0; n < pool.results.size(); ++n) {
            const bool is_error = n % 3 != 0 && n % 7 == 1;
            ASSERT_EQ(pool.results[n] == (is_error ? "error " : "") + result_number(n), true) << n;
        }
    }
}

TEST(Outbox, a_worker_whose_pool_is_gone_ends) {
    pools_end pool;
    const std::array keep{pool.pipe.get(), pool.file.get()};
    const pid_t pid = os::fork_process(keep, [&] {
        os::set_signal(SIGPIPE, SIG_IGN);  // as some programs do
        const os::mapping memory(os::fd(keep[1]), 0, worker::slot_memory);
        worker::outbox box(*std::launder(reinterpret_cast<worker::black_box*>(memory.data())),
                           memory.data() + worker::outbox_offset, os::fd(keep[0]));
        for (;;) {
            flat("12345678").act(box);
            box.flush();
        }
        return 0;
    });
    pool.pipe.reset();
    pool.link.disconnect();
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), EXIT_FAILURE);
}

}  // namespace outbox_test
