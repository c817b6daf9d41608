// SPDX-License-Identifier: MIT
// The kind of pool whose tasks run on threads of this process: how calls become jobs there.
#ifndef PROCPOOL_DETAIL_THREAD_IN_THREADS_HPP
#define PROCPOOL_DETAIL_THREAD_IN_THREADS_HPP

#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/detail/call/call_style.hpp"
#include "procpool/detail/job/pending_calls.hpp"
#include "procpool/detail/refused.hpp"
#include "procpool/detail/thread/thread_backend.hpp"
#include "procpool/detail/thread/thread_job_of.hpp"
#include "procpool/detail/thread/thread_task.hpp"

namespace procpool::inline v0_1::detail::thread {

struct in_threads {
    using pool = thread_backend;

    template <call::call_style Style, class F, class... Args>
    using call_task = thread_task<Style, F, true, typename place_of_arguments<Style, F, Args...>::type>;
    template <call::call_style Style, class F, class Range>
    using map_task = thread_task<Style, F, false, typename place_of_elements<Style, F, Range, false>::type>;
    template <call::call_style Style, class F, class Range>
    using starmap_task = thread_task<Style, F, true, typename place_of_elements<Style, F, Range, true>::type>;

    /// A job whose results are kept by a `Results`, made from `args`.
    template <class Task, class Results, class Options, class F, class... Args>
    static auto make_job(const pool& /*where*/, const Options& /*options*/, F&& function, Args&&... args) {
        return std::make_shared<thread_job_of<Task, Results>>(std::forward<F>(function),
                                                              std::forward<Args>(args)...);
    }

    /// Calls cost little by themselves.
    template <class Task, class F, class... Args>
    static constexpr bool joins_calls = false;

    /// Submits the one element of a job. @return false if there is no room for it, and it doesn't wait
    template <class Task, class Job, class... Args>
    static bool submit_one(pool& where, const std::shared_ptr<Job>& job, const job::admission& how,
                           Args&&... args) {
        using kept = typename Task::where::kept;
        auto arguments = std::make_shared<std::vector<kept>>();
        arguments->reserve(1);
        arguments->push_back({std::remove_cvref_t<typename Task::passed>(std::forward<Args>(args)...)});
        auto lock = where.acquire();
        if (!where.admit(lock, 0, how)) return false;
        where.add(job);
        where.count_pending(*job, 0);
        where.submit(job, {.count = 1, .values = std::move(arguments)});
        where.seal(job);
        where.leave(lock);
        return true;
    }
    /// Submits a job with an element for each thread, all with copies of the same arguments.
    template <class Task, class Job, class... Args>
    static void submit_to_each(pool& where, const std::shared_ptr<Job>& job, Args&&... args) {
        using kept = typename Task::where::kept;
        using tuple = std::remove_cvref_t<typename Task::passed>;
        static_assert(std::is_copy_constructible_v<tuple>,
                      "procpool: each thread gets a copy of the arguments, and one of them can't be copied");
        auto arguments = std::make_shared<std::vector<kept>>();
        arguments->assign(where.size(), kept{tuple(std::forward<Args>(args)...)});
        auto lock = where.acquire();
        where.add(job);
        where.submit_to_each(job, {.count = where.size(), .values = std::move(arguments)});
        where.seal(job);
        where.leave(lock);
    }
};

}  // namespace procpool::inline v0_1::detail::thread

#endif
