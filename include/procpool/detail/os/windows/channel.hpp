// SPDX-License-Identifier: MIT
// Ends of pipes that never wait and that a poller can watch: one that reads ahead, and one that writes
// behind.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_CHANNEL_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_CHANNEL_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/piece.hpp"
#include "procpool/detail/os/windows/watchable.hpp"

namespace procpool::inline v0_1::detail::os {

/// What one read or write did: `bytes` moved, or `would_block`, or the end (`closed`).
struct transfer {
    std::size_t bytes = 0;
    bool would_block = false;
    bool closed = false;
};

/// Bytes that a pipe holds, and that a channel takes at once.
inline constexpr std::size_t pipe_buffer = 64 * 1024;

/// One operation at a time is the system's, on a buffer of the channel's.
class channel : public watchable {
public:
    explicit channel(void* pipe) noexcept : pipe_(pipe) { operation_.of = this; }
    ~channel() override {
        if (pipe_) ::CloseHandle(pipe_);
    }

    void attach(const std::shared_ptr<completion_port>& port) override {
        const std::lock_guard lock(mutex_);
        if (!pipe_ || port_ == port) return;
        bells_.add(port);
        // A file has one port; others are rung by who takes from that.
        if (port_) return;
        if (!::CreateIoCompletionPort(pipe_, port->get(), 0, 0))
            throw_last_error("CreateIoCompletionPort (a pipe)");
        constexpr unsigned char no_packet_on_success = 1, no_event = 2;
        ::SetFileCompletionNotificationModes(pipe_, no_packet_on_success | no_event);
        port_ = port;
        attached();
    }
    void detach(const completion_port& port) noexcept override {
        bells_.remove(port);
        const std::lock_guard lock(mutex_);
        if (port_.get() == &port) cancel();
    }
    void close() noexcept override {
        const std::lock_guard lock(mutex_);
        if (!pipe_ || closing_) return;
        closing_ = true;
        if (pending_ && must_end()) return;  // its end closes the pipe
        cancel();
    }

protected:
    struct operation : pending_operation {
        channel* of = nullptr;
        std::shared_ptr<watchable> keeps;  // the channel, while the system has the buffer
    };

    virtual void attached() noexcept {}
    virtual void ended(std::uint32_t bytes, std::uintptr_t error) noexcept = 0;
    /// Whether what is pending may not be cancelled.
    virtual bool must_end() const noexcept = 0;
    virtual void note_cancelled() noexcept = 0;

    /// To be called before an operation is given to the system.
    _OVERLAPPED* begin() noexcept {
        static_cast<api::overlapped&>(operation_) = {};
        operation_.end = [](pending_operation& one, std::uint32_t bytes, std::uintptr_t error) noexcept {
            auto& own = static_cast<operation&>(one);
            const auto keeps = std::move(own.keeps);
            own.of->take_end(bytes, error);
        };
        operation_.keeps = shared_from_this();
        pending_ = true;
        return api::as_overlapped(&operation_);
    }
    /// It has ended at once, and nothing comes to the port.
    void end_at_once() noexcept {
        pending_ = false;
        operation_.keeps.reset();
    }
    void cancel() noexcept {
        if (!pipe_) return;
        if (pending_) ::CancelIoEx(pipe_, nullptr);
        ::CloseHandle(std::exchange(pipe_, nullptr));
        note_cancelled();
    }

    mutable std::mutex mutex_;
    void* pipe_;
    std::shared_ptr<completion_port> port_;
    bell_list bells_;
    operation operation_;
    bool pending_ = false;
    bool closing_ = false;

private:
    void take_end(std::uint32_t bytes, std::uintptr_t error) noexcept {
        {
            const std::lock_guard lock(mutex_);
            pending_ = false;
            ended(bytes, error);
            if (closing_) cancel();
        }
        bells_.ring();
    }
};

/// Reads ahead, one buffer.
class channel_reader final : public channel {
public:
    using channel::channel;

    state look() noexcept override {
        const std::lock_guard lock(mutex_);
        return {.readable = at_ < filled_ || ended_, .closed = !pipe_};
    }

    transfer read(std::byte* to, std::size_t size) {
        const std::lock_guard lock(mutex_);
        if (!port_) return read_unwatched(to, size);
        std::size_t moved = 0;
        while (moved < size && at_ < filled_) {
            const std::size_t piece = std::min(size - moved, filled_ - at_);
            std::memcpy(to + moved, buffer_.get() + at_, piece);
            at_ += piece;
            moved += piece;
            if (at_ == filled_) start();
        }
        if (moved > 0) return {.bytes = moved};
        if (ended_ || !pipe_) return {.closed = true};
        return {.would_block = true};
    }

