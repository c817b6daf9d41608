// SPDX-License-Identifier: MIT
// Why a worker died, as an error for the element that it was running.
#ifndef PROCPOOL_DETAIL_PROCESS_POST_MORTEM_HPP
#define PROCPOOL_DETAIL_PROCESS_POST_MORTEM_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/crash.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/signal.hpp"
#include "procpool/detail/process/worker_link.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/utf8.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::process {

/// A duration with a unit that fits.
template <class = only_if_used>
std::string describe(std::chrono::nanoseconds time) {
    const auto ns = time.count();
    if (ns < 10'000) return std::to_string(ns) + " ns";
    if (ns < 10'000'000) return std::to_string(ns / 1000) + " us";
    if (ns < 10'000'000'000) return std::to_string(ns / 1'000'000) + " ms";
    return std::to_string(ns / 1'000'000'000) + " s";
}

/// What is known of the end of a worker that was running `element`.
template <class = only_if_used>
class basic_post_mortem {
public:
    basic_post_mortem(const worker_link& link, const worker_link::running& interrupted,
                      const scheduler::block& element, bool quote_arguments)
        : link_(link),
          job_(*interrupted.of->job),
          element_(element),
          quote_arguments_(quote_arguments),
          number_(interrupted.number),
          calls_(os::describe_calls(link.box().crash)) {
        cause_.pid = link.told_pid();
        cause_.exit_code = link.exit->code;
        cause_.signal = link.exit->signal;
        if (!in_initializer() && !in_finalizer()) cause_.index = job_.index_told(interrupted.index);
        cause_.run_time = elapsed_since(interrupted.since);
        cause_.peak_memory = link.remains.peak_memory;
        cause_.out_of_memory = link.remains.out_of_memory;
        cause_.error_output = link.remains.error_output;
        for (const std::string& call : calls_) cause_.stack_trace.append(valid_utf8(call)).append("\n");
    }

    /// How the worker ended, in a few words.
    std::string how() const {
        if (timed_out()) return "exceeded the limit of " + limit();
        std::string text = exit();
        if (!calls_.empty()) text.append(" in ").append(place());
        if (!link_.fault().empty())
            text.append(link_.exit->signal == os::kill_signal ? " (killed by the pool, because " : " (")
                .append(link_.fault())
                .append(")");
        if (cause_.out_of_memory) text += " by the kernel, which was out of memory";
        return text;
    }

    /// The element's error, if it is not tried again; `more` is told behind its text.
    std::exception_ptr error(const std::string& more = {}) const {
        const std::string text = valid_utf8(this->text() + more);  // it has names of files and functions
        if (ended_for(reason::cpu_timeout)) return std::make_exception_ptr(TaskCpuTimeout(text, cause_));
        if (timed_out()) return std::make_exception_ptr(TaskTimeout(text, cause_));
        return std::make_exception_ptr(WorkerDied(text, cause_));
    }

    std::string text() const {
        const std::string worker = "worker " + std::to_string(cause_.pid);
        std::string text = "procpool: ";
        if (timed_out())
            text.append(what())
                .append(" exceeded its limit of ")
                .append(limit())
                .append(calls_.empty() ? "" : " in " + place())
                .append(", and " + worker + " was ended: ")
                .append(exit());
        else
            text.append(worker)
                .append(" died ")
                .append(in_initializer()   ? "in its initializer"
                        : in_finalizer()   ? "in its finalizer"
                        : result_is_lost() ? "with the result of " + what()
                                           : "while it ran " + what())
                .append(": ")
                .append(how())
                .append(", after ")
                .append(describe(cause_.run_time));
        if (cause_.peak_memory > 0)
            text.append(", peak memory ").append(std::to_string(cause_.peak_memory >> 20)).append(" MiB");
        if (const std::size_t earlier = element_.attempts.size(); earlier > 0)
            text.append("; given up after ")
                .append(std::to_string(earlier + 1))
                .append(" attempts")
                .append(scheduler::describe_attempts(element_.attempts));
        return text;
    }

private:
    std::string exit() const {
        // Of those that die with their zygote nobody tells.
        const bool known = link_.exit->code || link_.exit->signal != 0;
        return known ? os::describe(*link_.exit) : "killed with its zygote";
    }
    /// Whether it had begun another one already.
    bool result_is_lost() const noexcept {
        return number_ + 1 < link_.box().told.begun.load(std::memory_order_relaxed);
    }
    bool in_initializer() const noexcept { return job_.id == wire::initializer_number; }
    bool in_finalizer() const noexcept { return job_.id == wire::finalizer_number; }
    using reason = worker_link::termination::reason;
    bool ended_for(reason why) const noexcept {
        const auto& cause = link_.terminated_for();
        return cause && cause->element == number_ && cause->why == why;
    }
    bool timed_out() const noexcept { return ended_for(reason::timeout) || ended_for(reason::cpu_timeout); }
    /// The one that it has exceeded.
    std::string limit() const {
        return ended_for(reason::cpu_timeout) ? describe(job_.cpu_timeout) + " of CPU time"
                                              : describe(job_.timeout);
    }
    /// For example: element 3, f("file.jpg")
    std::string what() const {
        if (in_initializer()) return "the initializer";
        if (in_finalizer()) return "the finalizer";
        std::string arguments = "...";
        if (quote_arguments_) {
            wire::element_reader reader(element_.payload(), element_.stride);
            arguments = job_.describe(reader.next());
        }
        return "element " + std::to_string(*cause_.index) + ", f(" + arguments + ")";
    }

    /// The call that a person looks for: the first of the program's own.
    std::string place() const {
        const auto named = std::find_if(calls_.begin(), calls_.end(), [](const std::string& call) {
            return call.find('(') != std::string::npos;  // C functions are those that abort
        });
        return named != calls_.end() ? *named : calls_.front();
    }

    const worker_link& link_;
    const scheduler::remote_job& job_;
    const scheduler::block& element_;
    const bool quote_arguments_;
    const std::uint64_t number_;  // among those that the worker has got
    std::vector<std::string> calls_;
    WorkerDied::Cause cause_;
};
using post_mortem = basic_post_mortem<>;

}  // namespace procpool::inline v0_1::detail::process

#endif
