// SPDX-License-Identifier: MIT
// Memory that a test shares with the workers of its pools, to see what tasks do and to hold them.
#ifndef PROCPOOL_TESTS_SUPPORT_SHARED_HPP
#define PROCPOOL_TESTS_SUPPORT_SHARED_HPP

#include <atomic>
#include <cstddef>
#include <new>
#include <stdexcept>

#include "support/wait.hpp"

namespace test {

/// Takes `size` zeroed bytes that all processes of this test program share, forked ones and fresh runs of it.
std::byte* take_shared_memory(std::size_t size);
/// Gives back what was taken last.
void give_shared_memory_back(std::size_t size) noexcept;
/// Whether this is a fresh run of the test program, where what is shared exists already.
bool is_fresh_run();

/// One T, shared by all processes. Tasks reach it as a global variable: as one it is the same in fresh runs,
/// which make the same global variables in the same order.
template <class T>
class shared {
public:
    shared() : object_(place()) {}
    shared(const shared&) = delete;
    shared& operator=(const shared&) = delete;
    ~shared() { give_shared_memory_back(size); }

    T* operator->() const noexcept { return object_; }
    T& operator*() const noexcept { return *object_; }

    /// As new; no task may be using it.
    void reset() const { new (object_) T{}; }

private:
    static constexpr std::size_t line = 64;
    static constexpr std::size_t size = (sizeof(T) + line - 1) / line * line;

    static T* place() {
        std::byte* const at = take_shared_memory(size);
        return is_fresh_run() ? std::launder(reinterpret_cast<T*>(at)) : new (at) T{};
    }

    T* object_;
};

/// Holds tasks until the test opens it.
class gate {
public:
    void open() noexcept { open_.store(true); }
    /// @throws std::runtime_error if nobody opens it
    void pass() const {
        if (!eventually([this] { return open_.load(); })) throw std::runtime_error("nobody opened the gate");
    }

private:
    std::atomic<bool> open_{false};
};

}  // namespace test

#endif
