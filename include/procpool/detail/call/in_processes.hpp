// SPDX-License-Identifier: MIT
// The kind of pool whose tasks run in other processes: how calls become jobs there.
#ifndef PROCPOOL_DETAIL_CALL_IN_PROCESSES_HPP
#define PROCPOOL_DETAIL_CALL_IN_PROCESSES_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/detail/call/call_series_of.hpp"
#include "procpool/detail/call/call_style.hpp"
#include "procpool/detail/call/encode.hpp"
#include "procpool/detail/call/remote_job_of.hpp"
#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/chunking.hpp"
#include "procpool/detail/job/pending_calls.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/call_series.hpp"
#include "procpool/detail/scheduler/calls_in_a_row.hpp"
#include "procpool/detail/scheduler/pool_backend.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/wire/callable.hpp"
#include "procpool/detail/wire/code_address.hpp"
#include "procpool/detail/wire/other_machines.hpp"
#include "procpool/detail/wire/pointer_check.hpp"
#include "procpool/error.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1::detail::call {

struct in_processes {
    using pool = scheduler::pool_backend;

    template <class Range>
    using wire_of = wire::wire_type_t<std::ranges::range_reference_t<Range>>;
    /// What travels is a copy, however the call is made.
    template <call::call_style, class F, class... Args>
    using call_task = remote_task<std::decay_t<F>, wire::wire_type_t<Args>...>;
    template <call::call_style, class F, class Range>
    using map_task = remote_task<std::decay_t<F>, wire_of<Range>>;
    template <call::call_style, class F, class Range>
    using starmap_task = unpacking_task<std::decay_t<F>, wire_of<Range>>;

    /// A job whose results are kept by a `Results`, made from `args`.
    template <class Task, class Results, class Options, class F, class... Args>
    static auto make_job(const pool& where, const Options& options, const F& function, Args&&... args) {
        using result = typename Task::result;
        using job_type = remote_job_of<result, Results, typename Results::result>;
        constexpr bool once = std::is_same_v<Results, call::one_result<result>>;
        const auto& memory = options.journal ? wire::other_machines() : where.arena();
        return std::make_shared<job_type>(Task::define(function, memory), once, std::forward<Args>(args)...);
    }

    /// Whether single calls of this kind may share a job.
    template <class Task, class F, class... Args>
    static constexpr bool joins_calls =
        can_join_series<std::decay_t<F>, typename Task::result, wire::wire_type_t<Args>...>;

    /// Submits one call together with others of its kind. @return the job, and which of its calls it is; null
    /// if it is better made by itself
    template <class Task, class F, class... Args>
    static auto join_calls(pool& where, const TaskOptions* options, const F& function, const Args&... args) {
        using callable_type = std::decay_t<F>;
        using series_type = call_series_of<typename Task::result>;
        const callable_type& callable = function;
        scheduler::call_kind kind = kind_of<Task>(callable);
        if (options) {
            const auto plain = job::as_plain(*options);
            if (!plain) return std::pair<std::shared_ptr<series_type>, std::uint64_t>();
            kind.options = *plain;
        }
        return join_series<series_type>(
            where, kind, options, std::addressof(callable),
            [](const void* of) {
                return std::make_shared<series_type>(Task::define(*static_cast<const callable_type*>(of)));
            },
            args...);
    }

    /// Submits the one element of a job. @return false if there is no room for it, and it doesn't wait
    template <class Task, class... Args>
    static bool submit_one(pool& where, const std::shared_ptr<scheduler::remote_job>& job,
                           const job::admission& how, const Args&... args) {
        return submit_arguments(where, job, &how, args...);
    }
    /// Submits a job with an element for each worker, all with the same arguments.
    template <class Task, class... Args>
    static void submit_to_each(pool& where, const std::shared_ptr<scheduler::remote_job>& job,
                               const Args&... args) {
        submit_arguments(where, job, nullptr, args...);
    }

private:
    template <class Task, class F>
    static scheduler::call_kind kind_of(const F& function) {
        // Whether the code of such tasks may be a library's; its place tells them apart from others.
        static constinit std::atomic<bool> may_be_closed{true};
        scheduler::call_kind kind{&may_be_closed};
        if (may_be_closed.load(std::memory_order_relaxed)) {
            kind.generation = wire::generation_of_code(Task::code());
            may_be_closed.store(kind.generation != 0, std::memory_order_relaxed);
        }
        if constexpr (!wire::stateless_functor<F>) {
            static_assert(sizeof function <= sizeof kind.callable);
            std::memcpy(kind.callable.data(), &function, sizeof function);
        }
        if constexpr (wire::function_pointer<F> || std::is_member_function_pointer_v<F>) {
            std::uintptr_t address = 0;
            std::memcpy(&address, &function, sizeof address);
            // An odd one is a virtual function's place in a table.
            if ((std::is_pointer_v<F> || address % 2 == 0) && kind.generation == 0)
                kind.generation = wire::generation_of_code(address);
        } else if constexpr (wire::constant_closure<F> && wire::may_hold_pointers<F>) {
            // Functions that it holds.
            wire::for_each_possible_pointer(&function, 1, [&](std::uintptr_t word, std::size_t) {
                if (kind.generation == 0 && wire::is_code(word))
                    kind.generation = wire::generation_of_code(word);
            });
        }
        return kind;
    }

