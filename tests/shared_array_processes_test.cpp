// SPDX-License-Identifier: MIT
// Shared arrays on their way to other processes, and in forked ones.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "procpool/shared_array.hpp"
#include "support/arrays.hpp"
#include "support/handles.hpp"
#include "support/processes.hpp"
#include "support/shared.hpp"
#include "support/temporary_folder.hpp"

namespace shared_array_processes_test {

namespace wire = procpool::detail::wire;
using procpool::SharedArray;
using test::decoded;
using test::descriptors;
using test::encoded;
using test::mappings;
using test::message;
using test::refusal;

class shared_array_processes : public test::arrays {};

// ---- children

/// Exit code of a child that calls `body` with the bytes of a message.
template <class Body>
int run_with(const message& sent, Body body) {
    const auto bytes = sent.bytes.bytes();
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return test::in_child([body](const std::string& got) { return body(std::as_bytes(std::span(got))); },
                          text);
}
/// The same of a copy of this process, which has all that the test has.
template <class Body>
int run_in_fork(Body body) {
    return test::child_program(body).wait().exit_code;
}

struct owned_array {
    std::array<std::byte, 4096> message{};
    std::atomic<std::size_t> size{0};
    std::atomic<bool> over{false};
};
test::shared<owned_array> owned;

/// Another process that owns an array of four ints, 0 to 3, until it is told to let go.
class owner_process {
public:
    explicit owner_process(bool let_go_at_once = false)
        : child_((owned.reset(), [let_go_at_once] {
              SharedArray<int, 1> array({4});
              std::iota(array.begin(), array.end(), 0);
              const wire::buffer sent = encoded(array).bytes;
              if (let_go_at_once) array = {};
              std::ranges::copy(sent.bytes(), owned->message.begin());
              owned->size = sent.size();
              return test::eventually([] { return owned->over.load(); }, 2 * test::patience) ? 0 : 1;
          })) {
        EXPECT_TRUE(test::eventually([] { return owned->size != 0; }));
    }
    ~owner_process() {
        if (!ended_) {
            EXPECT_EQ(end(), 0);
        }
    }

