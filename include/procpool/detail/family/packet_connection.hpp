// SPDX-License-Identifier: MIT
// One end of a Pipe in one process, from inside: messages cut into packets and put together again.
#ifndef PROCPOOL_DETAIL_FAMILY_PACKET_CONNECTION_HPP
#define PROCPOOL_DETAIL_FAMILY_PACKET_CONNECTION_HPP

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/family/connection.hpp"
#include "procpool/detail/family/packet_message.hpp"
#include "procpool/detail/family/packets.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fork_stamp.hpp"
#include "procpool/detail/os/packet_pipe.hpp"
#include "procpool/detail/os/readable.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::family {

/// What travels of a Connection.
struct connection_handle {
    os::pipe_handle receive;  // file is -1 where it can't
    os::pipe_handle send;
};

/// One end of a Pipe in one process. Thread-safe.
template <class = only_if_used>
class basic_packet_connection final : public connection {
public:
    using file = std::shared_ptr<const os::fd>;
    static constexpr std::size_t payload = os::packet_size - sizeof(family::packet_header);

    basic_packet_connection(os::fd receive, os::fd send)
        : receives_(receive),
          sends_(send),
          receive_(owned(std::move(receive))),
          send_(owned(std::move(send))) {}

    /// Each packet goes in one piece, so that nobody's death, and no other sender, can tear one.
    void send(std::uint64_t kind, std::span<const std::byte> bytes, wire::pins pins) override {
        const file to = sending_end();
        keep(std::move(pins));
        static std::atomic<std::uint64_t> messages{0};
        const family::packet_header first{os::current_pid(), ++messages, kind, bytes.size(), 0};
        const std::size_t batch = std::min(os::packets_at_once(), bytes.size() / payload + 1);
        std::vector<family::packet_header> headers(batch, first);
        std::vector<iovec> parts(2 * batch);
        const os::no_sigpipe guard;
        std::size_t sent = 0;
        do {
            std::size_t count = 0;
            std::size_t at = sent;
            do {
                const auto piece = bytes.subspan(at, std::min(bytes.size() - at, payload));
                headers[count].offset = at;
                parts[2 * count] = {&headers[count], sizeof first};
                parts[2 * count + 1] = {const_cast<std::byte*>(piece.data()), piece.size()};
                at += piece.size();
            } while (++count < batch && at < bytes.size());
            const std::size_t written = os::write_packets(*to, std::span(parts).first(2 * count));
            if (written == 0) {
                guard.take_back();
                os::throw_system_error(EPIPE, "Connection::send: nobody can receive it any more");
            }
            sent = std::min(sent + written * payload, bytes.size());
        } while (sent < bytes.size());
    }

    std::optional<family::packet_message> receive(steady_time until) override {
        const file from = receiving_end();
        const mutex_guard lock(receiving_);
        if (!await(*from, until)) return std::nullopt;
        if (!ready_) throw EOFError("procpool: Connection: nobody is left who could send");
        has_message_.store(false, std::memory_order_relaxed);
        return std::exchange(ready_, std::nullopt);
    }

    bool poll(steady_time until) override {
        const file from = receiving_end();
        const mutex_guard lock(receiving_);
        return await(*from, until);
    }

    const std::atomic<bool>& has_message() const noexcept override { return has_message_; }

    void close() noexcept override {
        if (!is_of_this_process()) return;
        const mutex_guard lock(closing_);
        receive_.reset();
        send_.reset();
        pins_.clear();
    }
    bool closed() const override {
        if (!is_of_this_process()) return true;
        const mutex_guard lock(closing_);
        return !receive_ && !send_;
    }

    file receiving_end() const override {
        return end(&basic_packet_connection::receive_, receives_, "receive");
    }

    void encode(const wire::sink& out) const override {
        require_this_process();
        const mutex_guard lock(closing_);
        connection_handle ends;
        require_open();
        if (receive_) ends.receive = os::handle_of(*receive_);
        if (send_) ends.send = os::handle_of(*send_);
        out.held.push_back(receive_);
        out.held.push_back(send_);
        out.to.append_value(ends);
    }

private:
    static file owned(os::fd end) { return end ? std::make_shared<const os::fd>(std::move(end)) : nullptr; }

    bool is_of_this_process() const noexcept { return made_.is_here(); }
    void require_this_process() const {
        if (!is_of_this_process())
            throw ConnectionClosed(
                "procpool: a Connection that another process has made can't be used as a global variable; "
                "pass it to the process as an argument");
    }
    void require_open() const PROCPOOL_REQUIRES(closing_) {
        if (!receive_ && !send_) throw ConnectionClosed("procpool: the Connection is closed");
    }
    file sending_end() const { return end(&basic_packet_connection::send_, sends_, "send"); }
    file end(file basic_packet_connection::* which, bool has_it, const char* what) const {
        require_this_process();
        if (!has_it)
            throw ConnectionClosed(std::string("procpool: this end of a one-way Pipe can't ").append(what));
        const mutex_guard lock(closing_);
        require_open();
        return this->*which;
    }

    /// Until there is a whole message or the end.
    bool await(const os::fd& from, steady_time until) PROCPOOL_REQUIRES(receiving_) {
        alignas(family::packet_header) std::array<std::byte, os::packet_size> packet;
        while (!ready_) {
            const auto got = os::read_some(from, packet.data(), packet.size());
            if (got.closed) return true;
            if (!got.would_block) {
                ready_ = assembly_.add({packet.data(), got.bytes});
                continue;
            }
            if (assembly_.parts() > 1) assembly_.forget_the_dead(&os::is_gone);
            if (!os::wait_readable(from.get(), until)) return false;
        }
        has_message_.store(true, std::memory_order_relaxed);
        return true;
    }

    /// What a message refers to must be there when it is received, which nobody tells: until this is closed.
    void keep(wire::pins pins) {
        if (pins.empty()) return;
        const mutex_guard lock(closing_);
        pins_.insert(pins_.end(), std::make_move_iterator(pins.begin()), std::make_move_iterator(pins.end()));
    }

    const os::fork_stamp made_;
    const bool receives_;
    const bool sends_;
    mutable mutex closing_;
    file receive_ PROCPOOL_GUARDED_BY(closing_);
    file send_ PROCPOOL_GUARDED_BY(closing_);
    wire::pins pins_ PROCPOOL_GUARDED_BY(closing_);
    mutex receiving_;
    family::packet_assembly assembly_ PROCPOOL_GUARDED_BY(receiving_);
    std::optional<family::packet_message> ready_ PROCPOOL_GUARDED_BY(receiving_);
    std::atomic<bool> has_message_{false};
};
using packet_connection = basic_packet_connection<>;

}  // namespace procpool::inline v0_1::detail::family

#endif
