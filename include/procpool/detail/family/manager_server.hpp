// SPDX-License-Identifier: MIT
// What runs in a manager's process: it holds objects, and calls functions on them for whoever asks.
#ifndef PROCPOOL_DETAIL_FAMILY_MANAGER_SERVER_HPP
#define PROCPOOL_DETAIL_FAMILY_MANAGER_SERVER_HPP

#include <cxxabi.h>

#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "procpool/detail/family/door.hpp"
#include "procpool/detail/family/envelope.hpp"
#include "procpool/detail/family/manager_request.hpp"
#include "procpool/detail/family/mutual_proof.hpp"
#include "procpool/detail/family/new_envelope.hpp"
#include "procpool/detail/family/server_key.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/wire/code_address.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::family {

/// A thread serves each connection, so that whoever is slow or dies is alone with that. An object lives for
/// as long as a connection refers to it. Whoever is let in may call any code of the loaded modules, so nobody
/// is listened to before both sides have proved that they belong together.
template <class = only_if_used>
class basic_manager_server {
public:
    explicit basic_manager_server(const family::server_key& key) : door_(key) {}

    [[noreturn]] void run() {
        for (;;) try {
                std::thread([this, client = door_.next_client()]() mutable {
                    if (is_welcome(client)) serve(std::move(client), {});
                }).detach();
            } catch (const std::exception&) {  // no more threads: its client finds it closed, and tries again
            }
    }

private:
    struct managed {
        std::shared_ptr<void> value;
        mutex lock;
    };
    struct entry {
        std::shared_ptr<managed> object;
        std::uint64_t references = 0;
    };
    using references = std::map<std::uint64_t, std::uint64_t>;

    static bool is_welcome(const os::fd& client) noexcept try {
        return family::welcome(client);
    } catch (const std::exception&) {
        return false;
    }

    // What pthread_exit throws is no object, which the sanitizer takes for a null reference.
    __attribute__((no_sanitize("null"))) void serve(os::fd client, references held) {
        try {
            wire::buffer request;
            wire::pins
                pins;  // what the last answer refers to: its receiver has opened that when it asks again
            while (family::receive_envelope(client, request)) {
                wire::buffer answer = family::new_envelope();
                pins.clear();
                wire::cursor from(request.bytes());
                const auto header = from.value<manager_request>();
                if (header.what == manager_request::kind::release) {
                    release(held, header.object);
                    continue;
                }
                answer.append_value(manager_answer::value);
                const std::size_t begin = answer.size();
                const auto answer_with_error = [&] {
                    answer.shrink_to(begin - sizeof(manager_answer));
                    answer.append_value(manager_answer::error);
                    wire::encode_current_exception({answer, pins});
                };
                try {
                    handle(header, from, {answer, pins}, held);
                } catch (abi::__forced_unwind&) {
                    // The call has ended its thread: another one goes on with the connection.
                    try {
                        throw Error("procpool: the managed call ended its thread (pthread_exit)");
                    } catch (const Error&) {
                        answer_with_error();
                    }
                    if (family::send_envelope(client, answer)) go_on(std::move(client), std::move(held));
                    throw;
                } catch (...) {
                    answer_with_error();
                }
                if (!family::send_envelope(client, answer)) break;
            }
        } catch (const std::exception&) {  // of this connection; its user sees it end
        }
        for (const auto& [id, count] : held) drop(id, count);
    }

    void go_on(os::fd client, references held) noexcept try {
        std::thread([this, client = std::move(client), held = std::move(held)]() mutable {
            serve(std::move(client), std::move(held));
        }).detach();
    } catch (const std::exception&) {  // no more threads: the client finds the connection closed
    }

    void handle(const manager_request& header, wire::cursor& from, wire::sink answer, references& held) {
        switch (header.what) {
            case manager_request::kind::create: {
                auto object = std::make_shared<managed>();
                object->value = wire::decode_function<object_maker>(from)(from);
                const mutex_guard lock(mutex_);
                objects_[++last_id_] = {std::move(object), 1};
                ++held[last_id_];
                answer.to.append_value(last_id_);
                break;
            }
            case manager_request::kind::acquire: {
                const mutex_guard lock(mutex_);
                ++entry_of(header.object).references;
                ++held[header.object];
                break;
            }
            case manager_request::kind::call: {
                std::shared_ptr<managed> object;
                {
                    const mutex_guard lock(mutex_);
                    object = entry_of(header.object).object;
                }
                auto* const call = wire::decode_function<object_call>(from);
                call(object->value.get(), object->lock, from, answer);
                break;
            }
            case manager_request::kind::release: break;
        }
    }

    entry& entry_of(std::uint64_t id) PROCPOOL_REQUIRES(mutex_) {
        const auto at = objects_.find(id);
        if (at == objects_.end())
            throw Error(
                "procpool: the manager has no such object any more: all that referred to it have ended");
        return at->second;
    }

    void release(references& held, std::uint64_t id) {
        const auto at = held.find(id);
        if (at == held.end()) return;
        if (--at->second == 0) held.erase(at);
        drop(id, 1);
    }
    void drop(std::uint64_t id, std::uint64_t count) {
        std::shared_ptr<managed> last;  // ends without the lock: its destructor is the user's
        const mutex_guard lock(mutex_);
        const auto at = objects_.find(id);
        at->second.references -= count;
        if (at->second.references > 0) return;
        last = std::move(at->second.object);
        objects_.erase(at);
    }

    family::door door_;
    mutex mutex_;
    std::map<std::uint64_t, entry> objects_ PROCPOOL_GUARDED_BY(mutex_);
    std::uint64_t last_id_ PROCPOOL_GUARDED_BY(mutex_) = 0;
};
using manager_server = basic_manager_server<>;

}  // namespace procpool::inline v0_1::detail::family

#endif
