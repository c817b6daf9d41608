// SPDX-License-Identifier: MIT
// What a poller can watch, and how pollers are woken.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_WATCHABLE_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_WATCHABLE_HPP

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "procpool/detail/os/windows/api.hpp"
#include "procpool/detail/os/windows/error.hpp"

namespace procpool::inline v0_1::detail::os {

/// An operation that the system works on. It lives, with its buffer, until its end was taken from the port.
struct pending_operation : api::overlapped {
    /// `error` is the system's own number for it; 0 is none.
    void (*end)(pending_operation& one, std::uint32_t bytes, std::uintptr_t error) noexcept = nullptr;
};

/// Where the system puts the ends of operations, and others ring. Shared, since what a poller watches may
/// outlive it.
class completion_port {
public:
    // As many threads as there are take from it: one that has done so once counts while it computes.
    completion_port() : port_(::CreateIoCompletionPort(api::invalid_handle, nullptr, 0, 0x7FFFFFFF)) {
        if (!port_) throw_last_error("CreateIoCompletionPort");
    }
    completion_port(const completion_port&) = delete;
    completion_port& operator=(const completion_port&) = delete;
    ~completion_port() { ::CloseHandle(port_); }

    void* get() const noexcept { return port_; }
    /// Wakes who waits. Where that fails there is no memory; who waits looks again after a while.
    void ring() noexcept { ::PostQueuedCompletionStatus(port_, 0, 0, nullptr); }

    /// Waits for ends of operations or a ring, and notes the ends. @return whether something came
    bool take(unsigned long milliseconds) noexcept {
        api::overlapped_entry came[64];
        unsigned long count = 0;
        if (!::GetQueuedCompletionStatusEx(port_, api::as<_OVERLAPPED_ENTRY>(came), 64, &count, milliseconds,
                                           0))
            return false;
        for (unsigned long i = 0; i < count; ++i) {
            if (!came[i].operation) continue;
            auto& one = static_cast<pending_operation&>(*came[i].operation);
            one.end(one, came[i].bytes, one.status);
        }
        return count > 0;
    }

private:
    void* const port_;
};

/// Looked at by pollers: the port says when.
class watchable : public std::enable_shared_from_this<watchable> {
public:
    struct state {
        bool readable = false;
        bool writable = false;
        bool closed = false;
        std::uint64_t arrivals = 0;  // counts what may have made it readable
    };

    watchable() = default;
    watchable(const watchable&) = delete;
    watchable& operator=(const watchable&) = delete;
    virtual ~watchable() = default;
    virtual state look() noexcept = 0;
    /// The port is to be rung when the state changes. @throws std::system_error
    virtual void attach(const std::shared_ptr<completion_port>& port) = 0;
    virtual void detach(const completion_port& port) noexcept = 0;
    /// Its owner is gone.
    virtual void close() noexcept = 0;
};

/// Rings some ports.
class bell_list {
public:
    void add(const std::shared_ptr<completion_port>& port) {
        const std::lock_guard lock(mutex_);
        if (std::find(ports_.begin(), ports_.end(), port) == ports_.end()) ports_.push_back(port);
    }
    void remove(const completion_port& port) noexcept {
        const std::lock_guard lock(mutex_);
        std::erase_if(ports_, [&](const auto& one) { return one.get() == &port; });
    }
    void ring() noexcept {
        const std::lock_guard lock(mutex_);
        for (const auto& port : ports_) port->ring();
    }

private:
    std::mutex mutex_;
    std::vector<std::shared_ptr<completion_port>> ports_;
};

}  // namespace procpool::inline v0_1::detail::os

#endif
