// SPDX-License-Identifier: MIT
// Proxy: an object that lives in a manager's process, from any process of the program.
#ifndef PROCPOOL_PROXY_HPP
#define PROCPOOL_PROXY_HPP

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "procpool/detail/family/manager_client.hpp"
#include "procpool/detail/family/manager_request.hpp"
#include "procpool/detail/family/reach_manager.hpp"
#include "procpool/detail/family/server_key.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/detail/wire/callable.hpp"
#include "procpool/detail/wire/codec.hpp"
#include "procpool/detail/wire/handle.hpp"
#include "procpool/detail/wire/serializing.hpp"
#include "procpool/detail/worker/arguments.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1 {
namespace detail {

template <class T, class F, class... Args>
concept callable_on = std::is_invocable_v<F&, T&, Args...>;

/// What a call of an F on a managed T sends and does.
template <class T, class F, class... Args>
struct managed_call {
    using result = std::remove_cvref_t<std::invoke_result_t<F&, T&, Args...>>;

    static void run(void* object, mutex& lock, wire::cursor& from, wire::sink to) {
        F function = wire::serializing({"procpool: a callable, a ", &typeid(F), ", can't be rebuilt"},
                                       [&] { return wire::callable_codec<F>::decode(from); });
        std::tuple<Args...> arguments{worker::decode_argument<Args, Args>(from)...};
        const mutex_guard alone(lock);
        const auto call = [&]() -> decltype(auto) {
            return std::apply(
                [&](Args&... args) -> decltype(auto) {
                    return std::invoke(function, *static_cast<T*>(object), std::move(args)...);
                },
                arguments);
        };
        if constexpr (std::is_void_v<result>) {
            call();
        } else {
            decltype(auto) value = call();
            wire::serializing({"procpool: the call's result, a ", &typeid(result), ", can't be serialised"},
                              [&] { wire::codec<result>::encode(to, value); });
        }
    }
};

template <class T, class... Args>
std::shared_ptr<void> make_managed(wire::cursor& from) {
    std::tuple<Args...> arguments{worker::decode_argument<Args, Args>(from)...};
    return std::apply([](Args&... args) { return std::make_shared<T>(std::move(args)...); }, arguments);
}

}  // namespace detail

/// A T that lives in a manager's process.
///
/// Copies refer to the same object. A Proxy can be an argument of Process, of tasks, of partial() and of pool
/// initializers, also inside of others. The object lives until no process refers to it. One call at a time
/// runs on an object. When the manager has ended, each call throws ManagerDied. Thread-safe.
template <class T>
class Proxy : public detail::wire::travels_as_handle<Proxy<T>> {
public:
    /// Refers to nothing, until one that does is assigned.
    Proxy() noexcept = default;

    /// Calls `function(object, args...)` in the manager's process and returns the result: a member function
    /// of T, or a function or lambda whose first parameter is a T&. Nobody else uses the object meanwhile.
    /// @throws what the function throws; ManagerDied; SerializationError
    template <class F, class... Args>
    auto call(const F& function, const Args&... args) const {
        using namespace detail;
        using function_type = std::decay_t<F>;
        if constexpr (check<function_type, wire::wire_type_t<Args>...>()) {
            using how = managed_call<T, function_type, wire::wire_type_t<Args>...>;
            using result = typename how::result;
            auto request = family::manager_client::new_request(family::manager_request::kind::call,
                                                               reference().object());
            wire::encode_function(request, &how::run);
            wire::pins pins;
            const function_type callable = function;
            wire::serializing({"procpool: the function or an argument of a managed call can't be serialised"},
                              [&] {
                                  wire::callable_codec<function_type>::encode({request, pins}, callable);
                                  (wire::encode({request, pins}, args), ...);
                              });
            const auto answer = reference().client().call(std::move(request));
            if constexpr (!std::is_void_v<result>) {
                wire::cursor from = answer.value();
                return wire::serializing(
                    {"procpool: the call's result, a ", &typeid(result), ", can't be rebuilt"},
                    [&] { return wire::codec<result>::decode(from); });
            }
        } else {
            return refused();
        }
    }

    /// Whether it refers to an object.
    explicit operator bool() const noexcept { return reference_ != nullptr; }

private:
    friend class Manager;
    friend detail::wire::travels_as_handle<Proxy>;
    friend detail::wire::codec<Proxy>;
    struct sent_handle {
        detail::family::server_key manager;
        std::uint64_t object = 0;
        std::uint64_t type = 0;
    };

    explicit Proxy(std::shared_ptr<detail::family::object_reference> reference) noexcept
        : reference_(std::move(reference)) {}

    void encode(const detail::wire::sink& out) const {
        out.to.append_value(
            sent_handle{reference().client().key(), reference().object(), typeid(T).hash_code()});
        out.held.push_back(reference_);
    }
    /// @throws ManagerDied; SerializationError if it is another type's
    template <class = detail::only_if_used>
    static Proxy decode(detail::wire::cursor& from) {
        const auto arrived = from.value<sent_handle>();
        if (arrived.type != typeid(T).hash_code())
            throw SerializationError("procpool: a proxy of another type arrived where one of a " +
                                     detail::type_name(typeid(T)) + " was meant");
        auto client = detail::family::reach_manager(arrived.manager);
        client->acquire(arrived.object);
        return Proxy(std::make_shared<detail::family::object_reference>(std::move(client), arrived.object));
    }

    template <class F, class... Args>
    static consteval bool check() {
        using namespace detail;
        if constexpr (!wire::callable_check<F>::run()) {
            return false;
        } else if constexpr (!(wire::codec<Args>::sendable && ...)) {
            static_assert((wire::codec<Args>::sendable && ...),
                          "procpool: an argument of a proxy's call can't be sent: give a value, no pointer, "
                          "include its header <cereal/types/...>, or give its class a serialize function for "
                          "cereal");
            return false;
        } else if constexpr (!callable_on<T, F, Args...>) {
            static_assert(callable_on<T, F, Args...>,
                          "procpool: a proxy's call takes a function whose first parameter is a reference to "
                          "the object, "
                          "and whose others are these arguments, by value or const reference");
            return false;
        } else {
            using result = typename managed_call<T, F, Args...>::result;
            static_assert(
                wire::sendable_result<result>,
                "procpool: the result of a proxy's call can't be sent back: return a value, no pointer, "
                "include its header <cereal/types/...>, or give its class a serialize function for cereal");
            return wire::sendable_result<result>;
        }
    }

    detail::family::object_reference& reference() const {
        if (!reference_) throw Error("procpool: this proxy refers to no object");
        return *reference_;
    }

    std::shared_ptr<detail::family::object_reference> reference_;
};

}  // namespace procpool::inline v0_1

#endif
