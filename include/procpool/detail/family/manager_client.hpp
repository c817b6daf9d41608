// SPDX-License-Identifier: MIT
// A manager as a process that uses its objects sees it, and references to objects.
#ifndef PROCPOOL_DETAIL_FAMILY_MANAGER_CLIENT_HPP
#define PROCPOOL_DETAIL_FAMILY_MANAGER_CLIENT_HPP

#include <cstdint>
#include <memory>
#include <utility>

#include "procpool/detail/family/manager_request.hpp"
#include "procpool/detail/family/new_envelope.hpp"
#include "procpool/detail/family/server_key.hpp"
#include "procpool/detail/wire/buffer.hpp"

namespace procpool::inline v0_1::detail::family {

/// What a call has given. While this lives nobody uses the connection that it came by, so that the server
/// keeps what the value refers to.
struct call_answer {
    wire::buffer bytes;
    std::shared_ptr<void> connection;

    wire::cursor value() const { return wire::cursor(bytes.bytes().subspan(sizeof(manager_answer))); }
};

/// Shared by all proxies of one manager in this process. Thread-safe. What a request has thrown in the
/// manager's process is thrown here; if there is no such process any more, that is ManagerDied.
class manager_client {
public:
    manager_client() = default;
    manager_client(const manager_client&) = delete;
    manager_client& operator=(const manager_client&) = delete;
    virtual ~manager_client() = default;

    /// Who has it is let in.
    virtual const server_key& key() const noexcept = 0;

    /// Through any connection.
    virtual call_answer call(wire::buffer request) = 0;
    /// @return the object's number
    virtual std::uint64_t create(wire::buffer request) = 0;
    virtual void acquire(std::uint64_t object) = 0;
    virtual void release(std::uint64_t object) noexcept = 0;

    static wire::buffer new_request(manager_request::kind what, std::uint64_t object) {
        wire::buffer request = new_envelope();
        request.append_value(manager_request{.what = what, .object = object});
        return request;
    }
};

/// One counted reference to an object.
class object_reference {
public:
    /// Takes over a count that the server has made.
    object_reference(std::shared_ptr<manager_client> client, std::uint64_t object) noexcept
        : client_(std::move(client)), object_(object) {}
    object_reference(const object_reference&) = delete;
    object_reference& operator=(const object_reference&) = delete;
    ~object_reference() { client_->release(object_); }

    manager_client& client() const noexcept { return *client_; }
    std::uint64_t object() const noexcept { return object_; }

private:
    std::shared_ptr<manager_client> client_;
    std::uint64_t object_;
};

}  // namespace procpool::inline v0_1::detail::family

#endif
