// SPDX-License-Identifier: MIT
// Pipe and Connection: messages between two processes; mirrors Python's multiprocessing.Pipe.
#ifndef PROCPOOL_PIPE_HPP
#define PROCPOOL_PIPE_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/family/connection.hpp"
#include "procpool/detail/family/make_pipe.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/detail/wire/callable.hpp"
#include "procpool/detail/wire/codec.hpp"
#include "procpool/detail/wire/handle.hpp"
#include "procpool/detail/wire/serializing.hpp"
#include "procpool/error.hpp"
#include "procpool/waitable.hpp"

namespace procpool::inline v0_1 {

class Connection;
/// Two connected ends: `auto [parent, child] = procpool::Pipe();`. If it is not `duplex`, the first one can
/// only receive, and the second one only send.
template <class = detail::only_if_used>
std::pair<Connection, Connection> Pipe(bool duplex = true);

/// One end of a Pipe.
///
/// Copies mean the same end. It can be an argument of Process, of tasks, of partial() and of pool
/// initializers, also inside of others; then both processes have the end, and who doesn't need it closes it,
/// since EOFError comes when all that can send have closed theirs or ended. Any number of processes may send.
/// Only one at a time may receive, or a message of more than 4000 bytes may be lost in parts. All methods may
/// be called from several threads. A process that dies in the midst of a call harms no message but its own.
class Connection : public detail::wire::travels_as_handle<Connection> {
public:
    /// Closed, until one that is not is assigned.
    Connection() noexcept = default;

    /// Sends a value, in the same form as arguments of tasks. Waits while the pipe, which holds up to 1 MiB,
    /// is full. SharedArrays and other handles in it are kept until close().
    /// @throws std::system_error with errc::broken_pipe if nobody can receive it
    /// @throws ConnectionClosed, SerializationError
    template <class T>
    void send(const T& value) {
        using namespace detail;
        using sent = wire::wire_type_t<T>;
        if constexpr (check<sent>()) {
            wire::buffer bytes;
            wire::pins pins;
            wire::serializing({"procpool: Connection::send: a ", &typeid(sent), " can't be serialised"},
                              [&] { wire::encode({bytes, pins}, value); });
            end().send(kind_of<sent>(), bytes.bytes(), std::move(pins));
        }
    }

    /// Waits for the next message and returns the value in it, whose type must be that which was sent.
    /// @throws EOFError when all have come and nobody can send any more
    /// @throws ConnectionClosed, SerializationError if it is another type's; then the message is gone
    template <class T>
    T recv() {
        using namespace detail;
        if constexpr (check<T>()) {
            const auto message = end().receive(steady_time::max());
            if (message->kind != kind_of<T>())
                throw SerializationError(
                    "procpool: Connection::recv: a message that holds another type than a " +
                    type_name(typeid(T)));
            wire::cursor from(message->bytes.bytes());
            return wire::serializing({"procpool: Connection::recv: a ", &typeid(T), " can't be rebuilt"},
                                     [&] { return wire::codec<T>::decode(from); });
        } else {
            return detail::refused();
        }
    }

    /// Sends bytes as one message.
    template <class = detail::only_if_used>
    void send_bytes(std::span<const std::byte> bytes) {
        end().send(0, bytes, {});
    }
    /// The same for a string.
    template <class = detail::only_if_used>
    void send_bytes(std::string_view text) {
        end().send(0, std::as_bytes(std::span(text)), {});
    }

    /// The bytes of the next message.
    /// @throws BufferTooShort if it has more than `maxlength`; the exception holds it
    /// @throws EOFError, ConnectionClosed
    template <class = detail::only_if_used>
    std::vector<std::byte> recv_bytes(std::size_t maxlength = ~std::size_t{0}) {
        const auto message = end().receive(detail::steady_time::max());
        const auto bytes = message->bytes.bytes();
        std::vector<std::byte> copy(bytes.begin(), bytes.end());
        if (copy.size() > maxlength) throw BufferTooShort(maxlength, std::move(copy));
        return copy;
    }

    /// Whether a message is there, or the end, so that a call that receives would not wait.
    template <class = detail::only_if_used>
    bool poll() {
        return end().poll(detail::steady_time::min());
    }
    /// The same, after a wait for it of at most `timeout`.
    template <class Rep, class Period>
    bool poll(std::chrono::duration<Rep, Period> timeout) {
        return end().poll(detail::deadline_in(timeout));
    }

    /// Closes this end in this process, for all copies of this object; to be called as often as one likes.
    template <class = detail::only_if_used>
    void close() noexcept {
        if (end_) end_->close();
    }
    /// Whether this end is closed in this process.
    template <class = detail::only_if_used>
    bool closed() const {
        return !end_ || end_->closed();
    }

    /// For wait(): ready when a message comes, or the end.
    template <class = detail::only_if_used>
    Waitable readable() const {
        return Waitable(end().receiving_end(), {end_, &end_->has_message()});
    }
    /// So that wait({connection, process.sentinel()}) takes it.
    operator Waitable() const { return readable(); }

    /// Whether both mean the same end.
    friend bool operator==(const Connection& a, const Connection& b) noexcept { return a.end_ == b.end_; }

private:
    friend detail::wire::travels_as_handle<Connection>;
    friend detail::wire::codec<Connection>;
    template <class>
    friend std::pair<Connection, Connection> Pipe(bool duplex);

    explicit Connection(std::shared_ptr<detail::family::connection> end) noexcept : end_(std::move(end)) {}

    void encode(const detail::wire::sink& out) const { end().encode(out); }
    /// @throws SerializationError if the sender has closed it, or is gone
    template <class = detail::only_if_used>
    static Connection decode(detail::wire::cursor& from) {
        return Connection(detail::family::open_connection(from));
    }

    template <class T>
    static consteval bool check() {
        static_assert(
            !detail::wire::raw_pointer<T>,
            "procpool: a raw pointer can't be sent: it points into this process; send the value itself, "
            "a std::string, a std::vector or a SharedArray");
        static_assert(detail::wire::raw_pointer<T> || detail::wire::codec<T>::sendable,
                      "procpool: this type can't be sent through a Connection: include its header "
                      "<cereal/types/...>, or give its class a serialize function for cereal (and a default "
                      "constructor or load_and_construct with <cereal/types/memory.hpp>)");
        return detail::wire::codec<T>::sendable;
    }
    /// Of a message with a T; 0 is one of bytes.
    template <class T>
    static std::uint64_t kind_of() noexcept {
        return typeid(T).hash_code() | 1;
    }

    detail::family::connection& end() const {
        if (!end_) throw ConnectionClosed("procpool: the Connection is closed");
        return *end_;
    }

    std::shared_ptr<detail::family::connection> end_;
};

template <class>
std::pair<Connection, Connection> Pipe(bool duplex) {
    auto ends = detail::family::make_pipe(duplex);
    return {Connection(std::move(ends.first)), Connection(std::move(ends.second))};
}

}  // namespace procpool::inline v0_1

#endif