    std::span<const std::byte> bytes() const { return std::span(owned->message).first(owned->size); }
    void tell_to_end() { owned->over = true; }
    bool has_ended() const {
        return test::eventually([&] { return test::look_at(child_.pid()).state == 'Z'; });
    }
    int end() {
        tell_to_end();
        ended_ = true;
        return child_.wait().exit_code;
    }
    long pid() const { return child_.pid(); }

private:
    test::child_program child_;
    bool ended_ = false;
};

// ---- on its way to another process

TEST_F(shared_array_processes, comes_back_to_its_process_as_the_same_memory) {
    const SharedArray<int, 2> array({2, 3});
    const message sent = encoded(array);
    const auto received = decoded<SharedArray<int, 2>>(sent.bytes.bytes());
    EXPECT_EQ(received.data(), array.data());
    EXPECT_EQ(received.shape(), array.shape());
    EXPECT_EQ(mappings(), 1u);
    EXPECT_EQ(descriptors(), 1u);
}

TEST_F(shared_array_processes, lives_as_long_as_a_message_that_holds_it) {
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

TEST_F(shared_array_processes, travels_inside_of_what_cereal_serialises) {
    batch whole{"b", {SharedArray<int, 2>({1, 2}), SharedArray<int, 2>({3, 4})}, SharedArray<double, 1>({5})};
    const message sent = encoded(whole);
    EXPECT_EQ(sent.held.size(), 3u);
    const batch received = decoded<batch>(sent.bytes.bytes());
    EXPECT_EQ(received.name, "b");
    EXPECT_EQ(received.parts.at(1).data(), whole.parts.at(1).data());
    EXPECT_EQ(received.weights.data(), whole.weights.data());
}

TEST_F(shared_array_processes, what_a_child_writes_its_parent_sees) {
    const SharedArray<int, 2> array({100, 100});
    const message sent = encoded(array);
    EXPECT_EQ(
        run_with(sent,
                 [](auto bytes) {
                     const auto received = decoded<SharedArray<int, 2>>(bytes);
                     received(99, 99) = 42;
                     const auto again = decoded<SharedArray<int, 2>>(bytes);
                     return again.data() == received.data() && mappings() == 1 && descriptors() == 1 ? 0 : 1;
                 }),
        0);
    EXPECT_EQ(array(99, 99), 42);
}

TEST_F(shared_array_processes, made_by_a_child_outlives_it_here) {
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
    EXPECT_EQ(run_with(sent, [](auto bytes) { return decoded<SharedArray<int, 1>>(bytes)[3] - 3; }), 0);
}

TEST_F(shared_array_processes, of_a_process_that_is_gone_is_an_error) {
    owner_process owner;
    const std::string who = "process " + std::to_string(owner.pid());
    owner.tell_to_end();
    ASSERT_TRUE(owner.has_ended());
    for (const bool reaped : {false, true}) {
        const std::string text = refusal<SharedArray<int, 1>>(owner.bytes());
        EXPECT_NE(text.find("is gone"), std::string::npos) << text << " reaped: " << reaped;
        EXPECT_NE(text.find(who), std::string::npos) << text;
        if (!reaped) {
            EXPECT_EQ(owner.end(), 0);
        }
    }
}

TEST_F(shared_array_processes, that_its_process_let_go_of_is_an_error) {
    const owner_process owner(true);
    const std::string text = refusal<SharedArray<int, 1>>(owner.bytes());
    EXPECT_NE(text.find("has let go of it"), std::string::npos) << text;
}

TEST_F(shared_array_processes, another_array_in_its_place_is_not_taken_for_it) {
    wire::buffer sent;
    {
        const SharedArray<int, 1> array({4});
        sent = encoded(array).bytes;
    }
    const SharedArray<int, 1> other({4});  // has the same descriptor number
    const std::string text = refusal<SharedArray<int, 1>>(sent.bytes());
    EXPECT_NE(text.find("has let go of it"), std::string::npos) << text;
}

TEST_F(shared_array_processes, another_rank_or_element_type_is_an_error) {
    const SharedArray<std::int32_t, 2> array({2, 3});
    const message sent = encoded(array);
    const auto bytes = sent.bytes.bytes();
    EXPECT_NE((refusal<SharedArray<std::int32_t, 3>>(bytes).find("rank mismatch")), std::string::npos);
    EXPECT_NE((refusal<SharedArray<std::int32_t, 1>>(bytes).find("rank mismatch")), std::string::npos);
    EXPECT_NE((refusal<SharedArray<std::int64_t, 2>>(bytes).find("element type mismatch")),
              std::string::npos);
    EXPECT_NE((refusal<SharedArray<float, 2>>(bytes).find("element type mismatch")), std::string::npos);
}

TEST_F(shared_array_processes, a_corrupt_message_is_an_error) {
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

// ---- mapped files

TEST_F(shared_array_processes, a_mapped_file_is_mapped_by_others_even_if_deleted) {
    const test::temporary_folder folder;
    const std::string path = folder.path("numbers");
    std::ofstream(path) << "0123456789";
    const auto array = SharedArray<const char, 1>::map_file(path, {6}, 4);
    const message sent = encoded(array);
    std::ofstream(path, std::ios::app) << "more";
    std::filesystem::remove(path);
    EXPECT_EQ(run_with(sent,
                       [](auto bytes) {
                           const auto received = decoded<SharedArray<const char, 1>>(bytes);
                           return std::string(received.begin(), received.end()) == "456789" ? 0 : 1;
                       }),
              0);
}

TEST_F(shared_array_processes, a_mapped_file_that_was_shortened_is_refused) {
    const test::temporary_folder folder;
    const std::string path = folder.path("numbers");
    std::ofstream(path) << "0123456789";
    const auto array = SharedArray<const char, 1>::map_file(path, {6}, 4);
    const message sent = encoded(array);
    std::filesystem::resize_file(path, 9);
    EXPECT_EQ(run_with(sent,
                       [](auto bytes) {
                           const std::string text = refusal<SharedArray<const char, 1>>(bytes);
                           return text.find("shorter than what was sent") != text.npos ? 0 : 1;
                       }),
              0);
}

// ---- forks

TEST_F(shared_array_processes, is_not_inherited_by_a_forked_child) {
    const SharedArray<int, 1> array({4});
    EXPECT_EQ(run_in_fork([] { return mappings() == 0 && descriptors() == 0 ? 0 : 1; }), 0);
}

TEST_F(shared_array_processes, a_forked_child_that_drops_its_copy_unmaps_nothing) {
    SharedArray<char, 1> array({4096});
    void* const at = array.data();
    EXPECT_EQ(run_in_fork([&] {
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

TEST_F(shared_array_processes, a_forked_child_can_send_on_what_it_inherited) {
    const SharedArray<int, 1> array({4});
    array[2] = 5;
    EXPECT_EQ(run_in_fork([&] {
                  const message sent = encoded(array);
                  return decoded<SharedArray<int, 1>>(sent.bytes.bytes())[2] - 5;
              }),
              0);
}

TEST_F(shared_array_processes, forks_while_threads_use_arrays_hang_nobody) {
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
        EXPECT_EQ(run_with(sent,
                           [](auto bytes) {
                               const auto received = decoded<SharedArray<int, 1>>(bytes);
                               ++received[0];
                               return mappings() == 1 && descriptors() == 1 ? 0 : 1;
                           }),
                  0);
    done = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(array[0], 50);
}

}  // namespace shared_array_processes_test
