// SPDX-License-Identifier: MIT
// A job with the type of its results: decodes what comes back, and keeps it for the caller.
#ifndef PROCPOOL_DETAIL_CALL_REMOTE_JOB_OF_HPP
#define PROCPOOL_DETAIL_CALL_REMOTE_JOB_OF_HPP

#include <atomic>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <span>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "procpool/detail/call/job_with_results.hpp"
#include "procpool/detail/os/large_write.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/task_definition.hpp"
#include "procpool/detail/wire/codec.hpp"
#include "procpool/detail/wire/describe.hpp"
#include "procpool/detail/wire/serializing.hpp"
#include "procpool/detail/worker/task.hpp"

namespace procpool::inline v0_1::detail::call {

/// In a handler: what becomes of an element whose result can't be rebuilt.
std::exception_ptr why_not_rebuilt(std::uint64_t index);

/// Decodes `count` values and puts them into `results` as those of the elements from `first` on.
template <class R, class Results>
void store_values(Results& results, std::uint64_t first, std::uint64_t count, std::uint64_t stride,
                  std::span<const std::byte> values) {
    using stored = call::stored<R>;
    if constexpr (requires { results.place(first, count); }) {
        if (wire::flat<R> && stride == sizeof(stored)) {
            std::memcpy(static_cast<void*>(results.place(first, count)), values.data(), values.size());
            return;
        }
    }
    wire::element_reader reader(values, stride);
    for (std::uint64_t i = 0; i < count; ++i) {
        try {
            wire::cursor from(reader.next());
            if constexpr (std::is_void_v<R>)
                results.store(first + i, stored{});
            else
                results.store(first + i, wire::codec<R>::decode(from));
        } catch (...) {
            results.fail(first + i, why_not_rebuilt(first + i));
        }
    }
}

/// `Results` is one of job/results.hpp; R is what the task returns.
template <class R, class Results, class T = R>
class remote_job_of final : public call::job_with_results<scheduler::remote_job, Results, T> {
    using base = call::job_with_results<scheduler::remote_job, Results, T>;

public:
    using base::results;

    /// `definition` is moved from, or stays where it is (see remote_job).
    template <class Definition, class... Args>
    remote_job_of(Definition&& definition, bool once, Args&&... args)
        : base(Results(std::forward<Args>(args)...), std::forward<Definition>(definition), once) {
        this->bulk = Results::seen_as_a_whole;
    }

    /// So many elements will come.
    void expect(std::uint64_t count) {
        if constexpr (requires { results.reserve(count); })
            os::expect_large_write(results.reserve(count), count * sizeof(call::stored<R>));
        else
            base::expect(count);
    }

    void accept(std::uint64_t first, std::uint64_t count, std::uint64_t stride,
                std::span<const std::byte> values) override {
        store_values<R>(results, first, count, stride, values);
    }
};

/// What runs in each worker before its first element; only its failure counts.
class initializer_job final : public scheduler::remote_job {
public:
    template <class Definition>
    explicit initializer_job(Definition&& definition)
        : scheduler::remote_job(std::forward<Definition>(definition), true) {}
    void accept(std::uint64_t, std::uint64_t, std::uint64_t, std::span<const std::byte>) override {}
    void fail(std::uint64_t, std::exception_ptr error) override { fail_all(std::move(error)); }
};

/// The definition that is there, or this one, which is never destroyed then.
const scheduler::task_definition& keep_for_ever(std::atomic<const scheduler::task_definition*>& only,
                                                scheduler::task_definition made);
/// The definition refers to these.
void hold(scheduler::task_definition& definition, const wire::large_parts& parts);

/// An F called with arguments that travel as `Wire`.
template <class F, class... Wire>
struct remote_task {
    /// One clear compile error if that can't be.
    static consteval bool check() { return wire::check_task<F, Wire...>(); }

    using result = wire::result_of_call<F, Wire...>;

    /// What a worker needs to know about it: the location of its code, and the callable.
    static scheduler::task_definition define(const F& function,
                                             const std::shared_ptr<wire::arena>& memory = nullptr)
        requires(!wire::stateless_functor<F>)
    {
        return make_definition(function, memory);
    }
    /// All functions of one type are the same: one definition, never destroyed since pools may outlive it.
    static const scheduler::task_definition& define(const F& function,
                                                    const std::shared_ptr<wire::arena>& /*memory*/ = nullptr)
        requires wire::stateless_functor<F>
    {
        // Not a static that is made when it is needed, whose lock a fork could copy.
        static constinit std::atomic<const scheduler::task_definition*> only{nullptr};
        if (const scheduler::task_definition* there = only.load(std::memory_order_acquire)) return *there;
        return keep_for_ever(only, make_definition(function, nullptr));
    }

    /// Where the code of these tasks is.
    static std::uintptr_t code() noexcept {
        return reinterpret_cast<std::uintptr_t>(&worker::task<F, Wire...>::ops);
    }

private:
    static scheduler::task_definition make_definition(const F& function,
                                                      const std::shared_ptr<wire::arena>& memory) {
        scheduler::task_definition definition;
        constexpr std::size_t usual_size = 192;
        definition.bytes.reserve(usual_size);
        wire::large_parts large{memory};
        definition.describe = &wire::describe<Wire...>;
        definition.signature = &typeid(result(Wire...));
        wire::encode_function(definition.bytes, &worker::task<F, Wire...>::ops);
        wire::serializing({"procpool: a callable, a ", &typeid(F), ", can't be serialised"}, [&] {
            wire::callable_codec<F>::encode({definition.bytes, definition.pins, &large}, function);
        });
        hold(definition, large);
        return definition;
    }
};

/// The same with a tuple whose members become the arguments.
template <class F, class Tuple>
struct unpacking_task {
    static consteval bool check() {
        static_assert(
            wire::is_tuple<Tuple>,
            "procpool: starmap takes a range of tuples or pairs, whose members become the arguments; for "
            "a range of anything else there is map");
        return false;
    }
};
template <class F, class... Wire>
struct unpacking_task<F, std::tuple<Wire...>> : remote_task<F, Wire...> {};
template <class F, class First, class Second>
struct unpacking_task<F, std::pair<First, Second>> : remote_task<F, First, Second> {};

}  // namespace procpool::inline v0_1::detail::call

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/call/remote_job_of_impl.hpp"
#endif

#endif
