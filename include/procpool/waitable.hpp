// SPDX-License-Identifier: MIT
// wait(): for the first of several connections and processes to be ready.
#ifndef PROCPOOL_WAITABLE_HPP
#define PROCPOOL_WAITABLE_HPP

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/family/wait_ready.hpp"
#include "procpool/detail/os/fd_fwd.hpp"

namespace procpool::inline v0_1 {

/// Something to wait for: that a Connection has a message (or its end), or that a Process has ended.
/// A copy of it keeps it valid.
class Waitable {
public:
    /// `ready` is true while nothing of what is there can be seen at the descriptor.
    explicit Waitable(std::shared_ptr<const detail::os::fd> file,
                      std::shared_ptr<const std::atomic<bool>> ready = nullptr) noexcept
        : file_(std::move(file)), ready_(std::move(ready)) {}

    /// The descriptor, for the system's poll() and the like, which becomes readable. It must be left alone. A
    /// message that Connection::poll() has seen is no longer there. On Windows there is none: -1.
    int fileno() const noexcept { return detail::family::number_of(*file_); }

    /// Whether waiting is over without a check of the descriptor.
    bool is_ready() const noexcept { return ready_ && ready_->load(std::memory_order_relaxed); }

    /// Whether both wait for the same.
    friend bool operator==(const Waitable& a, const Waitable& b) noexcept { return a.file_ == b.file_; }

private:
    friend std::vector<Waitable> wait(const std::vector<Waitable>& objects);
    template <class Rep, class Period>
    friend std::vector<Waitable> wait(const std::vector<Waitable>& objects,
                                      std::chrono::duration<Rep, Period> timeout);

    static std::vector<Waitable> wait_until(const std::vector<Waitable>& objects, detail::steady_time until) {
        std::vector<const detail::os::fd*> files;
        files.reserve(objects.size());
        for (const Waitable& object : objects) {
            files.push_back(object.file_.get());
            if (object.is_ready()) until = detail::steady_time::min();
        }
        const std::vector<bool> readable = detail::family::wait_ready(files, until);
        std::vector<Waitable> ready;
        for (std::size_t i = 0; i < objects.size(); ++i)
            if (readable[i] || objects[i].is_ready()) ready.push_back(objects[i]);
        return ready;
    }

    std::shared_ptr<const detail::os::fd> file_;
    std::shared_ptr<const std::atomic<bool>> ready_;
};

/// Waits until at least one of `objects` is ready: `wait({connection, process.sentinel()})`; mirrors Python's
/// multiprocessing.connection.wait.
/// @return those that are ready, in their order
inline std::vector<Waitable> wait(const std::vector<Waitable>& objects) {
    return Waitable::wait_until(objects, detail::steady_time::max());
}

/// The same for at most `timeout`; then none is returned.
template <class Rep, class Period>
std::vector<Waitable> wait(const std::vector<Waitable>& objects, std::chrono::duration<Rep, Period> timeout) {
    return Waitable::wait_until(objects, detail::deadline_in(timeout));
}

}  // namespace procpool::inline v0_1

#endif
