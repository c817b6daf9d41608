// SPDX-License-Identifier: MIT
// Shared arrays and the system's memory: when it is taken, and where others find it.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/populate.hpp"
#include "procpool/shared_array.hpp"
#include "support/arrays.hpp"
#include "support/temporary_folder.hpp"

namespace shared_array_memory_test {

namespace os = procpool::detail::os;
using procpool::SharedArray;

class shared_array_memory : public test::arrays {};

std::int64_t bytes_taken(const SharedArray<char, 1>& array) {
    struct stat status{};
    EXPECT_EQ(::stat(array.path().c_str(), &status), 0);
    return status.st_blocks * 512;
}

TEST_F(shared_array_memory, is_taken_at_once_if_asked) {
    constexpr int size = 1 << 20;
    const SharedArray<char, 1> later({size});
    EXPECT_EQ(bytes_taken(later), 0);
    const SharedArray<char, 1> now({size}, {.prefault = true});
    EXPECT_EQ(bytes_taken(now), size);
    std::vector<unsigned char> present(size / os::page_size());
    ASSERT_EQ(::mincore(now.data(), size, present.data()), 0);
    EXPECT_TRUE(std::ranges::all_of(present, [](unsigned char page) { return page & 1; }));
    EXPECT_TRUE(std::ranges::all_of(now, [](char c) { return c == 0; }));
    const auto copy = SharedArray<char, 1>::of({'a', 'b'}, {.prefault = true});
    EXPECT_EQ(copy[1], 'b');
}

TEST_F(shared_array_memory, is_taken_at_once_on_kernels_without_a_call_for_it) {
    constexpr std::size_t size = 1 << 20;
    const os::fd file = os::make_memfd("old-kernel", size);
    const os::mapping memory(file, 0, size);
    memory.data()[5000] = std::byte{7};
    os::reserve_and_touch(file, memory.data(), size);
    struct stat status{};
    ASSERT_EQ(::fstat(file.get(), &status), 0);
    EXPECT_EQ(status.st_blocks * 512, static_cast<std::int64_t>(size));
    EXPECT_EQ(memory.data()[5000], std::byte{7});
    EXPECT_EQ(memory.data()[4096], std::byte{0});
}

TEST_F(shared_array_memory, that_can_not_be_taken_is_an_error) {
    const os::fd none;
    std::byte untouched{};
    EXPECT_THROW(os::reserve_and_touch(none, &untouched, 1), std::system_error);
    try {
        os::refuse_to_populate(ENOSPC, 5);
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::not_enough_memory);
    }
    EXPECT_THROW((SharedArray<char, 1>({std::uint64_t{1} << 50}, {.prefault = true})), std::system_error);
}

TEST_F(shared_array_memory, is_found_by_other_programs_at_its_path) {
    const auto array = SharedArray<char, 1>::of({'a', 'b', 'c'});
    std::fstream file(array.path(), std::ios::in | std::ios::out | std::ios::binary);
    std::string text;
    ASSERT_TRUE(file >> text);
    EXPECT_EQ(text, "abc");
    file.clear();
    file.seekp(1);
    file.put('x').flush();
    EXPECT_EQ(array[1], 'x');
    EXPECT_EQ((SharedArray<int, 1>().path()), "");
}

TEST_F(shared_array_memory, is_not_that_of_a_device_or_a_pipe) {
    const test::temporary_folder folder;
    using numbers = SharedArray<const int, 2>;
    EXPECT_THROW(numbers::map_file("/dev/zero", {1, 1}), procpool::Error);
    const std::string pipe = folder.path("pipe");
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_THROW(numbers::map_file(pipe, {1, 1}), procpool::Error) << "and nobody waits for a writer";
}

}  // namespace shared_array_memory_test
