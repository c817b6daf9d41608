// SPDX-License-Identifier: MIT
// The connections by which a process uses the objects of a manager.
#ifndef PROCPOOL_DETAIL_FAMILY_MANAGER_LINK_HPP
#define PROCPOOL_DETAIL_FAMILY_MANAGER_LINK_HPP

#include <chrono>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/family/envelope.hpp"
#include "procpool/detail/family/manager_client.hpp"
#include "procpool/detail/family/manager_request.hpp"
#include "procpool/detail/family/mutual_proof.hpp"
#include "procpool/detail/family/server_key.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/fork_stamp.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::family {

/// Shared by all proxies of one manager in this process. Thread-safe.
template <class = only_if_used>
class basic_manager_link final : public manager_client {
public:
    static std::shared_ptr<basic_manager_link> of(const family::server_key& key) {
        using clients = std::map<family::server_key, std::weak_ptr<basic_manager_link>>;
        static auto* const known = new clients;  // guarded by hold_forks(); leaked: used by static objects
        const auto lock = os::fd_registry::instance().hold_forks();
        std::erase_if(*known, [](const auto& one) { return one.second.expired(); });
        if (const auto at = known->find(key); at != known->end())
            if (auto client = at->second.lock(); client && client->is_of_this_process()) return client;
        auto client = std::make_shared<basic_manager_link>(key);
        (*known)[key] = client;
        return client;
    }

    explicit basic_manager_link(const family::server_key& key) : key_(key) {}

    const family::server_key& key() const noexcept override { return key_; }

    call_answer call(wire::buffer request) override {
        require_this_process();
        auto connection = std::make_shared<lent_connection>(*this, idle_or_new());
        call_answer answer{exchange(connection->socket, request), connection};
        wire::cursor from(answer.bytes.bytes());
        read_status(from);
        return answer;
    }

    std::uint64_t create(wire::buffer request) override {
        require_this_process();
        const mutex_guard lock(control_mutex_);
        const wire::buffer answer = exchange(control(), request);
        wire::cursor from(answer.bytes());
        read_status(from);
        return from.value<std::uint64_t>();
    }
    void acquire(std::uint64_t object) override {
        require_this_process();
        wire::buffer request = manager_client::new_request(manager_request::kind::acquire, object);
        const mutex_guard lock(control_mutex_);
        const wire::buffer answer = exchange(control(), request);
        wire::cursor from(answer.bytes());
        read_status(from);
    }
    void release(std::uint64_t object) noexcept override {
        if (!is_of_this_process()) return;
        try {
            wire::buffer request = manager_client::new_request(manager_request::kind::release, object);
            const mutex_guard lock(control_mutex_);
            if (control_) family::send_envelope(control_, request);
        } catch (const std::exception&) {  // the server drops it with the connection
        }
    }

private:
    /// For others again at its end, unless it has failed.
    struct lent_connection {
        lent_connection(basic_manager_link& owner, os::fd connection) noexcept
            : self(owner), socket(std::move(connection)) {}
        lent_connection(const lent_connection&) = delete;
        lent_connection& operator=(const lent_connection&) = delete;
        ~lent_connection() {
            if (socket) self.put_back(std::move(socket));
        }
        basic_manager_link& self;
        os::fd socket;
    };

    [[noreturn]] static void throw_gone() { throw ManagerDied("procpool: the manager's process has ended"); }

    bool is_of_this_process() const noexcept { return made_.is_here(); }
    void require_this_process() const {
        if (!is_of_this_process())
            throw ManagerDied(
                "procpool: a proxy that another process has made can't be used as a global variable; "
                "pass it to the process as an argument");
    }

    /// A connection to the manager and nobody else, who is told nothing.
    os::fd connected() const {
        // A server lets go of who is slow, which this process was if it was stopped; and it may be stopped.
        constexpr int tries = 6;
        std::chrono::milliseconds pause{10};
        for (int n = 0; n < tries; ++n, std::this_thread::sleep_for(pause), pause *= 2) {
            auto met = family::shake_hands_with_server(key_);
            switch (met.what) {
                case family::who_listens::server: return std::move(met.socket);
                case family::who_listens::nobody: throw_gone();
                case family::who_listens::another_user:
                    throw ManagerDied(
                        "procpool: the manager's process has ended, or is another user's: "
                        "a process of user " +
                        std::to_string(met.other_user) + " listens under its name, and was told nothing");
                case family::who_listens::impostor:
                    throw ManagerDied(
                        "procpool: the manager's process has ended: who listens under its name doesn't know "
                        "its secret, and was told nothing");
                case family::who_listens::silence: break;
            }
        }
        throw ManagerDied(
            "procpool: the manager doesn't answer: it is stopped, or somebody else has its name");
    }
    /// The connection that counts this process's references.
    os::fd& control() PROCPOOL_REQUIRES(control_mutex_) {
        if (!control_) control_ = connected();
        return control_;
    }
    os::fd idle_or_new() {
        {
            const mutex_guard lock(mutex_);
            if (!idle_.empty()) {
                os::fd socket = std::move(idle_.back());
                idle_.pop_back();
                return socket;
            }
        }
        return connected();
    }
    void put_back(os::fd socket) noexcept try {
        const mutex_guard lock(mutex_);
        idle_.push_back(std::move(socket));
    } catch (const std::bad_alloc&) {
    }

    /// What fails ends the connection: the next answer there would be this one.
    static wire::buffer exchange(os::fd& socket, wire::buffer& request) try {
        wire::buffer answer;
        if (!family::send_envelope(socket, request) || !family::receive_envelope(socket, answer))
            throw_gone();
        return answer;
    } catch (...) {
        socket.reset();
        throw;
    }

    static void read_status(wire::cursor& from) {
        if (from.value<manager_answer>() == manager_answer::value) return;
        std::rethrow_exception(wire::decode_exception_of(from, 0, std::nullopt, "in the manager"));
    }

    const os::fork_stamp made_;
    const family::server_key key_;
    mutex mutex_;
    std::vector<os::fd> idle_ PROCPOOL_GUARDED_BY(mutex_);
    mutex control_mutex_;
    os::fd control_ PROCPOOL_GUARDED_BY(control_mutex_);
};
using manager_link = basic_manager_link<>;

}  // namespace procpool::inline v0_1::detail::family

#endif
