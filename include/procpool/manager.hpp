// SPDX-License-Identifier: MIT
// Manager: a process that holds objects for all others; mirrors Python's multiprocessing.Manager.
#ifndef PROCPOOL_MANAGER_HPP
#define PROCPOOL_MANAGER_HPP

#include <any>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/family/manager_client.hpp"
#include "procpool/detail/family/manager_request.hpp"
#include "procpool/detail/family/reach_manager.hpp"
#include "procpool/detail/family/server_key.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/wire/serializing.hpp"
#include "procpool/error.hpp"
#include "procpool/event.hpp"
#include "procpool/lock.hpp"
#include "procpool/managed.hpp"
#include "procpool/managed_set.hpp"
#include "procpool/options.hpp"
#include "procpool/pipe.hpp"
#include "procpool/process.hpp"
#include "procpool/proxy.hpp"
#include "procpool/queue.hpp"
#include "procpool/value.hpp"

namespace procpool::inline v0_1 {

/// `Manager manager({.start_method = start_method::spawn});`
struct ManagerOptions {
    /// How its process is born; automatic is what set_start_method() has set, if anything.
    procpool::start_method start_method = procpool::start_method::automatic;
};

/// A process of its own that holds objects, which any process of the program uses through proxies.
///
/// The process ends with shutdown(), with the destructor and with the program, and all its objects with it;
/// then calls of proxies throw ManagerDied. Methods may be called from several threads of the process that
/// made the manager; proxies from everywhere.
class Manager {
public:
    /// @throws BootstrapError, std::system_error
    template <class = detail::only_if_used>
    Manager() : Manager(ManagerOptions{}) {}

    /// The same with options.
    template <class = detail::only_if_used>
    explicit Manager(const ManagerOptions& options) {
        using namespace detail;
        const auto key = family::server_key::random();
        auto [here, there] = Pipe(false);
        process_.emplace(
            ProcessOptions{.name = "Manager", .daemon = true, .start_method = options.start_method},
            &Manager::serve<>, key, there);
        process_->start();
        there.close();
        try {
            here.recv<bool>();
        } catch (const EOFError&) {
            throw BootstrapError("procpool: the manager's process has ended before it could serve");
        }
        client_ = family::reach_manager(key);
    }

    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;
    ~Manager() = default;  // its process is a daemon

    /// A list of these values.
    template <class T>
    ListProxy<T> list(const std::vector<T>& values = {}) {
        return ListProxy<T>(create<std::vector<T>>(values));
    }

    /// A dictionary of these pairs.
    template <class K, class V>
    DictProxy<K, V> dict(const std::map<K, V>& values = {}) {
        DictProxy<K, V> made(create<std::map<K, V>>());
        if (!values.empty()) made.update(values);
        return made;
    }

    /// A set of these values.
    template <class T>
    SetProxy<T> set(const std::set<T>& values = {}) {
        SetProxy<T> made(create<std::set<T>>());
        if (!values.empty()) made.update(values);
        return made;
    }

    /// Values by name.
    template <class = detail::only_if_used>
    NamespaceProxy Namespace() {
        return NamespaceProxy(create<std::map<std::string, std::any>>());
    }

    // What lies in shared memory needs no process to hold it: these are the same as without a manager,
    // outlive it, and cost no round trip.

    /// A new Queue.
    template <class T>
    procpool::Queue<T> Queue(std::int64_t maxsize = 0) const {
        return procpool::Queue<T>(maxsize);
    }
    /// A new JoinableQueue.
    template <class T>
    procpool::JoinableQueue<T> JoinableQueue(std::int64_t maxsize = 0) const {
        return procpool::JoinableQueue<T>(maxsize);
    }
    /// A new Value.
    template <class T>
    procpool::Value<T> Value(const T& initial = T{}) const {
        return procpool::Value<T>(initial);
    }
    /// A new Lock.
    procpool::Lock Lock() const { return {}; }
    /// A new RLock.
    procpool::RLock RLock() const { return {}; }
    /// A new Event.
    procpool::Event Event() const { return {}; }

    /// An object of any class, made of `args` in the manager's process.
    /// @throws what its constructor throws; ManagerDied
    template <class T, class... Args>
    Proxy<T> create(const Args&... args) {
        using namespace detail;
        static_assert(
            (wire::codec<wire::wire_type_t<Args>>::sendable && ...),
            "procpool: an argument of Manager::create can't be sent: give a value, no pointer, include its "
            "header <cereal/types/...>, or give its class a serialize function for cereal");
        static_assert(std::is_constructible_v<T, wire::wire_type_t<Args>...>,
                      "procpool: Manager::create: the class has no constructor that takes these arguments");
        auto request = family::manager_client::new_request(family::manager_request::kind::create, 0);
        wire::encode_function(request, &make_managed<T, wire::wire_type_t<Args>...>);
        wire::pins pins;
        wire::serializing({"procpool: an argument of Manager::create can't be serialised"},
                          [&] { (wire::encode({request, pins}, args), ...); });
        if (!client_) throw ManagerDied("procpool: the manager is shut down");
        return Proxy<T>(
            std::make_shared<family::object_reference>(client_, client_->create(std::move(request))));
    }

    /// Ends the manager's process, and all objects in it.
    template <class = detail::only_if_used>
    void shutdown() {
        client_.reset();
        process_.reset();
    }

    /// Its process; 0 after shutdown().
    template <class = detail::only_if_used>
    long pid() const {
        return process_ ? process_->pid() : 0;
    }

private:
    template <class = detail::only_if_used>
    static void serve(const detail::family::server_key& key, Connection ready) {
        detail::family::run_manager(key, [&] {
            ready.send(true);
            ready.close();
        });
    }

    std::optional<Process> process_;
    std::shared_ptr<detail::family::manager_client> client_;
};

}  // namespace procpool::inline v0_1

#endif
