// SPDX-License-Identifier: MIT
// Memory that a test shares with the processes that it forks later, to see what tasks do and to hold them.
#ifndef PROCPOOL_TESTS_SUPPORT_SHARED_HPP
#define PROCPOOL_TESTS_SUPPORT_SHARED_HPP

#include <sys/mman.h>

#include <atomic>
#include <new>
#include <stdexcept>

#include "support/wait.hpp"

namespace test {

/// One T, shared with all processes that are forked afterwards. Tasks reach it as a global variable.
template <class T>
class shared {
public:
    shared() : object_(new(map()) T{}) {}
    shared(const shared&) = delete;
    shared& operator=(const shared&) = delete;
    ~shared() { ::munmap(object_, sizeof(T)); }

    T* operator->() const noexcept { return object_; }
    T& operator*() const noexcept { return *object_; }

    /// As new; no task may be using it.
    void reset() { new (object_) T{}; }

private:
    static void* map() {
        void* const at =
            ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED) throw std::bad_alloc();
        return at;
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
