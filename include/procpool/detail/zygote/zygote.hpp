// SPDX-License-Identifier: MIT
// The zygote: a single-threaded child that forks all workers of a pool, or single processes.
//
// Forking from it is cheap at any size of the parent, safe whatever the parent's threads hold, and gives
// each replacement exactly the state that the first workers had. It keeps a dead worker as a zombie until
// the pool acknowledges the news, so a process id can be signalled safely until then. When its socket
// closes, because the pool says so or its process is gone, it kills all workers and ends.
#ifndef PROCPOOL_DETAIL_ZYGOTE_ZYGOTE_HPP
#define PROCPOOL_DETAIL_ZYGOTE_ZYGOTE_HPP

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/child.hpp"
#include "procpool/detail/os/descendants.hpp"
#include "procpool/detail/os/environment.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fork_stamp.hpp"
#include "procpool/detail/os/locale.hpp"
#include "procpool/detail/os/orphans.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/readable.hpp"
#include "procpool/detail/os/signal.hpp"
#include "procpool/detail/os/socket.hpp"
#include "procpool/detail/shared/status_lines.hpp"
#include "procpool/detail/zygote/birth.hpp"
#include "procpool/detail/zygote/exec.hpp"
#include "procpool/detail/zygote/process_tree.hpp"
#include "procpool/detail/zygote/surroundings.hpp"
#include "procpool/detail/zygote/zygote_process.hpp"

namespace procpool::inline v0_1::detail::zygote {

/// In a process that has just been forked to be a zygote. @return whether that was possible
inline bool enter(const surroundings& around, worker_settings& settings) {
    around.tell_libraries(settings);
    os::replace_environment(around.environment());
    if (around.directory.empty() || os::change_directory(around.directory.c_str())) return true;
    std::fprintf(stderr, "procpool: workers can't go to their working directory, %s\n",
                 around.directory.c_str());
    return false;
}

/// The pool's end of its zygote.
template <class = only_if_used>
class basic_zygote {
public:
    /// Starts a zygote as `settings` say; `main` is what its workers run if they are forked from it and it
    /// from this process. Workers have the signals of `mask` blocked, and find `around` them what that says.
    /// `preload` is a file_of_preload, or none.
    basic_zygote(const os::fd& memory, worker_main main, worker_settings settings,
                 const os::signal_mask& mask, const surroundings* around = nullptr,
                 const os::fd& preload = {})
        : preloads_(preload && settings.how != start_method::spawn) {
        settings.parent = own_name;
        settings.parent.pid = os::current_pid();
        if (settings.purpose == occupation::tasks && !settings.keeps_children) settings.tree = new_tree();
        tree_ = settings.tree;
        // What is buffered now would be printed once more by each worker that leaves through exit().
        std::fflush(stdout);
        std::fflush(stderr);
        os::socket_ends ends = os::make_socket_pair();
        if (settings.output != worker_output::direct) status_ = shared::status_lines::of_this_program();
        settings.preloads = static_cast<bool>(preload);
        const std::array keep{ends.far.get(), memory.get(), status_ ? status_->file().get() : -1,
                              preload.get()};
        if (settings.how == start_method::fork) {
            const auto inner_threads = os::find_inner_threads();
            process_ = os::child(os::fork_process(keep, [&] {
                mask.apply();
                os::inherited_inner_threads() = inner_threads;
                if (around && !enter(*around, settings)) return EXIT_FAILURE;
                return zygote_process(os::fd(keep[0]), os::fd(keep[1]), os::fd(keep[2]), os::fd(keep[3]),
                                      main, settings)
                    .run();
            }));
        } else {
            if (around) around->tell_libraries(settings);
            process_birth birth{.what = process_birth::kind::zygote,
                                .settings = settings,
                                .mask = mask,
                                .signals = {},
                                .locale = os::locale_names::of_this_process()};
            os::send_message(ends.near, birth, std::span(keep).subspan(1, 2));
            send_preload(ends.near, preload);
            process_ = os::child(start_anew(ends.far, {}, around));
        }
        control_ = std::move(ends.near);
    }
    basic_zygote(const basic_zygote&) = delete;
    basic_zygote& operator=(const basic_zygote&) = delete;
    ~basic_zygote() { kill(); }

    /// Readable when next_report() has news.
    const os::fd& control() const noexcept { return control_; }

    /// Reports about it go to `news`, if there is one, and not to control(); after that of its end, `news` is
    /// closed.
    void fork_worker(std::uint32_t slot, std::uint64_t serial, const os::fd& tasks, const os::fd& results,
                     const os::fd& news = {}) {
        const std::array files{tasks.get(), results.get(), news.get()};
        send({.what = zygote_request::kind::fork, .slot = slot, .serial = serial}, files);
    }

    /// Lets the process id of a worker whose exit was reported be used again.
    void reap(std::uint32_t slot, std::uint64_t serial) {
        send({.what = zygote_request::kind::reap, .slot = slot, .serial = serial}, {});
    }

    /// Sends `signal` to a worker that was told to be started.
    void signal(std::uint32_t slot, std::uint64_t serial, long pid, int signal) {
        const os::fd worker = os::open_process(pid);
        // For as long as the zygote lives the number is its worker's; when it has ended, so has the worker.
        if (process_.has_ended() || os::send_signal(worker, pid, signal)) return;
        // This process has become another user, the zygote has not.
        send({.what = zygote_request::kind::signal, .slot = slot, .serial = serial, .signal = signal}, {});
    }

    /// Lets the zygote end after the last worker has ended by itself; deaths are not reported any more.
    /// @return false if it can't be told
    bool finish() noexcept {
        try {
            send({.what = zygote_request::kind::finish}, {});
            return true;
        } catch (const std::system_error&) {
            return false;
        }
    }

