// SPDX-License-Identifier: MIT
// A task as the worker sees it: a callable of an unknown type that turns encoded arguments into results.
#ifndef PROCPOOL_DETAIL_WORKER_TASK_HPP
#define PROCPOOL_DETAIL_WORKER_TASK_HPP

#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include "procpool/detail/wire/borrowed.hpp"
#include "procpool/detail/wire/callable.hpp"
#include "procpool/detail/worker/outbox.hpp"

namespace procpool::detail::worker {

/// How to call one kind of task. Each task function costs a program one of these.
struct task_ops {
    std::shared_ptr<void> (*make)(wire::cursor& callable);
    void (*run)(void* callable, wire::cursor& arguments, outbox& results);
};

/// What a job's definition names by its code address.
using task_ops_getter = const task_ops&();

template <class R>
void put_result(outbox& results, const R& value) {
    if constexpr (wire::flat<R>) {
        wire::refuse_pointers(&value, 1);
        results.put_flat(&value, sizeof value);
    } else {
        try {
            wire::codec<R>::encode(results.scratch(), value);
        } catch (const SerializationError&) {
            throw;
        } catch (const std::exception& error) {
            throw SerializationError("procpool: the task's result, a " + type_name(typeid(R)) +
                                     ", can't be serialised: " + error.what());
        }
        results.put_encoded();
    }
}

/// What is a T for the task: that, or what borrows one.
template <class T, class Argument>
Argument decode_argument(wire::cursor& from) {
    try {
        if constexpr (std::is_same_v<T, Argument>)
            return wire::codec<T>::decode(from);
        else
            return Argument(from);
    } catch (const SerializationError&) {
        throw;
    } catch (const std::exception& error) {
        throw SerializationError("procpool: the task's argument, a " + type_name(typeid(T)) +
                                 ", can't be rebuilt: " + error.what());
    }
}

/// Calls an F with arguments of the wire types Args.
template <class F, class... Args>
struct task {
    static const task_ops& ops() {
        static constexpr task_ops these{&make, &run};
        return these;
    }

private:
    static std::shared_ptr<void> make(wire::cursor& from) {
        // Not make_shared, which costs a program several classes for each F.
        return {static_cast<void*>(new F(wire::callable_codec<F>::decode(from))), &destroy};
    }

    static void destroy(void* callable) { delete static_cast<F*>(callable); }

    static void run(void* callable, wire::cursor& from, outbox& results) {
        [&]<std::size_t... Index>(std::index_sequence<Index...>) {
            run_with<wire::argument_t<F, Index, Args>...>(*static_cast<F*>(callable), from, results);
        }(std::index_sequence_for<Args...>());
    }

    template <class... Arguments>
    static void run_with(F& function, wire::cursor& from, outbox& results) {
        std::tuple<Arguments...> arguments{
            decode_argument<Args, Arguments>(from)...};  // braces: from left to right
        const auto call = [&]() -> decltype(auto) {
            return std::apply(
                [&](Arguments&... args) -> decltype(auto) {
                    return std::invoke(function, std::move(args)...);
                },
                arguments);
        };
        using result = wire::result_of_call<F, Args...>;
        if constexpr (std::is_void_v<result>) {
            call();
            const std::byte nothing{};
            results.put_flat(&nothing, sizeof nothing);
        } else {
            const auto& value = call();
            put_result<result>(results, value);
        }
    }
};

}  // namespace procpool::detail::worker

#endif
