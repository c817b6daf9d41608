// SPDX-License-Identifier: MIT
// In the zygote's place where nothing forks: a thread that starts fresh runs of the program, and the news of
// their ends.
//
// To start one takes long, and nobody who waits for results shall wait for that. A process that has ended
// keeps its id for as long as its handle is kept here: until the pool acknowledges the news.
#ifndef PROCPOOL_DETAIL_ZYGOTE_WINDOWS_STARTER_THREAD_HPP
#define PROCPOOL_DETAIL_ZYGOTE_WINDOWS_STARTER_THREAD_HPP

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/event.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/limits.hpp"
#include "procpool/detail/os/locale.hpp"
#include "procpool/detail/os/new_process.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/signal.hpp"
#include "procpool/detail/os/thread.hpp"
#include "procpool/detail/zygote/birth.hpp"
#include "procpool/detail/zygote/surroundings.hpp"
#include "procpool/detail/zygote/windows/exec.hpp"
#include "procpool/detail/zygote/windows/output_thread.hpp"

namespace procpool::inline v0_1::detail::zygote {

/// It has the functions of a zygote. Those of its owner, one thread at a time.
template <class = only_if_used>
class basic_starter_thread {
public:
    basic_starter_thread(const os::fd& memory, worker_main /*main*/, worker_settings settings,
                         const os::signal_mask& /*mask*/, const surroundings* around = nullptr,
                         const os::fd& /*preload*/ = {})
        : settings_(settings), memory_(os::copy_of(memory)), printer_(settings) {
        settings_.parent = own_name;
        settings_.parent.pid = os::current_pid();
        if (around) {
            around->tell_libraries(settings_);
            environment_ = os::environment_block(around->environment());
            directory_ = around->directory;
        }
        job_.end_with_this_process();
        thread_ = os::start_thread([this] { start_processes(); }, "what starts workers");
        os::library_threads.fetch_add(1, std::memory_order_relaxed);
    }
    basic_starter_thread(const basic_starter_thread&) = delete;
    basic_starter_thread& operator=(const basic_starter_thread&) = delete;
    ~basic_starter_thread() { kill(); }

    /// Readable when next_report() has news.
    const os::fd& control() const noexcept { return news_.file(); }

    void fork_worker(std::uint32_t slot, std::uint64_t serial, const os::fd& tasks, const os::fd& results) {
        const std::lock_guard lock(mutex_);
        requests_.push_back({slot, serial, os::copy_of(tasks), os::copy_of(results)});
        changed_.notify_all();
    }

    /// Lets the process id of a worker whose exit was reported be used again.
    void reap(std::uint32_t slot, std::uint64_t serial) {
        const auto ended = take(slot, serial);  // destroyed without the lock, which its watch may wait for
    }
    /// Ends a worker that was told to be started; `signal` says by which cause.
    void signal(std::uint32_t slot, std::uint64_t serial, long /*pid*/, int signal) {
        const std::lock_guard lock(mutex_);
        for (const auto& one : children_)
            if (one->slot == slot && one->serial == serial) (void)os::send_signal(one->process, signal);
    }
    /// Deaths are not reported any more; wait() waits for the workers, which leave by themselves.
    bool finish() noexcept { return true; }

    std::optional<worker_report> next_report() {
        const std::lock_guard lock(mutex_);
        if (reports_.empty()) {
            news_.silence();
            return std::nullopt;
        }
        output_ = std::move(reports_.front().output);
        error_ = std::move(reports_.front().error);
        const worker_report report = reports_.front().report;
        reports_.pop_front();
        return report;
    }
    /// The last that the worker has printed of whose end was told last.
    std::string_view output() const noexcept { return output_; }
    /// Why the worker of the last report wasn't born.
    std::exception_ptr birth_error(const worker_report& /*report*/) const noexcept { return error_; }

    /// A thread of this process isn't killed, stopped or lost.
    bool gone() const noexcept { return !!failed_start_; }
    /// How a worker has ended that didn't get to where it would become one: another would end alike.
    std::optional<os::exit_status> failed_start() noexcept { return failed_start_; }
    std::optional<std::string> failed_preload() const { return std::nullopt; }
    static constexpr std::chrono::milliseconds answer_timeout{100};
    bool rouse() noexcept { return true; }
    bool has_ended() const noexcept { return false; }
    bool was_killed() const noexcept { return false; }

