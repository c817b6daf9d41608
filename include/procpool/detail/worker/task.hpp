// SPDX-License-Identifier: MIT
// A task as the worker sees it: a callable of an unknown type that turns encoded arguments into results.
#ifndef PROCPOOL_DETAIL_WORKER_TASK_HPP
#define PROCPOOL_DETAIL_WORKER_TASK_HPP

#include <memory>
#include <type_traits>

#include "procpool/detail/wire/callable.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/worker/arguments.hpp"
#include "procpool/detail/worker/outbox.hpp"
#include "procpool/detail/worker/progress.hpp"

namespace procpool::detail::worker {

/// How to call one kind of task. Each task function costs a program one of these.
struct task_ops {
    std::shared_ptr<void> (*make)(wire::cursor& callable);
    /// From an element on that has begun until none is left, or one throws; that one is to be ended then.
    void (*run)(void* callable, wire::element_reader& elements, progress& done, outbox& results);
    bool stateless;  // calls leave no trace in the callable
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

/// Calls an F with arguments of the wire types Args.
template <class F, class... Args>
struct task {
    static const task_ops& ops() {
        static constexpr task_ops these{
            &make, &run,
            wire::function_pointer<F> || std::is_member_pointer_v<F> || wire::stateless_functor<F>};
        return these;
    }

private:
    static std::shared_ptr<void> make(wire::cursor& from) {
        // Not make_shared, which costs a program several classes for each F.
        return {static_cast<void*>(new F(wire::callable_codec<F>::decode(from))), &destroy};
    }

    static void destroy(void* callable) { delete static_cast<F*>(callable); }

    static void run(void* callable, wire::element_reader& elements, progress& done, outbox& results) {
        F& function = *static_cast<F*>(callable);
        do {
            wire::cursor from(elements.next());
            run_one(function, from, results);
            done.end_element();
        } while (done.begin_element());
    }

    static void run_one(F& function, wire::cursor& from, outbox& results) {
        arguments<F, Args...> values(from);
        using result = wire::result_of_call<F, Args...>;
        if constexpr (std::is_void_v<result>) {
            values.call(function);
            const std::byte nothing{};
            results.put_flat(&nothing, sizeof nothing);
        } else {
            const auto& value = values.call(function);
            put_result<result>(results, value);
        }
    }
};

}  // namespace procpool::detail::worker

#endif
