// SPDX-License-Identifier: MIT
#include "procpool/shared_array.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>
#include <ranges>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/detail/posix/available_memory.hpp"
#include "procpool/detail/posix/pipe.hpp"
#include "procpool/detail/wire/codec.hpp"

namespace {

namespace wire = procpool::detail::wire;
namespace posix = procpool::detail::posix;
using procpool::ArrayView;
using procpool::SerializationError;
using procpool::SharedArray;

static_assert(std::ranges::contiguous_range<SharedArray<int, 2>> &&
              std::ranges::sized_range<SharedArray<int, 2>>);
static_assert(wire::codec<SharedArray<double, 3>>::sendable);
static_assert(std::is_nothrow_move_constructible_v<SharedArray<int, 1>>);
static_assert(std::is_nothrow_copy_constructible_v<SharedArray<int, 1>>);
static_assert(!std::is_constructible_v<SharedArray<int, 1>, int>);

// ---- what is left behind

std::size_t mappings(long pid = ::getpid()) {
    std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
    std::size_t count = 0;
    for (std::string line; std::getline(maps, line);)
        count += line.find("procpool-array") != std::string::npos;
    return count;
}

std::size_t descriptors(long pid = ::getpid()) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
        std::error_code gone;
        count += std::filesystem::read_symlink(entry.path(), gone).string().find("procpool-array") !=
                 std::string::npos;
    }
    return count;
}

std::size_t named_shared_memory() {
    const std::filesystem::directory_iterator entries("/dev/shm");
    return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

class shared_array : public testing::Test {
protected:
    void TearDown() override {
        EXPECT_EQ(mappings(), 0u);
        EXPECT_EQ(descriptors(), 0u);
        EXPECT_EQ(named_shared_memory(), named_before_);
        errno = 0;
        EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
    }

private:
    const std::size_t named_before_ = named_shared_memory();
};

// ---- messages and children

struct message {
    wire::buffer bytes;
    wire::pins held;
};

template <class T>
message encoded(const T& value) {
    message made;
    wire::codec<T>::encode({made.bytes, made.held}, value);
    return made;
}

template <class T>
T decoded(std::span<const std::byte> bytes) {
    wire::cursor from(bytes);
    T value = wire::codec<T>::decode(from);
    EXPECT_EQ(from.left(), 0u);
    return value;
}

template <class T>
std::string refusal(std::span<const std::byte> bytes) {
    try {
        (void)decoded<T>(bytes);
    } catch (const SerializationError& error) {
        return error.what();
    }
    return "accepted";
}

template <class Body>
pid_t start_child(Body body) {
    std::fflush(nullptr);
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    int code = 99;
    try {
        code = body();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "child: %s\n", error.what());
    }
    ::_exit(code);
}

