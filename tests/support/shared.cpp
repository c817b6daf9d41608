// SPDX-License-Identifier: MIT
#include "support/shared.hpp"

#include "support/test_memory.hpp"

namespace test {
namespace {

std::size_t taken = 0;

}  // namespace

std::byte* take_shared_memory(std::size_t size) {
    static std::byte* const memory = map_test_memory();
    if (size_of_test_memory - taken < size) throw std::bad_alloc();
    taken += size;
    return memory + taken - size;
}

void give_shared_memory_back(std::size_t size) noexcept { taken -= size; }

}  // namespace test