    // The rest is compiled once for each type of arguments, not for each task function.

    /// To each worker if there is no `how`.
    template <class... Args>
    static bool submit_arguments(pool& where, const std::shared_ptr<scheduler::remote_job>& job,
                                 const job::admission* how, const Args&... args) {
        constexpr std::size_t size = encoded_size<std::tuple<wire::wire_type_t<Args>...>>, usual_size = 64;
        scheduler::block arguments{.bytes = {},
                                   .begin = scheduler::block::room_for_frames,
                                   .pins = {},
                                   .large = {memory_for_arguments(where, *job)}};
        arguments.bytes.reserve(arguments.begin + (size == wire::variable_stride ? usual_size : size));
        arguments.bytes.extend(arguments.begin);
        std::exception_ptr failed;
        try {
            append_element(arguments, std::forward_as_tuple(args...));
        } catch (const SerializationError&) {
            if (!how) throw;
            failed = std::current_exception();
        }
        if (job->journal && !failed) job->journal->look_up(arguments);
        return submit_encoded(where, job, std::move(arguments), failed, how);
    }

    template <class Series, class... Args>
    static std::pair<std::shared_ptr<Series>, std::uint64_t> join_series(
        pool& where, const scheduler::call_kind& kind, const TaskOptions* options, const void* callable,
        std::shared_ptr<Series> (*make)(const void* callable), const Args&... args) {
        constexpr std::size_t size = encoded_size<std::tuple<wire::wire_type_t<Args>...>>;
        auto lock = where.acquire();
        if (where.limits_pending()) [[unlikely]]
            return {};
        scheduler::calls_in_a_row& in_a_row = where.in_a_row();
        std::shared_ptr<scheduler::call_series> series = in_a_row.series_of(kind);
        if (!series) {
            if (!in_a_row.begins_series(kind)) return {};
            series = make(callable);
            if (options) scheduler::apply_options(*series, *options);
            in_a_row.open(series);
        }
        const std::uint64_t call = series->submitted();
        scheduler::block& arguments = series->open_block(size);
        const std::size_t before = arguments.weight();
        std::exception_ptr failed;
        try {
            append_element(arguments, std::forward_as_tuple(args...));
        } catch (const SerializationError&) {
            failed = std::current_exception();
        }
        if (!failed) {
            where.submit_call(series, arguments.weight() - before);
        } else {
            series->drop_open_block_if_empty();
            where.submit_failed(series, call, failed);
        }
        where.leave(lock);
        return {std::static_pointer_cast<Series>(std::move(series)), call};
    }

    template <class = only_if_used>
    static bool submit_encoded(pool& where, const std::shared_ptr<scheduler::remote_job>& job,
                               scheduler::block&& arguments, const std::exception_ptr& failed,
                               const job::admission* how) {
        const std::uint64_t bytes = arguments.weight();
        auto lock = where.acquire();
        if (how && !where.admit(lock, bytes, *how)) return false;
        where.add(job);
        if (how) where.count_pending(*job, bytes);
        try {
            if (failed)
                where.submit_failed(job, 0, failed);
            else if (!how)
                where.submit_to_each(job, arguments);
            else
                where.submit(job, std::move(arguments));
        } catch (...) {
            // The call throws, and nobody waits for its result: the job is over.
            job->abandoned = true;
            job->fail_all(std::current_exception());
            where.seal(job);
            throw;
        }
        where.seal(job);
        where.leave(lock);
        return true;
    }
};

}  // namespace procpool::inline v0_1::detail::call

#endif