int exit_code_of(pid_t pid) {
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

template <class Body>
int run_in_child(Body body) {
    return exit_code_of(start_child(body));
}

/// A pipe that a forked child shares, unlike the library's own.
struct plain_pipe {
    plain_pipe() { EXPECT_EQ(::pipe(ends.data()), 0); }
    ~plain_pipe() {
        close_reader();
        close_writer();
    }
    void close_reader() { ::close(std::exchange(ends[0], -1)); }
    void close_writer() { ::close(std::exchange(ends[1], -1)); }
    void send(const wire::buffer& bytes) const {
        ASSERT_EQ(::write(ends[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    }
    std::vector<std::byte> receive() const {
        std::vector<std::byte> bytes(4096);
        bytes.resize(
            static_cast<std::size_t>(std::max<ssize_t>(0, ::read(ends[0], bytes.data(), bytes.size()))));
        return bytes;
    }
    std::array<int, 2> ends{};
};

/// Another process that owns an array of four ints, 0 to 3, until it is told to let go.
class owner_process {
public:
    explicit owner_process(bool let_go_at_once = false) {
        pid_ = start_child([&] {
            up_.close_reader();
            down_.close_writer();
            SharedArray<int, 1> array({4});
            std::iota(array.begin(), array.end(), 0);
            const wire::buffer bytes = encoded(array).bytes;
            if (let_go_at_once) array = {};
            up_.send(bytes);
            (void)down_.receive();
            return 0;
        });
        up_.close_writer();
        down_.close_reader();
        bytes_ = up_.receive();
    }
    ~owner_process() {
        if (pid_ > 0) {
            EXPECT_EQ(end(), 0);
        }
    }

    std::span<const std::byte> bytes() const { return bytes_; }
    void tell_to_end() { down_.close_writer(); }
    int end() {
        tell_to_end();
        return exit_code_of(std::exchange(pid_, 0));
    }
    pid_t pid() const { return pid_; }

private:
    plain_pipe up_;
    plain_pipe down_;
    pid_t pid_ = 0;
    std::vector<std::byte> bytes_;
};

// ---- making one

TEST_F(shared_array, takes_its_sizes_as_any_mix_of_integers) {
    const int n = 2;
    const std::uint16_t rows = 3;
    const long long cols = 4;
    const SharedArray<std::uint8_t, 3> images({n, rows, cols});
    EXPECT_EQ(images.shape(), (std::array<std::size_t, 3>{2, 3, 4}));
    EXPECT_EQ(images.size(), 24u);
    const SharedArray<float, 1> line({n});
    EXPECT_EQ(line.size(), 2u);
    const SharedArray<float, 1> literal({5});
    EXPECT_EQ(literal.size(), 5u);
    const SharedArray<float, 2> braces{{n, 7u}};
    EXPECT_EQ(braces.size(), 14u);
    EXPECT_EQ(braces.rank(), 2u);
}

TEST_F(shared_array, takes_the_shape_of_another) {
    const SharedArray<int, 2> array({3, 4});
    const SharedArray<double, 2> alike(array.shape());
    EXPECT_EQ(alike.shape(), array.shape());
}

TEST_F(shared_array, starts_as_zeros) {
    const SharedArray<double, 2> array({100, 100});
    EXPECT_TRUE(std::ranges::all_of(array, [](double x) { return x == 0; }));
}

TEST_F(shared_array, holds_structs_of_numbers) {
    struct pixel {
        float red, green, blue;
    };
    const SharedArray<pixel, 2> picture({2, 2});
    picture(1, 1).green = 0.5f;
    EXPECT_EQ(picture.span()[3].green, 0.5f);
}

TEST_F(shared_array, may_have_no_elements) {
    const SharedArray<int, 3> array({5, 0, 7});
    EXPECT_TRUE(array.empty());
    EXPECT_EQ(array.size(), 0u);
    EXPECT_EQ(array.begin(), array.end());
    EXPECT_EQ(array.shape(), (std::array<std::size_t, 3>{5, 0, 7}));
    EXPECT_EQ(array[4].size(), 0u);
    EXPECT_EQ(mappings(), 0u);
    const auto copy = decoded<SharedArray<int, 3>>(encoded(array).bytes.bytes());
    EXPECT_EQ(copy.shape(), array.shape());
}

TEST_F(shared_array, is_empty_by_default_and_after_a_move) {
    SharedArray<int, 2> none;
    EXPECT_TRUE(none.empty());
    SharedArray<int, 2> array({2, 2});
    array(1, 0) = 7;
    int* const at = array.data();
    SharedArray<int, 2> moved = std::move(array);
    EXPECT_TRUE(array.empty());
    EXPECT_EQ(array.data(), nullptr);
    EXPECT_EQ(array.shape(), none.shape());
    none = std::move(moved);
    EXPECT_EQ(none.data(), at);
    EXPECT_EQ(none(1, 0), 7);
    EXPECT_TRUE(moved.empty());
}

TEST_F(shared_array, refuses_negative_sizes) {
    const int rows = -3;
    EXPECT_THROW((SharedArray<int, 2>({4, rows})), std::invalid_argument);
    EXPECT_THROW((SharedArray<int, 1>({std::int8_t{-1}})), std::invalid_argument);
    EXPECT_THROW((SharedArray<int, 2>(std::array{1, -1})), std::invalid_argument);
}

TEST_F(shared_array, refuses_sizes_that_overflow) {
    const auto large = std::numeric_limits<std::int64_t>::max();
    EXPECT_THROW((SharedArray<char, 2>({large, large})), std::length_error);
    EXPECT_THROW((SharedArray<double, 1>({large})), std::length_error);
    EXPECT_THROW((SharedArray<char, 1>({std::numeric_limits<std::uint64_t>::max()})), std::length_error);
    EXPECT_THROW((SharedArray<char, 3>({0, large, large})), std::length_error);
    try {
        const SharedArray<int, 2> array({large, 3});
    } catch (const std::length_error& error) {
        EXPECT_NE(std::string(error.what()).find("shape (9223372036854775807, 3)"), std::string::npos);
    }
}

TEST_F(shared_array, refuses_memory_that_is_not_there) {
    try {
        const SharedArray<char, 1> array({std::uint64_t{1} << 50});
        FAIL() << "a petabyte was had";
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::not_enough_memory);
        EXPECT_NE(std::string(error.what()).find("1125899906842624 bytes"), std::string::npos)
            << error.what();
        EXPECT_NE(std::string(error.what()).find("are available"), std::string::npos) << error.what();
    }
}

TEST_F(shared_array, refuses_memory_that_is_promised_to_others) {
    const std::uint64_t most = posix::available_memory() / 4 * 3;
    const SharedArray<char, 1> untouched({most});
    EXPECT_THROW((SharedArray<char, 1>({most})), std::system_error);
    const SharedArray<char, 1> small({1 << 20});
}

TEST_F(shared_array, says_when_file_descriptors_run_out) {
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit none = before;
    none.rlim_cur = 0;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    std::exception_ptr refusal;
    try {
        const SharedArray<int, 1> array({4});
    } catch (...) {
        refusal = std::current_exception();
    }
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);  // first: the sanitizer needs descriptors itself
    ASSERT_TRUE(refusal) << "made without a descriptor";
    try {
        std::rethrow_exception(refusal);
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::too_many_files_open) << error.what();
    }
}

// ---- its elements

TEST_F(shared_array, last_index_runs_fastest) {
    const SharedArray<int, 3> array({2, 3, 4});
    std::iota(array.begin(), array.end(), 0);
    EXPECT_EQ(array.strides(), (std::array<std::size_t, 3>{12, 4, 1}));
    int expected = 0;
    for (int i = 0; i < 2; ++i)
        for (long j = 0; j < 3; ++j)
            for (unsigned k = 0; k < 4; ++k) EXPECT_EQ(array(i, j, k), expected++);
    EXPECT_EQ(array.data()[23], 23);
    EXPECT_EQ(array.span().size(), 24u);
}

TEST_F(shared_array, first_index_gives_a_view_without_a_copy) {
    const SharedArray<std::uint8_t, 3> images({5, 2, 3});
    const ArrayView<std::uint8_t, 2> image = images[3];
    std::ranges::fill(image.span(), std::uint8_t{9});
    EXPECT_EQ(images(3, 1, 2), 9);
    EXPECT_EQ(images(2, 1, 2), 0);
    EXPECT_EQ(images(4, 0, 0), 0);
    EXPECT_EQ(images[3].data(), images.data() + 18);
    EXPECT_EQ(&images[3][1][2], &images(3, 1, 2));
    const ArrayView<const std::uint8_t, 3> all = images;
    EXPECT_EQ(all.data(), images.data());
    EXPECT_EQ(images.view().shape(), images.shape());
}

TEST_F(shared_array, of_one_dimension_gives_elements) {
    const SharedArray<int, 1> array({3});
    static_assert(std::is_same_v<decltype(array[0]), int&>);
    array[1] = 4;
    EXPECT_EQ(array(1), 4);
}

TEST_F(shared_array, checked_access_refuses_what_is_outside) {
    const SharedArray<int, 2> array({2, 3});
    array.at(1, 2) = 5;
    EXPECT_EQ(array(1, 2), 5);
    EXPECT_THROW(array.at(2, 0), std::out_of_range);
    EXPECT_THROW(array.at(-1, 0), std::out_of_range);
    EXPECT_THROW((SharedArray<int, 1>().at(0)), std::out_of_range);
}

TEST_F(shared_array, copies_share_their_elements) {
    SharedArray<int, 1> array({3});
    const SharedArray<int, 1> copy = array;
    copy[2] = 6;
    EXPECT_EQ(array[2], 6);
    array = {};
    EXPECT_EQ(copy[2], 6);
    EXPECT_EQ(mappings(), 1u);
}

TEST_F(shared_array, copies_may_come_and_go_in_many_threads) {
    const SharedArray<long, 1> array({4});
    const message sent = encoded(array);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 1000; ++i) {
                SharedArray<long, 1> copy = array;
                const SharedArray<long, 1> received = decoded<SharedArray<long, 1>>(sent.bytes.bytes());
                if (received.data() == copy.data()) ++received[t];
                copy = SharedArray<long, 1>({1});
            }
        });
    for (std::thread& thread : threads) thread.join();
    for (const long count : array) EXPECT_EQ(count, 1000);
}

