// SPDX-License-Identifier: MIT
#include "fuzz/property.hpp"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace {
// The sanitizers' own threads allocate as well.
std::atomic<std::size_t> in_use{0};
std::atomic<std::size_t> most_in_use{0};
}  // namespace

// Not inlined: the compiler would see malloc() on one side of an allocation and delete on the other.
[[gnu::noinline]] void* operator new(std::size_t size) {
    void* const memory = std::malloc(std::max<std::size_t>(size, 1));
    if (!memory) throw std::bad_alloc();
    const std::size_t now = in_use += ::malloc_usable_size(memory);
    if (now > most_in_use) most_in_use = now;
    return memory;
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept try {
    return operator new(size);
} catch (const std::bad_alloc&) {
    return nullptr;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
    in_use -= ::malloc_usable_size(memory);
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

namespace fuzz {

void require(bool holds, const char* sentence) {
    if (holds) return;
    std::fprintf(stderr, "violated: %s\n", sentence);
    std::abort();
}

memory_meter::memory_meter() noexcept : before_(in_use) { most_in_use = before_; }
std::size_t memory_meter::peak() const noexcept { return most_in_use - before_; }

}  // namespace fuzz
