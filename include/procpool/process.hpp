// SPDX-License-Identifier: MIT
// Process: a function that runs in a process of its own; mirrors Python's multiprocessing.Process.
#ifndef PROCPOOL_PROCESS_HPP
#define PROCPOOL_PROCESS_HPP

#include <chrono>
#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/cpu_count.hpp"
#include "procpool/detail/clock.hpp"
#include "procpool/detail/family/make_child.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/detail/wire/callable.hpp"
#include "procpool/detail/wire/serializing.hpp"
#include "procpool/detail/worker/process_body.hpp"
#include "procpool/error.hpp"
#include "procpool/options.hpp"
#include "procpool/process_info.hpp"
#include "procpool/start_method.hpp"
#include "procpool/waitable.hpp"

namespace procpool::inline v0_1 {

class Process;
/// The processes that this one has started and that run, in the order of their starts.
template <class = detail::only_if_used>
std::vector<Process> active_children();

/// A function that runs in a process of its own.
///
/// Function and arguments are those that a Pool takes, and are copied when the object is made; what the
/// function returns is dropped. Copies of a Process mean the same process; with the last of them ends the
/// wait for it: a process that still runs is joined, or terminated if it is a daemon. When the program dies,
/// however it does, its processes are killed. All methods may be called from several threads, but only in the
/// process that made the object: elsewhere they throw ProcessError, as they do after close().
class Process {
public:
    /// What start() will run: `function(args...)`.
    template <class F, class... Args>
        requires(!std::same_as<std::remove_cvref_t<F>, Process> &&
                 !std::same_as<std::remove_cvref_t<F>, ProcessOptions>)
    explicit Process(F&& function, Args&&... args)
        : Process(ProcessOptions{}, std::forward<F>(function), std::forward<Args>(args)...) {}

    /// The same with a name, as a daemon, or with another start method.
    /// @throws SerializationError if the function or an argument can't be encoded
    template <class F, class... Args>
    explicit Process(ProcessOptions options, F&& function, Args&&... args) {
        using namespace detail;
        using function_type = std::decay_t<F>;
        if constexpr (wire::check_call<function_type, wire::wire_type_t<Args>...>()) {
            wire::buffer call;
            wire::pins pins;
            wire::encode_function(call, &worker::make_body<function_type, wire::wire_type_t<Args>...>);
            wire::serializing({"procpool: the function or an argument of a Process can't be serialised"},
                              [&] {
                                  const function_type& callable = function;
                                  wire::callable_codec<function_type>::encode({call, pins}, callable);
                                  (wire::encode({call, pins}, std::as_const(args)), ...);
                              });
            child_ = family::make_child(std::move(options), std::move(call), std::move(pins));
        }
    }

    /// Starts the process; returns when it has its arguments, so that what they refer to may end.
    /// @throws ProcessError if it was started before
    /// @throws BootstrapError, SerializationError, std::system_error if it can't begin; it may be tried again
    template <class = detail::only_if_used>
    void start() {
        child().start(child_);
    }

    /// Waits until it has ended. @throws ProcessError if it was not started
    template <class = detail::only_if_used>
    void join() {
        child().wait(detail::steady_time::max());
    }

    /// The same for at most `timeout`. @return whether it has ended
    template <class Rep, class Period>
    bool join(std::chrono::duration<Rep, Period> timeout) {
        return child().wait(detail::deadline_in(timeout));
    }

    /// Whether it was started and has not ended.
    template <class = detail::only_if_used>
    bool is_alive() const {
        return child().is_alive();
    }

    /// How it ended: 0, what it gave exit(), 1 after an exception, or -N if signal N ended it; nothing
    /// before.
    template <class = detail::only_if_used>
    std::optional<int> exitcode() const {
        return child().exit_code();
    }

    /// Sends SIGTERM, which ends the process unless it has other plans. Nothing happens if it has ended.
    /// @throws ProcessError if it was not started; so do kill() and interrupt()
    template <class = detail::only_if_used>
    void terminate() {
        child().send(detail::family::child::signal::terminate);
    }
    /// Ends it at once, by SIGKILL.
    template <class = detail::only_if_used>
    void kill() {
        child().send(detail::family::child::signal::kill);
    }
    /// Sends SIGINT, as Ctrl-C does.
    template <class = detail::only_if_used>
    void interrupt() {
        child().send(detail::family::child::signal::interrupt);
    }

    /// Its process id; 0 before start().
    template <class = detail::only_if_used>
    long pid() const {
        return child().pid();
    }
    /// Its name.
    const std::string& name() const { return child().name(); }
    /// Whether it is a daemon, which is terminated and not joined.
    bool daemon() const { return child().is_daemon(); }

    /// What wait() waits for: ready when the process has ended. @throws ProcessError if it was not started
    template <class = detail::only_if_used>
    Waitable sentinel() const {
        return Waitable(child().sentinel());
    }

    /// Gives back what the object holds; any later use but the destructor throws.
    /// @throws ProcessError if the process runs
    template <class = detail::only_if_used>
    void close() {
        child().close();
    }

    /// Whether both mean the same process.
    friend bool operator==(const Process&, const Process&) = default;

private:
    template <class>
    friend std::vector<Process> active_children();
    explicit Process(std::shared_ptr<detail::family::child> child) : child_(std::move(child)) {}

    detail::family::child& child() const {
        if (!child_) throw ProcessError("procpool: this Process was moved from");
        return *child_;
    }

    std::shared_ptr<detail::family::child> child_;
};

template <class>
std::vector<Process> active_children() {
    std::vector<Process> found;
    for (auto& child : detail::family::running_children()) found.push_back(Process(std::move(child)));
    return found;
}

}  // namespace procpool::inline v0_1

#endif