// ---- on its way to another process

TEST_F(shared_array, comes_back_to_its_process_as_the_same_memory) {
    const SharedArray<int, 2> array({2, 3});
    const message sent = encoded(array);
    const auto received = decoded<SharedArray<int, 2>>(sent.bytes.bytes());
    EXPECT_EQ(received.data(), array.data());
    EXPECT_EQ(received.shape(), array.shape());
    EXPECT_EQ(mappings(), 1u);
    EXPECT_EQ(descriptors(), 1u);
}

TEST_F(shared_array, lives_as_long_as_a_message_that_holds_it) {
    message sent;
    {
        const SharedArray<int, 1> array({2});
        array[1] = 8;
        sent = encoded(array);
    }
    EXPECT_EQ((decoded<SharedArray<int, 1>>(sent.bytes.bytes())[1]), 8);
    EXPECT_EQ(mappings(), 1u);
    sent.held.clear();
    EXPECT_EQ(mappings(), 0u);
}

struct batch {
    std::string name;
    std::vector<SharedArray<int, 2>> parts;
    SharedArray<double, 1> weights;

    template <class Archive>
    void serialize(Archive& archive) {
        archive(name, parts, weights);
    }
};

TEST_F(shared_array, travels_inside_of_what_cereal_serialises) {
    batch whole{"b", {SharedArray<int, 2>({1, 2}), SharedArray<int, 2>({3, 4})}, SharedArray<double, 1>({5})};
    const message sent = encoded(whole);
    EXPECT_EQ(sent.held.size(), 3u);
    const batch received = decoded<batch>(sent.bytes.bytes());
    EXPECT_EQ(received.name, "b");
    EXPECT_EQ(received.parts.at(1).data(), whole.parts.at(1).data());
    EXPECT_EQ(received.weights.data(), whole.weights.data());
}

