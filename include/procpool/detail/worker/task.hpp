// SPDX-License-Identifier: MIT
// A task as the worker sees it: a callable of an unknown type that turns encoded arguments into results.
#ifndef PROCPOOL_DETAIL_WORKER_TASK_HPP
#define PROCPOOL_DETAIL_WORKER_TASK_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <typeinfo>

#include "procpool/detail/os/standard_output.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/detail/wire/callable.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/wire/serializing.hpp"
#include "procpool/detail/worker/arguments.hpp"
#include "procpool/detail/worker/outbox.hpp"
#include "procpool/detail/worker/run_pacer.hpp"

namespace procpool::inline v0_1::detail::worker {

/// How to call one kind of task. Each task function costs a program one of these.
struct task_ops {
    std::shared_ptr<void> (*make)(wire::cursor& callable);
    /// From an element on that has begun until none is left, or one throws; that one is to be ended then.
    void (*run)(void* callable, wire::element_reader& elements, run_pacer& done, outbox& results);
    bool stateless;  // calls leave no trace in the callable
};

/// What a job's definition names by its code address.
using task_ops_getter = const task_ops&();

/// Compiled once, for whatever it is.
std::shared_ptr<void> own_callable(void* made, void (*destroy)(void*));

template <class R>
void put_result(outbox& results, const R& value) {
    if constexpr (wire::flat<R>) {
        wire::refuse_pointers(&value, 1);
        results.put_flat(&value, sizeof value);
    } else {
        wire::serializing({"procpool: the task's result, a ", &typeid(R), ", can't be serialised"},
                          [&] { wire::codec<R>::encode(results.scratch(), value); });
        results.put_encoded();
    }
}

/// A copy that is written back at its end, and may stay in registers until then.
template <class T>
class working_copy {
public:
    explicit working_copy(T& original) : value(original), original_(original) {}
    working_copy(const working_copy&) = delete;
    working_copy& operator=(const working_copy&) = delete;
    ~working_copy() { original_ = value; }

    T value;

private:
    T& original_;
};

/// Calls an F with arguments of the wire types Args.
template <class F, class... Args>
struct task {
    static const task_ops& ops() {
        static constexpr task_ops these{&make, &run,
                                        wire::function_pointer<F> || std::is_member_pointer_v<F> ||
                                            wire::stateless_functor<F> || wire::constant_closure<F>};
        return these;
    }

private:
    using result = wire::result_of_call<F, Args...>;
    using answer = std::conditional_t<std::is_void_v<result>, std::byte, result>;

    static std::shared_ptr<void> make(wire::cursor& from) {
        // Not make_shared, which costs a program several classes for each F.
        F* const made = wire::serializing({"procpool: a callable, a ", &typeid(F), ", can't be rebuilt"},
                                          [&] { return new F(wire::callable_codec<F>::decode(from)); });
        return own_callable(made, &destroy);
    }

    static void destroy(void* callable) { delete static_cast<F*>(callable); }

    static void run(void* callable, wire::element_reader& elements, run_pacer& done, outbox& results) {
        F& function = *static_cast<F*>(callable);
        do {
            if constexpr (wire::flat<answer> && outbox::holds(sizeof(answer)))
                run_stretch(function, elements, done, results);
            else
                run_one(function, elements, [&](const answer& value) {
                    os::flush_standard_output();  // what it has printed goes before its result
                    put_result(results, value);
                });
            done.end_element();
        } while (done.begin_element());
    }

    /// As far as the clock need not be read; the end of the last one is the caller's. Memory is written
    /// to only where other processes read it: elements may take less time than all the rest of the counting.
    static void run_stretch(F& function, wire::element_reader& elements, run_pacer& done, outbox& results) {
        outbox::flat_results<sizeof(answer)> answers(results);
        run_pacer::stretch stretch(done);
        working_copy<wire::element_reader> rest(elements);
        std::uint64_t left = std::min<std::uint64_t>(answers.room(), stretch.elements());
        const os::output_watch output;
        do {
            run_one(function, rest.value, [&](const answer& value) {
                wire::refuse_pointers(&value, 1);
                if (output.pending()) os::flush_standard_output();  // as above
                answers.put(&value);
            });
        } while (--left > 0 && stretch.begin_next());
    }

    /// What it returns may refer to its arguments, so it is taken here.
    template <class Put>
    static void run_one(F& callable, wire::element_reader& elements, Put put) {
        wire::cursor from(elements.next());
        arguments<F, Args...> values(from);
        std::conditional_t<wire::constant_closure<F>, F, F&> function = callable;
        if constexpr (std::is_void_v<result>) {
            values.call(function);
            put(answer{});
        } else {
            put(values.call(function));
        }
    }
};

}  // namespace procpool::inline v0_1::detail::worker

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/worker/task_impl.hpp"
#endif

#endif
