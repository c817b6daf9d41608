// SPDX-License-Identifier: MIT
// A doorbell that a poller can watch.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_EVENT_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_EVENT_HPP

#include <atomic>
#include <cstdint>
#include <memory>

#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/windows/watchable.hpp"

namespace procpool::inline v0_1::detail::os {

class event {
    class bell final : public watchable {
    public:
        void ring() noexcept {
            ringing_.store(true);
            arrivals_.fetch_add(1);
            bells_.ring();
        }
        void silence() noexcept { ringing_.store(false); }
        state look() noexcept override { return {.readable = ringing_.load(), .arrivals = arrivals_.load()}; }
        void attach(const std::shared_ptr<completion_port>& port) override { bells_.add(port); }
        void detach(const completion_port& port) noexcept override { bells_.remove(port); }
        void close() noexcept override {}

    private:
        std::atomic<bool> ringing_{false};
        std::atomic<std::uint64_t> arrivals_{0};
        bell_list bells_;
    };

public:
    event() : bell_(std::make_shared<bell>()), file_(bell_) {}

    void ring() noexcept { bell_->ring(); }
    void silence() noexcept { bell_->silence(); }
    const fd& file() const noexcept { return file_; }

private:
    const std::shared_ptr<bell> bell_;
    fd file_;
};

}  // namespace procpool::inline v0_1::detail::os

#endif