TEST_F(shared_array, what_a_child_writes_its_parent_sees) {
    const SharedArray<int, 2> array({100, 100});
    const message sent = encoded(array);
    EXPECT_EQ(run_in_child([&] {
                  const auto received = decoded<SharedArray<int, 2>>(sent.bytes.bytes());
                  received(99, 99) = 42;
                  const auto again = decoded<SharedArray<int, 2>>(sent.bytes.bytes());
                  return again.data() == received.data() && mappings() == 1 && descriptors() == 1 ? 0 : 1;
              }),
              0);
    EXPECT_EQ(array(99, 99), 42);
}

TEST_F(shared_array, made_by_a_child_outlives_it_here) {
    SharedArray<int, 1> received;
    {
        owner_process owner;
        received = decoded<SharedArray<int, 1>>(owner.bytes());
        const auto again = decoded<SharedArray<int, 1>>(owner.bytes());
        EXPECT_EQ(again.data(), received.data());
        EXPECT_EQ(owner.end(), 0);
    }
    EXPECT_EQ(std::vector<int>(received.begin(), received.end()), (std::vector{0, 1, 2, 3}));
    // And can go on from here to others.
    const message sent = encoded(received);
    EXPECT_EQ(run_in_child([&] { return decoded<SharedArray<int, 1>>(sent.bytes.bytes())[3] - 3; }), 0);
}

TEST_F(shared_array, of_a_process_that_is_gone_is_an_error) {
    owner_process owner;
    const std::string who = "process " + std::to_string(owner.pid());
    owner.tell_to_end();
    siginfo_t ended{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(owner.pid()), &ended, WEXITED | WNOWAIT), 0);
    for (const bool reaped : {false, true}) {
        const std::string text = refusal<SharedArray<int, 1>>(owner.bytes());
        EXPECT_NE(text.find("is gone"), std::string::npos) << text << " reaped: " << reaped;
        EXPECT_NE(text.find(who), std::string::npos) << text;
        if (!reaped) {
            EXPECT_EQ(owner.end(), 0);
        }
    }
}

TEST_F(shared_array, that_its_process_let_go_of_is_an_error) {
    const owner_process owner(true);
    const std::string text = refusal<SharedArray<int, 1>>(owner.bytes());
    EXPECT_NE(text.find("has let go of it"), std::string::npos) << text;
}

