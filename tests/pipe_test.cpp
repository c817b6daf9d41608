// SPDX-License-Identifier: MIT
// Pipe and Connection: messages between processes, their end, and deaths in the midst of them.
#include "procpool/pipe.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "procpool/detail/family/packets.hpp"
#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "procpool/process.hpp"
#include "procpool/shared_array.hpp"
#include "support/message_of.hpp"
#include "support/processes.hpp"
#include "support/rounds.hpp"
#include "support/sanitizers.hpp"
#include "support/shared.hpp"
#include "support/wait.hpp"

namespace pipe_test {

namespace mp = procpool;
using namespace std::chrono_literals;
using test::message_of;

std::vector<std::byte> bytes_of(std::size_t size, unsigned seed = 1) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((i * 7 + seed) >> 3);
    return bytes;
}

// ---- within one process

TEST(Pipe, carries_values_both_ways) {
    auto [a, b] = mp::Pipe();
    a.send(1);
    a.send("two");
    a.send(std::tuple(3, std::vector{4.5}));
    b.send(std::string(100'000, 'x'));
    EXPECT_EQ(b.recv<int>(), 1);
    EXPECT_EQ(b.recv<std::string>(), "two");
    EXPECT_EQ((b.recv<std::tuple<int, std::vector<double>>>()), std::tuple(3, std::vector{4.5}));
    EXPECT_EQ(a.recv<std::string>(), std::string(100'000, 'x'));
}

TEST(Pipe, bytes_of_all_sizes_arrive_whole) {
    auto [receiver, sender] = mp::Pipe(false);
    std::thread other([&to = sender] {
        for (const std::size_t size : {0u, 1u, 4055u, 4056u, 4057u, 8112u, 200'000u, 5'000'000u})
            to.send_bytes(bytes_of(size));
    });
    for (const std::size_t size : {0u, 1u, 4055u, 4056u, 4057u, 8112u, 200'000u, 5'000'000u})
        EXPECT_EQ(receiver.recv_bytes(), bytes_of(size)) << size;
    other.join();
}

TEST(Pipe, one_way_ends_say_what_they_cannot_do) {
    auto [receiver, sender] = mp::Pipe(false);
    EXPECT_THROW(receiver.send(1), mp::ConnectionClosed);
    EXPECT_THROW(sender.recv<int>(), mp::ConnectionClosed);
    EXPECT_THROW(sender.poll(), mp::ConnectionClosed);
}

TEST(Pipe, message_longer_than_asked_for_is_in_the_error) {
    auto [receiver, sender] = mp::Pipe(false);
    sender.send_bytes("a long one");
    sender.send_bytes("short");
    try {
        receiver.recv_bytes(5);
        FAIL();
    } catch (const mp::BufferTooShort& error) {
        EXPECT_EQ(error.message().size(), 10u);
    }
    EXPECT_EQ(receiver.recv_bytes(5).size(), 5u);
}

TEST(Pipe, other_type_than_sent_is_an_error) {
    auto [receiver, sender] = mp::Pipe(false);
    sender.send(1);
    sender.send(2);
    const auto text = message_of<mp::SerializationError>([&, &from = receiver] { from.recv<std::string>(); });
    EXPECT_NE(text.find("another type"), std::string::npos) << text;
    EXPECT_EQ(receiver.recv<int>(), 2);
}

TEST(Pipe, end_is_an_error_of_its_own_after_the_last_message) {
    auto [a, b] = mp::Pipe();
    a.send(1);
    a.close();
    EXPECT_TRUE(b.poll());
    EXPECT_EQ(b.recv<int>(), 1);
    EXPECT_TRUE(b.poll()) << "the end is there";
    EXPECT_THROW(b.recv<int>(), mp::EOFError);
    EXPECT_THROW(b.recv_bytes(), mp::EOFError);
    try {
        b.send(2);
        FAIL();
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::broken_pipe);
    }
}

TEST(Pipe, closed_end_says_so) {
    auto [a, b] = mp::Pipe();
    const mp::Connection copy = a;
    EXPECT_EQ(copy, a);
    EXPECT_FALSE(a.closed());
    a.close();
    a.close();
    EXPECT_TRUE(copy.closed());
    EXPECT_THROW(a.send(1), mp::ConnectionClosed);
    EXPECT_THROW(a.recv<int>(), mp::ConnectionClosed);
    EXPECT_THROW(a.poll(), mp::ConnectionClosed);
    EXPECT_THROW(b.send(a), mp::SerializationError);
    EXPECT_THROW(mp::Connection().send(1), mp::ConnectionClosed);
    EXPECT_TRUE(mp::Connection().closed());
}

TEST(Pipe, poll_waits_for_a_whole_message_and_no_longer) {
    auto [receiver, sender] = mp::Pipe(false);
    EXPECT_FALSE(receiver.poll());
    EXPECT_FALSE(receiver.poll(5ms));
    std::thread other([&to = sender] { to.send_bytes(bytes_of(3'000'000)); });
    EXPECT_TRUE(receiver.poll(test::patience));
    EXPECT_TRUE(receiver.poll());
    other.join();
    EXPECT_EQ(mp::wait({receiver}, test::patience).size(), 1u) << "though its pipe is empty by now";
    EXPECT_EQ(receiver.recv_bytes().size(), 3'000'000u);
    EXPECT_TRUE(mp::wait({receiver}, 5ms).empty());
}

TEST(Pipe, threads_share_an_end) {
    auto [receiver, sender] = mp::Pipe(false);
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < 4; ++i)
        threads.emplace_back([&to = sender, i] {
            for (int k = 0; k < 20; ++k) to.send_bytes(bytes_of(100'000, i));
        });
    std::atomic<int> good = 0;
    std::vector<std::thread> readers;
    for (int i = 0; i < 2; ++i)
        readers.emplace_back([&from = receiver, &good] {
            for (int k = 0; k < 40; ++k) {
                const auto bytes = from.recv_bytes();
                for (unsigned seed = 0; seed < 4; ++seed) good += bytes == bytes_of(100'000, seed);
            }
        });
    for (std::thread& one : threads) one.join();
    for (std::thread& one : readers) one.join();
    EXPECT_EQ(good, 80);
}

TEST(PipePackets, a_message_may_have_the_number_of_one_that_was_never_finished) {
    namespace family = mp::detail::family;
    namespace wire = mp::detail::wire;
    family::packet_assembly assembly;
    const auto packet = [&](std::uint64_t size, std::uint64_t offset, std::size_t bytes) {
        wire::buffer made;
        made.append_value(family::packet_header{.sender = 7, .message = 1, .size = size, .offset = offset});
        const auto content = bytes_of(bytes);
        made.append(content.data(), content.size());
        return assembly.add(made.bytes());
    };
    EXPECT_FALSE(packet(300, 0, 100));
    EXPECT_FALSE(packet(200, 0, 100));
    const auto message = packet(200, 100, 100);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->bytes.size(), 200u);
    EXPECT_EQ(assembly.parts(), 0u);
}

// ---- between processes

void echo(mp::Connection connection) {
    try {
        for (;;) connection.send(connection.recv<std::string>() + "!");
    } catch (const mp::EOFError&) {
    }
}

TEST(PipeBetweenProcesses, a_process_answers_until_the_end) {
    auto [here, there] = mp::Pipe();
    mp::Process process(echo, there);
    process.start();
    there.close();
    for (const std::string text : {"a", "b"}) {
        here.send(text);
        EXPECT_EQ(here.recv<std::string>(), text + "!");
    }
    here.close();
    process.join();
    EXPECT_EQ(process.exitcode(), 0);
}

TEST(PipeBetweenProcesses, end_comes_when_the_process_has_died) {
    auto [here, there] = mp::Pipe();
    mp::Process process(
        [](mp::Connection connection) {
            connection.send(1);
            ::raise(SIGKILL);
        },
        there);
    process.start();
    there.close();
    EXPECT_EQ(here.recv<int>(), 1);
    EXPECT_THROW(here.recv<int>(), mp::EOFError);
}

TEST(PipeBetweenProcesses, an_end_may_be_closed_between_the_making_of_a_process_and_its_start) {
    auto [here, there] = mp::Pipe();
    mp::Process process(echo, std::vector{there}[0]);
    there.close();
    process.start();
    here.send("x");
    EXPECT_EQ(here.recv<std::string>(), "x!");
    here.close();
}

TEST(PipeBetweenProcesses, tasks_and_initializers_take_connections) {
    static std::optional<mp::Connection> log;
    auto [from_tasks, to_parent] = mp::Pipe(false);
    {
        mp::Pool pool(2, [](const mp::Connection& connection) { log = connection; }, to_parent);
        pool.map([](int n) { log->send(n); }, std::vector{1, 2});
        pool.map(mp::partial([](mp::Connection c, int n) { c.send(n); }, to_parent), std::vector{10, 20});
        pool.apply([](std::vector<mp::Connection> several) { several.at(0).send(100); },
                   std::vector{to_parent});
    }  // with the pool ends what its initializer has got
    int sum = 0;
    for (int i = 0; i < 5; ++i) sum += from_tasks.recv<int>();
    EXPECT_EQ(sum, 133);
    to_parent.close();
    EXPECT_THROW(from_tasks.recv<int>(), mp::EOFError);
}

TEST(PipeBetweenProcesses, messages_carry_arrays_and_connections) {
    auto [here, there] = mp::Pipe();
    mp::Process process(
        [](mp::Connection connection) {
            const auto array = connection.recv<mp::SharedArray<int, 1>>();
            auto answers = connection.recv<mp::Connection>();
            answers.send(array[0] + array[1]);
        },
        there);
    process.start();
    auto [receiver, sender] = mp::Pipe(false);
    {
        mp::SharedArray<int, 1> array({2});
        array[0] = 40;
        array[1] = 2;
        here.send(array);
    }
    here.send(sender);
    EXPECT_EQ(receiver.recv<int>(), 42);
}

TEST(PipeBetweenProcesses, waits_for_connections_and_processes_together) {
    auto [here, there] = mp::Pipe();
    mp::Process process([](mp::Connection connection) { connection.recv<int>(); }, there);
    process.start();
    EXPECT_TRUE(mp::wait({here, process.sentinel()}, 5ms).empty());
    there.close();
    here.send(1);
    const auto ready = mp::wait({process.sentinel()}, test::patience);
    ASSERT_EQ(ready.size(), 1u);
    EXPECT_EQ(mp::wait({here, process.sentinel()}).size(), 2u) << "the end of the other side, too";
}

TEST(PipeBetweenProcesses, global_one_is_refused_in_a_forked_process) {
    static std::optional<mp::Connection> global;
    auto [a, b] = mp::Pipe();
    global = a;
    mp::Process process({.start_method = mp::start_method::fork}, [] {
        try {
            global->send(1);
        } catch (const mp::ConnectionClosed&) {
            std::exit(7);
        }
    });
    process.start();
    process.join();
    EXPECT_EQ(process.exitcode(), 7);
    global.reset();
}

// ---- deaths

int deaths() { return test::rounds(test::sanitized ? 10 : 40); }

std::minstd_rand dice{std::random_device{}()};

/// Anywhere in a message.
void wait_a_moment() { std::this_thread::sleep_for(std::chrono::microseconds(dice() % 500)); }

bool falls_asleep(const mp::Process& process) {
    return test::eventually([&] { return test::look_at(process.pid()).state == 'S'; });
}

/// A message that doesn't come is an error, not a test that hangs.
template <class T>
T recv_in_time(mp::Connection& from) {
    if (!from.poll(test::patience)) throw std::runtime_error("nothing has come");
    return from.recv<T>();
}

using numbers = std::vector<unsigned>;

/// Sends messages of random sizes whose first bytes say how they go on, until it is killed.
void send_for_ever(mp::Connection connection, unsigned seed) {
    std::minstd_rand random(seed);
    for (;;) connection.send(numbers(random() % 100'000 + 1, seed));
}

/// Takes one of those; they come from a sender each.
void take(mp::Connection& from, std::map<unsigned, int>& received) {
    const auto message = recv_in_time<numbers>(from);
    ASSERT_FALSE(message.empty());
    for (const unsigned number : message) ASSERT_EQ(number, message.front());
    ++received[message.front()];
}

TEST(PipeAndDeath, a_sender_killed_in_a_message_garbles_none_of_the_others) {
    auto [receiver, sender] = mp::Pipe(false);
    mp::Process steady(send_for_ever, sender, 1u);
    steady.start();
    std::map<unsigned, int> received;
    for (unsigned n = 0; n < static_cast<unsigned>(deaths()) && !testing::Test::HasFailure(); ++n) {
        mp::Process victim(send_for_ever, sender, n + 2);
        victim.start();
        for (auto left = dice() % 8 + 1; left > 0; --left) take(receiver, received);
        wait_a_moment();
        victim.kill();
        victim.join();
    }
    const int before = received[1];
    while (received[1] < before + 5 && !testing::Test::HasFailure()) take(receiver, received);
    sender.close();
    steady.kill();
    steady.join();
    EXPECT_THROW(for (;;) take(receiver, received), mp::EOFError);
}

TEST(PipeAndDeath, a_sender_killed_while_the_pipe_is_full_leaves_what_it_has_sent) {
    for (int n = 0; n < deaths() && !testing::Test::HasFailure(); ++n) {
        auto [receiver, sender] = mp::Pipe(false);
        mp::Process victim(
            [](mp::Connection to) {
                for (unsigned i = 0;; ++i) to.send(numbers(i % 5 == 4 ? 2'000'000 : 1, i));
            },
            sender);
        victim.start();
        EXPECT_TRUE(falls_asleep(victim));
        victim.kill();
        victim.join();
        mp::Process other([](mp::Connection to) { to.send(numbers(500'000, 9)); }, sender);
        other.start();
        for (unsigned i = 0; i < 4; ++i) EXPECT_EQ(recv_in_time<numbers>(receiver), numbers(1, i));
        EXPECT_EQ(recv_in_time<numbers>(receiver), numbers(500'000, 9));
        other.join();
        sender.close();
        EXPECT_THROW(recv_in_time<numbers>(receiver), mp::EOFError);
    }
}

TEST(PipeAndDeath, a_receiver_killed_in_a_message_frees_its_sender) {
    for (int n = 0; n < deaths() && !testing::Test::HasFailure(); ++n) {
        auto [receiver, sender] = mp::Pipe(false);
        mp::Process victim(
            [](mp::Connection from) {
                for (;;) from.recv_bytes();
            },
            receiver);
        victim.start();
        receiver.close();
        std::thread killer([&] {
            wait_a_moment();
            victim.kill();
        });
        EXPECT_THROW(for (;;) sender.send_bytes(bytes_of(1'000'000)), std::system_error);
        killer.join();
    }
}

TEST(PipeAndDeath, the_remains_of_a_message_are_skipped) {
    auto [receiver, sender] = mp::Pipe(false);
    mp::Process first(
        [](mp::Connection from) {
            // Takes the beginning of a message, and dies while it waits for the rest.
            mp::wait({from});
            from.poll();
            ::raise(SIGKILL);
        },
        receiver);
    std::thread other([&to = sender] {
        to.send_bytes(bytes_of(8'000'000));
        to.send_bytes("next");
    });
    first.start();
    first.join();
    EXPECT_EQ(receiver.recv_bytes().size(), 4u);
    other.join();
}

TEST(PipeAndDeath, a_receiver_killed_in_a_message_takes_that_one_with_it) {
    auto [receiver, sender] = mp::Pipe(false);
    mp::Process steady(
        [](mp::Connection to) {
            std::minstd_rand random(5);
            for (unsigned i = 0;; ++i) to.send(numbers(random() % 20'000 + 1, i));
        },
        sender);
    steady.start();
    const mp::SharedArray<unsigned, 1> next({1});  // the one that comes after those that were received
    int lost = 0;
    for (int n = 0; n < deaths() && !testing::Test::HasFailure(); ++n) {
        mp::Process victim(
            [](mp::Connection from, const mp::SharedArray<unsigned, 1>& after) {
                for (;;) after[0] = from.recv<numbers>().back() + 1;
            },
            receiver, next);
        victim.start();
        wait_a_moment();
        victim.kill();
        victim.join();
        const auto message = recv_in_time<numbers>(receiver);
        for (const unsigned number : message) ASSERT_EQ(number, message.front());
        ASSERT_GE(message.front(), next[0]);
        ASSERT_LE(message.front(), next[0] + 1);
        lost += message.front() != next[0];
        next[0] = message.front() + 1;
    }
    EXPECT_LE(lost, deaths());
    steady.kill();
    steady.join();
}

TEST(PipeAndDeath, receivers_killed_beside_others_lose_a_message_each) {
    auto [receiver, sender] = mp::Pipe(false);
    const int count = 50 * deaths();
    const mp::SharedArray<int, 1> seen({count});
    const auto note = [](mp::Connection& from, const mp::SharedArray<int, 1>& all) {
        ++std::atomic_ref(all[from.recv<int>()]);
    };
    mp::Process survivor(
        [note](mp::Connection from, const mp::SharedArray<int, 1>& all) {
            try {
                for (;;) note(from, all);
            } catch (const mp::EOFError&) {
            }
        },
        receiver, seen);
    survivor.start();
    for (int n = 0, number = 0; n < deaths() && !testing::Test::HasFailure(); ++n) {
        mp::Process victim(
            [note](mp::Connection from, const mp::SharedArray<int, 1>& all) {
                for (;;) note(from, all);
            },
            receiver, seen);
        victim.start();
        for (int i = 0; i < 50; ++i) sender.send(number++);
        wait_a_moment();
        victim.kill();
        victim.join();
    }
    sender.close();
    EXPECT_TRUE(survivor.join(test::patience));
    EXPECT_LE(std::ranges::count(seen, 0), deaths()) << "more was lost than a message a death";
    EXPECT_LE(*std::ranges::max_element(seen), 1) << "a message came twice";
}

TEST(PipeAndDeath, the_other_side_of_a_conversation_gets_the_end) {
    for (int n = 0; n < deaths() && !testing::Test::HasFailure(); ++n) {
        auto [here, there] = mp::Pipe();
        mp::Process victim(
            [](mp::Connection connection) {
                for (;;) connection.send(connection.recv<numbers>());
            },
            there);
        victim.start();
        there.close();
        std::thread killer([&] {
            wait_a_moment();
            victim.kill();
        });
        try {
            for (unsigned size = 1;; size = size * 3 % 100'003) {
                here.send(numbers(size, size));
                ASSERT_EQ(mp::wait({here}, test::patience).size(), 1u);
                ASSERT_EQ(recv_in_time<numbers>(here), numbers(size, size));
            }
        } catch (const mp::EOFError&) {
        } catch (const std::system_error& error) {
            EXPECT_EQ(error.code(), std::errc::broken_pipe);
        }
        killer.join();
    }
}

}  // namespace pipe_test