    /// Bytes that were written and nobody has read.
    std::size_t unread() const noexcept {
        const std::lock_guard lock(mutex_);
        unsigned long in_pipe = 0;
        if (!pipe_ || (!pending_ && !ended_)) {
            if (!pipe_ || !::PeekNamedPipe(pipe_, nullptr, 0, nullptr, &in_pipe, nullptr)) in_pipe = 0;
        }
        return filled_ - at_ + in_pipe;
    }

    /// Of a writer that is dead: waits, for a while at most, until a read gets something or tells the end.
    /// False if nothing comes. For who takes from the port.
    bool await_more() noexcept {
        constexpr unsigned long pause = 10;
        for (const steady_time until = deadline_in(std::chrono::seconds(2));;) {
            if (look().readable) return true;
            std::shared_ptr<completion_port> port;
            {
                const std::lock_guard lock(mutex_);
                if (!pipe_ || !port_) return false;
                port = port_;
            }
            if (std::chrono::steady_clock::now() >= until) return false;
            port->take(pause);
        }
    }

private:
    void attached() noexcept override { start(); }
    bool must_end() const noexcept override { return false; }
    void note_cancelled() noexcept override { ended_ = true; }

    void start() noexcept {
        at_ = filled_ = 0;
        while (pipe_ && !ended_) {
            if (!buffer_) buffer_.reset(new std::byte[pipe_buffer]);
            unsigned long bytes = 0;
            if (::ReadFile(pipe_, buffer_.get(), pipe_buffer, &bytes, begin())) {
                end_at_once();
                filled_ = bytes;
                if (bytes > 0) return;
                continue;  // an empty write
            }
            if (::GetLastError() == api::error_io_pending) return;
            end_at_once();
            ended_ = true;
        }
    }
    void ended(std::uint32_t bytes, std::uintptr_t error) noexcept override {
        filled_ = error == 0 ? bytes : 0;
        at_ = 0;
        if (error != 0)
            ended_ = true;
        else if (bytes == 0)
            start();
    }
    /// No poller watches it.
    transfer read_unwatched(std::byte* to, std::size_t size) {
        unsigned long there = 0;
        if (!pipe_ || !::PeekNamedPipe(pipe_, nullptr, 0, nullptr, &there, nullptr)) return {.closed = true};
        if (there == 0) return {.would_block = true};
        api::overlapped read;
        unsigned long bytes = 0;
        const auto most = static_cast<unsigned long>(std::min<std::size_t>(size, there));
        if (::ReadFile(pipe_, to, most, &bytes, api::as_overlapped(&read)) ||
            (::GetLastError() == api::error_io_pending &&
             ::GetOverlappedResult(pipe_, api::as_overlapped(&read), &bytes, 1)))
            return {.bytes = bytes};
        return {.closed = true};
    }

    std::unique_ptr<std::byte[]> buffer_;
    std::size_t at_ = 0;
    std::size_t filled_ = 0;
    bool ended_ = false;
};

/// Takes a buffer's worth as soon as the one before is written.
class channel_writer final : public channel {
public:
    using channel::channel;

    state look() noexcept override {
        const std::lock_guard lock(mutex_);
        return {.writable = !pending_, .closed = !pipe_};
    }

    transfer write(std::span<const piece> parts) {
        const std::lock_guard lock(mutex_);
        if (!pipe_ || closing_ || broken_) return {.closed = true};
        if (pending_) return {.would_block = true};
        if (!buffer_) buffer_.reset(new std::byte[pipe_buffer]);
        std::size_t size = 0;
        for (const piece& part : parts) {
            const std::size_t some = std::min(size_of(part), pipe_buffer - size);
            std::memcpy(buffer_.get() + size, data_of(part), some);
            size += some;
        }
        if (size == 0) return {};
        unsigned long bytes = 0;
        if (::WriteFile(pipe_, buffer_.get(), static_cast<unsigned long>(size), &bytes, begin())) {
            // Without a port there is no packet either way.
            end_at_once();
            return {.bytes = size};
        }
        const unsigned long error = ::GetLastError();
        if (error == api::error_io_pending && port_) return {.bytes = size};
        if (error == api::error_io_pending) {  // nobody watches it: it waits
            const bool good = ::GetOverlappedResult(pipe_, api::as_overlapped(&operation_), &bytes, 1) != 0;
            end_at_once();
            if (good) return {.bytes = size};
        } else {
            end_at_once();
        }
        broken_ = true;
        return {.closed = true};
    }

private:
    /// It is not known how much of a write was taken that is cancelled.
    bool must_end() const noexcept override { return true; }
    void note_cancelled() noexcept override { broken_ = true; }
    void ended(std::uint32_t, std::uintptr_t error) noexcept override { broken_ = broken_ || error != 0; }

    std::unique_ptr<std::byte[]> buffer_;
    bool broken_ = false;
};

}  // namespace procpool::inline v0_1::detail::os

#endif