TEST_F(shared_array, another_array_in_its_place_is_not_taken_for_it) {
    wire::buffer sent;
    {
        const SharedArray<int, 1> array({4});
        sent = encoded(array).bytes;
    }
    const SharedArray<int, 1> other({4});  // has the same descriptor number
    const std::string text = refusal<SharedArray<int, 1>>(sent.bytes());
    EXPECT_NE(text.find("has let go of it"), std::string::npos) << text;
}

TEST_F(shared_array, another_rank_or_element_type_is_an_error) {
    const SharedArray<std::int32_t, 2> array({2, 3});
    const message sent = encoded(array);
    const auto bytes = sent.bytes.bytes();
    EXPECT_NE((refusal<SharedArray<std::int32_t, 3>>(bytes).find("rank mismatch")), std::string::npos);
    EXPECT_NE((refusal<SharedArray<std::int32_t, 1>>(bytes).find("rank mismatch")), std::string::npos);
    EXPECT_NE((refusal<SharedArray<std::int64_t, 2>>(bytes).find("element type mismatch")),
              std::string::npos);
    EXPECT_NE((refusal<SharedArray<float, 2>>(bytes).find("element type mismatch")), std::string::npos);
}

TEST_F(shared_array, a_corrupt_message_is_an_error) {
    const SharedArray<std::uint8_t, 1> array({4096});
    const message sent = encoded(array);
    const auto bytes = sent.bytes.bytes();
    for (std::size_t length = 0; length < bytes.size(); ++length)
        EXPECT_NE(refusal<decltype(SharedArray(array))>(bytes.first(length)), "accepted") << length;
    // Every byte matters, except where they find what they need without (the owner, if it is this process)
    // and the reserved ones.
    std::size_t accepted = 0;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        std::vector<std::byte> changed(bytes.begin(), bytes.end());
        changed[at] ^= std::byte{0x40};
        accepted += refusal<decltype(SharedArray(array))>(changed) == "accepted";
    }
    EXPECT_LE(accepted, 2 * sizeof(std::uint64_t) + sizeof(std::uint16_t));
}

// ---- forks

TEST_F(shared_array, is_not_inherited_by_a_forked_child) {
    const SharedArray<int, 1> array({4});
    EXPECT_EQ(run_in_child([] { return mappings() == 0 && descriptors() == 0 ? 0 : 1; }), 0);
}

TEST_F(shared_array, a_forked_child_that_drops_its_copy_unmaps_nothing) {
    SharedArray<char, 1> array({4096});
    void* const at = array.data();
    EXPECT_EQ(run_in_child([&] {
                  // What the child puts where the array was, in memory and among the descriptors, stays.
                  char* const own =
                      static_cast<char*>(::mmap(at, 4096, PROT_READ | PROT_WRITE,
                                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
                  if (own != at) return 1;
                  const SharedArray<int, 1> mine({4});
                  array = {};
                  *own = 1;
                  mine[3] = 1;
                  return mappings() == 1 && descriptors() == 1 ? 0 : 2;
              }),
              0);
    array[4095] = 1;
}

TEST_F(shared_array, a_forked_child_can_send_on_what_it_inherited) {
    const SharedArray<int, 1> array({4});
    array[2] = 5;
    EXPECT_EQ(run_in_child([&] {
                  const message sent = encoded(array);
                  return decoded<SharedArray<int, 1>>(sent.bytes.bytes())[2] - 5;
              }),
              0);
}

TEST_F(shared_array, forks_while_threads_use_arrays_hang_nobody) {
    const SharedArray<int, 1> array({4});
    const message sent = encoded(array);
    owner_process owner;
    std::atomic<bool> done{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t)
        threads.emplace_back([&] {
            while (!done) {
                (void)decoded<SharedArray<int, 1>>(owner.bytes());  // opened and closed each time, if alone
                (void)SharedArray<int, 1>({4});
            }
        });
    for (int i = 0; i < 50; ++i)
        EXPECT_EQ(run_in_child([&] {
                      const auto received = decoded<SharedArray<int, 1>>(sent.bytes.bytes());
                      ++received[0];
                      return mappings() == 1 && descriptors() == 1 ? 0 : 1;
                  }),
                  0);
    done = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(array[0], 50);
}

}  // namespace
