// SPDX-License-Identifier: MIT
// A single process, as those see it who have started it.
#ifndef PROCPOOL_DETAIL_FAMILY_CHILD_HPP
#define PROCPOOL_DETAIL_FAMILY_CHILD_HPP

#include <memory>
#include <optional>
#include <string>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/fd_fwd.hpp"

namespace procpool::inline v0_1::detail::family {

/// A single process of the program, as its parent sees it. Thread-safe.
class child {
public:
    child() = default;
    child(const child&) = delete;
    child& operator=(const child&) = delete;
    virtual ~child() = default;

    virtual const std::string& name() const noexcept = 0;
    virtual bool is_daemon() const noexcept = 0;
    /// Returns when the process is about to call its function.
    virtual void start(const std::shared_ptr<child>& self) = 0;
    /// 0 before start().
    virtual long pid() const = 0;
    /// False if it has not ended until then.
    virtual bool wait(steady_time until) = 0;
    virtual bool is_alive() = 0;
    virtual std::optional<int> exit_code() = 0;
    enum class signal { terminate, kill, interrupt };
    /// Does nothing if it has ended.
    virtual void send(signal what) = 0;
    /// Readable when it has ended.
    virtual std::shared_ptr<const os::fd> sentinel() const = 0;
    virtual void close() = 0;

    // ---- for the list of all

    /// Waits for its end, or terminates it if it is a daemon.
    virtual void finish() = 0;
    /// Whether it runs; false, too, if it is closed.
    virtual bool still_runs() = 0;
    /// False in a forked child.
    virtual bool is_of_this_process() const noexcept = 0;
};

}  // namespace procpool::inline v0_1::detail::family

#endif