    std::optional<worker_report> next_report() {
        while (const auto incoming = os::receive_message<worker_report>(control_, false, output_room_)) {
            if (incoming->closed) {
                gone_ = true;
                break;
            }
            ready_ = true;
            using kind = worker_report::kind;
            if (incoming->message.what == kind::preloaded) preloads_ = false;
            if (incoming->message.what == kind::preload_failed) preload_problem_ = incoming->text;
            if (incoming->message.what <= kind::preload_failed) continue;
            output_ = incoming->text;
            if (incoming->message.what == worker_report::kind::started) remember(incoming->message);
            return incoming->message;
        }
        return std::nullopt;
    }
    /// What the worker of the last report had printed, if that was asked for.
    std::string_view output() const noexcept { return output_; }
    /// Why the worker of a report wasn't born.
    static std::exception_ptr birth_error(const worker_report& report) {
        return std::make_exception_ptr(
            std::system_error(report.code, std::generic_category(), "procpool: can't start workers: fork"));
    }

    /// True once the zygote was found dead; its workers died with it.
    bool gone() const noexcept { return gone_; }

    /// How it ended, if that was before it could do anything: it is a fresh run of a program that doesn't
    /// get to where it would become a zygote. To be called once it is gone.
    std::optional<os::exit_status> failed_start() noexcept {
        if (ready_) return std::nullopt;
        return process_.wait();
    }

    /// Why it has not got beyond its preload, if so. To be called once it is gone.
    std::optional<std::string> failed_preload() {
        while (preloads_ && !preload_problem_ && next_report()) {  // what it told last
        }
        if (preload_problem_) return preload_problem_;
        if (!preloads_ || !ready_) return std::nullopt;
        return "died: " + os::describe(process_.wait());
    }

    /// For so long it is waited for before it is checked whether it was stopped.
    static constexpr std::chrono::milliseconds answer_timeout{100};
    /// To be called each time when something that it owes hasn't come within `answer_timeout`. If it was
    /// stopped it is continued; if that doesn't help, since somebody debugs it or stops it again, it is
    /// killed. False if it can't be, since this process has become another user.
    bool rouse() noexcept {
        constexpr int most_checks = 5;
        if (!process_.is_stopped()) {
            checks_ = 0;
            return true;
        }
        return process_.send(checks_++ < most_checks ? SIGCONT : SIGKILL);
    }

    /// Lets the zygote kill its workers and end.
    void begin_kill() noexcept {
        if (preloads_ && process_)
            static_cast<void>(process_.send(SIGKILL));  // it doesn't look, and has no workers yet
        control_.reset();
    }
    /// The same; returns when all are gone.
    void kill() noexcept {
        begin_kill();
        wait();
    }

    /// Whether it has ended, for who has seen an end of its sockets, which close a moment before.
    bool has_ended() const noexcept { return process_.ends_until(deadline_in(std::chrono::seconds(1))); }

    /// Waits until the zygote has ended.
    void wait() noexcept {
        // It is no child of a process that was forked with a copy of this.
        if (!process_ || !made_.is_here()) return;
        while (!process_.ends_within(answer_timeout))
            if (!rouse()) return;
        const os::exit_status how = process_.wait();
        killed_ = !how.code;
        if (!killed_) return;
        end_tree();
        os::reap_orphans(workers_);
    }
    /// Once it was waited for: by somebody else, so that it has waited for no worker.
    bool was_killed() const noexcept { return killed_; }

private:
    /// As no other zygote has, in this process or another one.
    static std::uint64_t new_tree() noexcept {
        static std::atomic<std::uint64_t> trees{0};
        const std::uint64_t number = trees.fetch_add(1, std::memory_order_relaxed);
        const auto pid = static_cast<std::uint64_t>(os::current_pid());
        const auto mix = [](std::uint64_t word) {
            word = (word ^ word >> 32) * 0xD6E8FEB86659FD93u;
            return word ^ word >> 32;
        };
        return os::descent::tree_of(mix(mix(static_cast<std::uint64_t>(steady_ns()) + number) + pid));
    }
    /// Of what its workers had started.
    void end_tree() const noexcept {
        if (tree_ == 0) return;
        try {
            kill_descendants(tree_);
        } catch (const std::bad_alloc&) {  // then they stay
        }
    }

    void remember(const worker_report& started) {
        if (workers_.size() <= started.slot) workers_.resize(started.slot + 1);
        workers_[started.slot] = os::known_now(static_cast<long>(started.pid));
    }

    void send(const zygote_request& request, std::span<const int> files) {
        for (;;) switch (os::try_send_message(control_, request, files)) {
                case os::sending::done: return;
                case os::sending::closed: gone_ = true; return;
                case os::sending::full: await_room();
            }
    }
    /// Returns after a while in any case.
    void await_room() noexcept {
        const auto milliseconds = static_cast<int>(answer_timeout.count());
        if (os::wait_writable(control_.get(), milliseconds) == os::wait_end::timed_out) rouse();
    }

    const os::fork_stamp made_;
    std::shared_ptr<shared::status_lines> status_;  // as long as workers may print
    std::uint64_t tree_ = 0;
    os::fd control_;
    os::child process_;
    int checks_ = 0;                          // that have found it stopped, one after the other
    std::vector<os::known_process> workers_;  // of each slot the last one
    bool preloads_;                           // and has not told the end of that
    std::optional<std::string> preload_problem_;
    bool ready_ = false;
    bool gone_ = false;
    bool killed_ = false;
    std::string_view output_;
    std::array<char, worker_report::most_output> output_room_;  // not touched, and so no memory, until needed
};
using zygote = basic_zygote<>;

}  // namespace procpool::inline v0_1::detail::zygote

#endif