    /// Ends the workers.
    void begin_kill() noexcept {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        requests_.clear();
        job_.end_all(os::kill_signal);
        changed_.notify_all();
    }
    /// The same; returns when all are gone.
    void kill() noexcept {
        begin_kill();
        wait();
    }
    /// Waits until all workers have ended.
    void wait() noexcept {
        {
            const std::lock_guard lock(mutex_);
            ending_ = true;
            changed_.notify_all();
        }
        if (thread_.joinable()) {
            thread_.join();
            os::library_threads.fetch_sub(1, std::memory_order_relaxed);
        }
        std::vector<std::unique_ptr<child>>
            last;  // destroyed without the lock, which their watches may wait for
        {
            const std::lock_guard lock(mutex_);
            last.swap(children_);
        }
        for (const auto& one : last) os::wait_for_end(one->process);
    }

private:
    struct request {
        std::uint32_t slot;
        std::uint64_t serial;
        os::fd tasks;
        os::fd results;
    };
    struct news {
        worker_report report;
        std::string output = {};
        std::exception_ptr error = nullptr;
    };
    struct child {
        basic_starter_thread* of;
        std::uint32_t slot;
        std::uint64_t serial;
        birth_section birth = {};
        long pid = 0;
        os::fd process = {};
        std::shared_ptr<output_relay> errors = nullptr;  // its standard error, if that passes through here
        os::end_watch watch = {};                        // the last, and so the first to be destroyed
    };

    void start_processes() noexcept {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [&] { return ending_ || !requests_.empty(); });
            if (requests_.empty()) return;
            request next = std::move(requests_.front());
            requests_.pop_front();
            lock.unlock();
            worker_report report{
                .what = worker_report::kind::started, .slot = next.slot, .serial = next.serial};
            std::unique_ptr<child> born;
            std::exception_ptr error;
            try {
                born = start(next);
                report.pid = born->pid;
            } catch (const std::exception&) {
                error = std::current_exception();
                report.what = worker_report::kind::fork_failed;
            }
            // Now they are the worker's alone.
            next = {};
            lock.lock();
            child* const one = born.get();
            if (born) children_.push_back(std::move(born));
            if (ending_) job_.end_all(os::kill_signal);
            reports_.push_back({.report = report, .error = error});
            news_.ring();
            if (one) watch_end_of(*one);
        }
    }

    std::unique_ptr<child> start(const request& wanted) {
        auto born = std::make_unique<child>(child{this, wanted.slot, wanted.serial});
        os::new_process made(job_, std::wstring(birth_argument) + born->birth.name(), environment_,
                             directory_);
        const auto prints_to = printer_.add(wanted.slot);
        describe_birth(born->birth, made, settings_, wanted.slot, wanted.serial,
                       {&wanted.tasks, &wanted.results, &memory_, &prints_to.errors, &prints_to.output});
        born->errors = prints_to.told;
        born->pid = made.pid();
        born->process = made.let_go();
        return born;
    }

    /// Called with the lock held.
    void watch_end_of(child& one) noexcept {
        try {
            one.watch = os::end_watch(
                one.process,
                [](void* ended, unsigned char) {
                    auto& own = *static_cast<child*>(ended);
                    own.of->report_end(own);
                },
                &one);
        } catch (const std::system_error&) {  // then it can't be kept
            (void)os::send_signal(one.process, os::kill_signal);
            os::wait_for_end(one.process);
            reports_.push_back({.report = end_of(one)});
        }
    }
    static worker_report end_of(const child& one) noexcept {
        const os::exit_status how = os::end_status_of(one.process);
        return {.what = worker_report::kind::exited,
                .slot = one.slot,
                .serial = one.serial,
                .pid = one.pid,
                .code = how.code.value_or(how.signal),
                .signalled = !how.code,
                .peak_memory = os::peak_memory_of(one.process.get())};
    }
    void report_end(const child& one) {
        std::string printed = one.errors ? printer_.tail_of(one.errors) : std::string();
        const std::lock_guard lock(mutex_);
        const os::exit_status how = os::end_status_of(one.process);
        some_began_ = some_began_ || std::any_of(children_.begin(), children_.end(), [](const auto& other) {
                          return other->birth->was_read.load() != 0;
                      });
        // One that was ended by somebody is replaced, as ever.
        if (!some_began_ && how.code && !ending_ && !failed_start_) failed_start_ = how;
        reports_.push_back({.report = end_of(one), .output = std::move(printed)});
        news_.ring();
    }

    std::unique_ptr<child> take(std::uint32_t slot, std::uint64_t serial) {
        const std::lock_guard lock(mutex_);
        const auto at = std::find_if(children_.begin(), children_.end(), [&](const auto& one) {
            return one->slot == slot && one->serial == serial;
        });
        if (at == children_.end()) return nullptr;
        auto found = std::move(*at);
        children_.erase(at);
        return found;
    }

    worker_settings settings_;
    const os::fd memory_;
    basic_output_thread<> printer_;  // outlives the workers, and what waits for their ends
    std::wstring environment_;
    std::string directory_;
    os::job job_;
    os::event news_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<request> requests_;
    std::deque<news> reports_;
    std::string output_;
    std::exception_ptr error_;
    std::vector<std::unique_ptr<child>> children_;
    std::optional<os::exit_status> failed_start_;
    bool some_began_ = false;
    bool ending_ = false;
    std::thread thread_;
};

using zygote = basic_starter_thread<>;

}  // namespace procpool::inline v0_1::detail::zygote

#endif
