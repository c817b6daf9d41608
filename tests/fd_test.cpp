// SPDX-License-Identifier: MIT
// Descriptors and what is made of them: detail/os/{fd,pipe,memfd,socket,event,poller}.hpp.
#include "procpool/detail/os/fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/os/event.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/os/poller.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/socket.hpp"

namespace fd_test {

namespace os = procpool::detail::os;
using os::fd;

bool is_open(int number) noexcept { return ::fcntl(number, F_GETFD) != -1; }
bool closes_on_exec(const fd& file) { return (::fcntl(file.get(), F_GETFD) & FD_CLOEXEC) != 0; }

/// Runs `body` in a forked child that keeps `keep`; what it returns.
template <class Body>
int in_child(std::initializer_list<int> keep, Body body) {
    const std::vector<int> kept(keep);
    const pid_t pid = os::fork_process(kept, body);
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

procpool::detail::steady_time soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(30); }
procpool::detail::steady_time now() { return std::chrono::steady_clock::now(); }

// ---- one owner

TEST(Fd, closes_what_it_owns_once) {
    auto [read, write] = os::make_pipe();
    const int number = read.get();
    EXPECT_TRUE(is_open(number));
    fd other(std::move(read));
    EXPECT_EQ(other.get(), number);
    EXPECT_FALSE(read);  // NOLINT(bugprone-use-after-move): that is the point
    read.reset();
    EXPECT_TRUE(is_open(number));
    other.reset();
    EXPECT_FALSE(is_open(number));
    EXPECT_FALSE(other);
    const fd next(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(next.get(), number);
    other.reset();
    EXPECT_TRUE(is_open(number)) << "by now it belongs to somebody else";
}

TEST(Fd, an_assigned_one_gives_up_what_it_had) {
    auto first = os::make_pipe();
    const int old = first.read.get();
    first.read = std::move(first.write);
    EXPECT_FALSE(!first.read);
    first.write.reset();
    EXPECT_FALSE(is_open(old));
}

TEST(Fd, minus_one_makes_an_empty_one) {
    const fd none(-1);
    EXPECT_FALSE(none);
    EXPECT_FALSE(fd());
}

// ---- forked children

TEST(Fd, a_forked_child_has_none_whoever_forks) {
    const auto pipe = os::make_pipe();
    const auto sockets = os::make_socket_pair();
    const fd memory = os::make_memfd("test", 4096);
    const os::event bell;
    const os::poller watcher;
    const auto open_ones = [&] {
        int count = 0;
        for (const fd* one : {&pipe.read, &pipe.write, &sockets.near, &sockets.far, &memory, &bell.file()})
            count += is_open(one->get()) ? 1 : 0;
        return count;
    };
    EXPECT_EQ(open_ones(), 6);
    EXPECT_EQ(in_child({}, open_ones), 0);
    const pid_t pid = ::fork();  // as a user's code does
    if (pid == 0) ::_exit(open_ones());
    int status = -1;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(open_ones(), 6) << "the parent still has them";
}

TEST(Fd, a_forked_child_has_those_that_the_fork_names) {
    const auto pipe = os::make_pipe();
    const auto other = os::make_pipe();
    const int kept = pipe.write.get();
    const int code = in_child({kept}, [&] {
        if (is_open(pipe.read.get()) || is_open(other.read.get()) || is_open(other.write.get())) return 1;
        const fd mine(kept);  // the child makes itself the owner
        return os::write_all(mine, reinterpret_cast<const std::byte*>("x"), 1) ? 0 : 2;
    });
    EXPECT_EQ(code, 0);
    std::byte byte{};
    EXPECT_EQ(os::read_some(pipe.read, &byte, 1).bytes, 1u);
    EXPECT_EQ(byte, std::byte{'x'});
    EXPECT_EQ(in_child({}, [&] { return is_open(kept) ? 1 : 0; }), 0) << "that was for one fork only";
}

TEST(Fd, what_a_child_opens_is_closed_in_its_children) {
    EXPECT_EQ(in_child({},
                       [] {
                           const auto pipe = os::make_pipe();
                           const int inner = in_child({}, [&] { return is_open(pipe.read.get()) ? 1 : 0; });
                           return inner == 0 && is_open(pipe.read.get()) ? 0 : 1;
                       }),
              0);
}

TEST(Fd, a_copy_in_a_child_closes_nothing) {
    auto pipe = os::make_pipe();
    const int number = pipe.read.get();
    EXPECT_EQ(in_child({},
                       [&] {
                           const int reused = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
                           if (reused != number) return 1;
                           pipe.read.reset();
                           if (pipe.read || !is_open(reused)) return 2;
                           pipe.read = fd(::dup(reused));  // a new owner in an old object
                           const int mine = pipe.read.get();
                           pipe.read.reset();
                           return is_open(mine) ? 3 : 0;
                       }),
              0);
}

TEST(Fd, each_fork_is_a_generation) {
    const unsigned before = os::fork_generation;
    EXPECT_EQ(in_child({},
                       [&] {
                           if (os::fork_generation != before + 1) return 1;
                           return in_child({}, [&] { return os::fork_generation == before + 2 ? 0 : 2; });
                       }),
              0);
    EXPECT_EQ(os::fork_generation, before);
}

TEST(Fd, the_end_of_a_pipe_comes_although_others_were_forked_meanwhile) {
    auto pipe = os::make_pipe();
    auto wait_here = os::make_pipe();
    const int kept = wait_here.read.get();
    const pid_t bystander = os::fork_process(std::array{kept}, [&] {
        std::byte byte;
        return os::read_some(fd(kept), &byte, 1).closed ? 0 : 1;
    });
    pipe.write.reset();
    std::byte byte;
    EXPECT_TRUE(os::read_some(pipe.read, &byte, 1).closed);
    wait_here.write.reset();
    int status = -1;
    EXPECT_EQ(::waitpid(bystander, &status, 0), bystander);
    EXPECT_EQ(status, 0);
}

TEST(Fd, threads_that_open_and_fork_at_once_leak_nothing_into_children) {
    constexpr int numbers = 256;
    std::array<bool, numbers> open_before{};
    for (int i = 0; i < numbers; ++i) open_before[static_cast<std::size_t>(i)] = is_open(i);
    std::atomic<bool> stop{false};
    std::atomic<int> leaks{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i)
        threads.emplace_back([&] {
            while (!stop) {
                const auto pipe = os::make_pipe();
                const auto sockets = os::make_socket_pair();
                const fd memory = os::make_memfd("test", 4096);
                const std::array files{pipe.read.get(), memory.get()};
                os::send_message(sockets.near, 1, files);
                [[maybe_unused]] const auto received = os::receive_message<int>(sockets.far, false);
                const os::event bell;
                const os::poller watcher;
            }
        });
    for (int i = 0; i < 2; ++i)
        threads.emplace_back([&] {
            for (int n = 0; n < 100; ++n)
                leaks += in_child({}, [&] {
                    int count = 0;
                    for (int number = 0; number < numbers; ++number)
                        if (!open_before[static_cast<std::size_t>(number)] && is_open(number)) ++count;
                    return count;
                });
        });
    threads[2].join();
    threads[3].join();
    stop = true;
    threads[0].join();
    threads[1].join();
    EXPECT_EQ(leaks, 0);
}

// ---- pipe.hpp

TEST(Pipe, tells_data_emptiness_and_end_apart) {
    auto pipe = os::make_pipe();
    EXPECT_TRUE(closes_on_exec(pipe.read) && closes_on_exec(pipe.write));
    os::set_nonblocking(pipe.read);
    std::array<std::byte, 8> to{};
    auto got = os::read_some(pipe.read, to.data(), to.size());
    EXPECT_TRUE(got.would_block && !got.closed && got.bytes == 0);
    EXPECT_TRUE(os::write_all(pipe.write, reinterpret_cast<const std::byte*>("abc"), 3));
    got = os::read_some(pipe.read, to.data(), to.size());
    EXPECT_TRUE(!got.would_block && !got.closed && got.bytes == 3);
    pipe.write.reset();
    got = os::read_some(pipe.read, to.data(), to.size());
    EXPECT_TRUE(!got.would_block && got.closed && got.bytes == 0);
}

TEST(Pipe, a_full_one_takes_what_fits_and_then_would_block) {
    auto pipe = os::make_pipe();
    os::set_nonblocking(pipe.write);
    std::vector<std::byte> much(1 << 20);
    const auto part = os::make_piece(much.data(), much.size());
    const auto first = os::write_some(pipe.write, &part, 1);
    EXPECT_GT(first.bytes, 0u);
    EXPECT_LT(first.bytes, much.size());
    EXPECT_TRUE(os::write_some(pipe.write, &part, 1).would_block);
}

TEST(Pipe, write_all_goes_on_until_all_is_written) {
    const auto pipe = os::make_pipe();
    std::vector<std::byte> much(1 << 20, std::byte{7});
    std::thread writer([&] { EXPECT_TRUE(os::write_all(pipe.write, much.data(), much.size())); });
    std::vector<std::byte> got(much.size());
    for (std::size_t at = 0; at < got.size();)
        at += os::read_some(pipe.read, &got[at], got.size() - at).bytes;
    writer.join();
    EXPECT_EQ(got, much);
}

TEST(Pipe, errors_name_the_call) {
    std::byte byte;
    try {
        os::read_some(fd(), &byte, 1);
        FAIL();
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::bad_file_descriptor);
        EXPECT_NE(std::string(error.what()).find("procpool: read (a pipe)"), std::string::npos)
            << error.what();
    }
}

// ---- memfd.hpp

TEST(Memfd, starts_as_zeros_that_all_mappings_share) {
    const fd file = os::make_memfd("test", 3 * os::page_size());
    EXPECT_TRUE(closes_on_exec(file));
    os::mapping all(file, 0, 3 * os::page_size());
    const os::mapping second_page(file, os::page_size(), os::page_size());
    EXPECT_EQ(all.data()[2 * os::page_size()], std::byte{0});
    second_page.data()[5] = std::byte{9};
    EXPECT_EQ(all.data()[os::page_size() + 5], std::byte{9});
    const os::mapping moved(std::move(all));
    EXPECT_EQ(all.data(), nullptr);  // NOLINT(bugprone-use-after-move): that is the point
    EXPECT_EQ(moved.size(), 3 * os::page_size());
    EXPECT_EQ(moved.data()[os::page_size() + 5], std::byte{9});
}

TEST(Memfd, a_child_neither_inherits_a_mapping_nor_undoes_one) {
    const fd file = os::make_memfd("test", os::page_size());
    os::mapping shared(file, 0, os::page_size());
    EXPECT_EQ(in_child({},
                       [&] {
                           unsigned char resident = 0;
                           if (::mincore(shared.data(), os::page_size(), &resident) == 0) return 1;  // mapped
                           void* const mine =
                               ::mmap(shared.data(), os::page_size(), PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
                           if (mine != shared.data()) return 2;
                           {
                               const os::mapping gone(std::move(shared));
                           }
                           return ::mincore(mine, os::page_size(), &resident) == 0 ? 0 : 3;
                       }),
              0);
}

// ---- socket.hpp

struct message {
    std::int64_t number = 0;
    char letter = 0;
};

TEST(Socket, keeps_message_boundaries) {
    const auto [near, far] = os::make_socket_pair();
    EXPECT_TRUE(closes_on_exec(near) && closes_on_exec(far));
    EXPECT_FALSE(os::receive_message<message>(far, false)) << "nothing waits";
    EXPECT_TRUE(os::send_message(near, message{1, 'a'}));
    EXPECT_TRUE(os::send_message(near, message{2, 'b'}));
    const auto first = os::receive_message<message>(far, false);
    const auto second = os::receive_message<message>(far, true);
    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->message.number, 1);
    EXPECT_EQ(second->message.letter, 'b');
    EXPECT_FALSE(first->closed || first->files[0]);
}

TEST(Socket, carries_descriptors) {
    const auto [near, far] = os::make_socket_pair();
    auto pipe = os::make_pipe();
    const std::array files{pipe.read.get(), pipe.write.get()};
    EXPECT_TRUE(os::send_message(near, message{}, files));
    pipe = {};
    const auto got = os::receive_message<message>(far, false);
    ASSERT_TRUE(got && got->files[0] && got->files[1] && !got->files[2]);
    EXPECT_TRUE(closes_on_exec(got->files[0]));
    EXPECT_TRUE(os::write_all(got->files[1], reinterpret_cast<const std::byte*>("x"), 1));
    std::byte byte{};
    EXPECT_EQ(os::read_some(got->files[0], &byte, 1).bytes, 1u);
    EXPECT_EQ(in_child({}, [&] { return is_open(got->files[0].get()) ? 1 : 0; }), 0);
}

TEST(Socket, tells_when_the_other_side_is_gone) {
    auto ends = os::make_socket_pair();
    ends.far.reset();
    EXPECT_FALSE(os::send_message(ends.near, message{}));
    const auto got = os::receive_message<message>(ends.near, true);
    ASSERT_TRUE(got);
    EXPECT_TRUE(got->closed);
}

// ---- event.hpp, poller.hpp

TEST(Poller, tells_who_is_ready_by_its_key) {
    os::poller poller;
    os::event bell;
    const auto pipe = os::make_pipe();
    poller.add(bell.file(), os::poller::interest::read, 7);
    poller.add(pipe.write, os::poller::interest::write, 8);
    auto ready = poller.wait(now());
    ASSERT_EQ(ready.size(), 1u);
    EXPECT_EQ(ready[0].key, 8u);
    EXPECT_TRUE(ready[0].writable && !ready[0].readable);
    poller.remove(pipe.write);
    EXPECT_TRUE(poller.wait(now()).empty());
    bell.ring();
    bell.ring();
    ready = poller.wait(procpool::detail::steady_time::max());
    ASSERT_EQ(ready.size(), 1u);
    EXPECT_EQ(ready[0].key, 7u);
    EXPECT_TRUE(ready[0].readable && !ready[0].writable);
    EXPECT_EQ(poller.wait(now()).size(), 1u) << "it rings until it is silenced";
    bell.silence();
    bell.silence();
    EXPECT_TRUE(poller.wait(now()).empty());
    poller.remove(pipe.write);  // not watched: no error
    poller.remove(fd());
}

TEST(Poller, wakes_when_another_thread_rings_and_when_a_pipe_ends) {
    os::poller poller;
    os::event bell;
    auto pipe = os::make_pipe();
    poller.add(bell.file(), os::poller::interest::read, 1);
    poller.add(pipe.read, os::poller::interest::read, 2);
    std::thread ringer([&] { bell.ring(); });
    auto ready = poller.wait(soon());
    ringer.join();
    ASSERT_EQ(ready.size(), 1u);
    EXPECT_EQ(ready[0].key, 1u);
    bell.silence();
    std::thread closer([&] { pipe.write.reset(); });
    ready = poller.wait(soon());
    closer.join();
    ASSERT_EQ(ready.size(), 1u);
    EXPECT_EQ(ready[0].key, 2u);
    EXPECT_TRUE(ready[0].readable);
}

TEST(Poller, one_that_tells_each_arrival_once_is_quiet_until_the_next) {
    os::poller poller;
    os::event bell;
    poller.add(bell.file(), os::poller::interest::read_once_per_arrival, 1);
    bell.ring();
    EXPECT_EQ(poller.wait(soon()).size(), 1u);
    EXPECT_TRUE(poller.wait(now()).empty());
    bell.ring();
    EXPECT_EQ(poller.wait(soon()).size(), 1u);
}

TEST(Poller, never_returns_before_its_time_if_nothing_happens) {
    os::poller poller;
    const auto until = now() + std::chrono::microseconds(2500);
    EXPECT_TRUE(poller.wait(until).empty());
    EXPECT_GE(now(), until);
}

}  // namespace fd_test
