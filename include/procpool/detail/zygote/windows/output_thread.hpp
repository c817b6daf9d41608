// SPDX-License-Identifier: MIT
// A thread that passes on what workers print, and remembers the end of it.
#ifndef PROCPOOL_DETAIL_ZYGOTE_WINDOWS_OUTPUT_THREAD_HPP
#define PROCPOOL_DETAIL_ZYGOTE_WINDOWS_OUTPUT_THREAD_HPP

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/event.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/os/poller.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/thread.hpp"
#include "procpool/detail/shared/status_lines.hpp"
#include "procpool/detail/zygote/birth.hpp"
#include "procpool/detail/zygote/output_relay.hpp"
#include "procpool/detail/zygote/output_stream.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1::detail::zygote {

/// There is no thread where workers print directly.
template <class = only_if_used>
class basic_output_thread {
public:
    explicit basic_output_thread(const worker_settings& settings)
        : by_lines_(settings.output != worker_output::direct),
          prefixed_(settings.output == worker_output::prefixed),
          first_index_(settings.first_index),
          tail_(settings.stderr_tail) {
        if (!by_lines_ && tail_ == 0) return;
        if (by_lines_) {
            status_ = shared::status_lines::of_this_program();
            for (output_stream* const stream : {&stdout_, &stderr_}) stream->keep_below(*status_);
        }
        poller_.add(stop_.file(), os::poller::interest::read, 0);
        thread_ = os::start_thread([this] { pass_on(); }, "what passes on output");
    }
    basic_output_thread(const basic_output_thread&) = delete;
    basic_output_thread& operator=(const basic_output_thread&) = delete;
    /// All that the workers have printed is out, unless somebody they have started still has their streams.
    ~basic_output_thread() {
        if (!thread_.joinable()) return;
        stop_.ring();
        thread_.join();
    }

    /// What a new worker prints to; empty if that is the program's own.
    struct streams {
        os::fd output;
        os::fd errors;
        std::shared_ptr<output_relay> told = nullptr;  // its standard error
    };
    /// @throws std::system_error
    streams add(std::uint32_t slot) {
        streams made;
        if (by_lines_) made.output = add(stdout_, slot).first;
        if (by_lines_ || tail_ > 0) std::tie(made.errors, made.told) = add(stderr_, slot);
        return made;
    }

    /// The last that a dead worker has printed to standard error. Waits for its end a while: who it has
    /// started may have it, too.
    std::string tail_of(const std::shared_ptr<output_relay>& errors) {
        constexpr std::chrono::milliseconds patience{500};
        std::unique_lock lock(mutex_);
        ended_.wait_for(lock, patience, [&] { return std::ranges::find(relays_, errors) == relays_.end(); });
        std::string tail = errors->tail();
        std::erase(tail, '\r');  // the C library has put it before each end of a line
        return tail;
    }

private:
    std::pair<os::fd, std::shared_ptr<output_relay>> add(output_stream& to, std::uint32_t slot) {
        os::pipe_ends pipe = os::make_output_pipe();
        std::string prefix;
        if (prefixed_) prefix = "[worker " + std::to_string(first_index_ + slot) + "] ";
        auto relay =
            std::make_shared<output_relay>(std::move(pipe.read), to, tail_, by_lines_, std::move(prefix));
        const std::lock_guard lock(mutex_);
        relays_.push_back(relay);
        poller_.add(relay->pipe(), os::poller::interest::read, 1);
        return {std::move(pipe.write), std::move(relay)};
    }

    void pass_on() noexcept {
        constexpr std::chrono::seconds grace{1};
        bool stops = false;
        for (steady_time until = steady_time::max(); !stops || std::chrono::steady_clock::now() < until;) {
            for (const auto& ready : poller_.wait(until))
                if (ready.key == 0 && !std::exchange(stops, true)) {
                    stop_.silence();
                    until = deadline_in(grace);
                }
            const std::lock_guard lock(mutex_);
            const std::size_t before = relays_.size();
            std::erase_if(relays_, [](const auto& relay) { return !relay->relay(); });
            for (output_stream* const stream : {&stdout_, &stderr_})
                stream->write();  // the line in which a worker has died
            if (relays_.size() != before) ended_.notify_all();
            if (stops && relays_.empty()) return;
        }
    }

    const bool by_lines_;
    const bool prefixed_;
    const std::uint32_t first_index_;
    const std::size_t tail_;
    std::shared_ptr<shared::status_lines> status_;
    output_stream stdout_{os::standard_output};
    output_stream stderr_{os::standard_error};
    os::poller poller_;
    os::event stop_;
    std::mutex mutex_;
    std::condition_variable ended_;  // a worker's stream
    std::vector<std::shared_ptr<output_relay>> relays_;
    std::thread thread_;
};

}  // namespace procpool::inline v0_1::detail::zygote

#endif
