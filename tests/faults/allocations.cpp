// SPDX-License-Identifier: MIT
// operator new that fails as planned, and the number of objects that it has made and that are not deleted.
#include "allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

#include "plan.hpp"

namespace faults {
namespace {

constinit std::atomic<long> outstanding{0};

void* allocate(std::size_t size, std::size_t alignment) {
    if (fails(call::allocate)) throw std::bad_alloc();
    // Sizes must be multiples of the alignment there.
    void* const at = alignment == 0
                         ? std::malloc(size == 0 ? 1 : size)
                         : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (!at) throw std::bad_alloc();
    outstanding.fetch_add(1, std::memory_order_relaxed);
    return at;
}

void deallocate(void* at) noexcept {
    if (!at) return;
    outstanding.fetch_sub(1, std::memory_order_relaxed);
    std::free(at);
}

}  // namespace

long objects() noexcept { return outstanding.load(); }

}  // namespace faults

// The forms for arrays and those that don't throw call these.
void* operator new(std::size_t size) { return faults::allocate(size, 0); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return faults::allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* at) noexcept { faults::deallocate(at); }
void operator delete(void* at, std::size_t) noexcept { faults::deallocate(at); }
void operator delete(void* at, std::align_val_t) noexcept { faults::deallocate(at); }
void operator delete(void* at, std::size_t, std::align_val_t) noexcept { faults::deallocate(at); }
