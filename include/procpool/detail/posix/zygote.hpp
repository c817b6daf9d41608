// SPDX-License-Identifier: MIT
// The zygote: a single-threaded child that forks all workers of a pool.
//
// Forking from it is cheap at any size of the parent, safe whatever the parent's threads hold, and gives
// each replacement exactly the state that the first workers had. It keeps a dead worker as a zombie until
// the pool acknowledges the news, so a process id can be signalled safely until then. When its socket
// closes, because the pool says so or its process is gone, it kills all workers and ends.
#ifndef PROCPOOL_DETAIL_POSIX_ZYGOTE_HPP
#define PROCPOOL_DETAIL_POSIX_ZYGOTE_HPP

#include <poll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "procpool/detail/posix/fd.hpp"
#include "procpool/detail/posix/process.hpp"
#include "procpool/detail/posix/socket.hpp"

namespace procpool::detail::posix {

/// What a new worker process starts with.
struct worker_birth {
    std::uint32_t slot = 0;
    std::uint64_t serial = 0;
    fd tasks;    // read end
    fd results;  // write end
    fd memory;   // the pool's black boxes and outboxes
};

using worker_main = std::function<int(worker_birth&)>;

/// News of a worker. `serial` tells a slot's present worker from the ones before.
struct worker_report {
    enum class kind : std::uint32_t { started, exited, fork_failed };
    kind what{};
    std::uint32_t slot = 0;
    std::uint64_t serial = 0;
    std::int64_t pid = 0;
    std::int32_t code = 0;  // exit code, or the signal's number, or fork's errno
    bool signalled = false;
};

struct zygote_request {
    enum class kind : std::uint32_t { fork, reap, finish };
    kind what{};
    std::uint32_t slot = 0;
    std::uint64_t serial = 0;
};

/// What runs in the zygote's process.
class zygote_process {
public:
    zygote_process(fd control, fd memory, const worker_main& main)
        : control_(std::move(control)), memory_(std::move(memory)), main_(main) {}

    int run() {
        detach_standard_input();
        set_signal(SIGCHLD, SIG_DFL);
        // It ends when its socket closes; a signal to the whole process group is for the user's program.
        for (const int signal : {SIGINT, SIGTERM, SIGHUP}) set_signal(signal, SIG_IGN);
        sigset_t deaths;
        ::sigemptyset(&deaths);
        ::sigaddset(&deaths, SIGCHLD);
        checked(::sigprocmask(SIG_BLOCK, &deaths, nullptr), "sigprocmask");
        deaths_ = fd(checked(::signalfd(-1, &deaths, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));

        while (!(finishing_ && children_.empty())) {
            std::array<pollfd, 2> watched{{{control_.get(), POLLIN, 0}, {deaths_.get(), POLLIN, 0}}};
            retry_on_eintr([&] { return ::poll(watched.data(), watched.size(), -1); });
            if (watched[1].revents != 0) report_deaths();
            if (watched[0].revents != 0 && !serve_request()) break;
        }
        for (const child& one : children_) send_signal(one.pid, SIGKILL);
        for (const child& one : children_) wait_for_exit(one.pid);
        return 0;
    }

private:
    struct child {
        pid_t pid;
        std::uint32_t slot;
        std::uint64_t serial;
        bool reported = false;
    };

    /// False when the pool is gone.
    bool serve_request() {
        auto incoming = receive_message<zygote_request>(control_, true);
        if (incoming->closed) return false;
        const zygote_request& request = incoming->message;
        switch (request.what) {
            case zygote_request::kind::fork:
                return fork_worker(request, std::move(incoming->files[0]), std::move(incoming->files[1]));
            case zygote_request::kind::reap: reap(request); return true;
            case zygote_request::kind::finish: finish(); return true;
        }
        return true;
    }

    bool fork_worker(const zygote_request& request, fd tasks, fd results) {
        const std::array keep{tasks.get(), results.get(), memory_.get()};
        const long zygote = current_pid();
        worker_report report{worker_report::kind::started, request.slot, request.serial};
        try {
            report.pid = fork_process(keep, [&] {
                // The numbers live on in this process; the parent's owners of them don't.
                worker_birth birth{request.slot, request.serial, fd(keep[0]), fd(keep[1]), fd(keep[2])};
                die_with_parent(zygote);
                original_.restore();
                set_signal(SIGINT, SIG_IGN);
                set_signal(SIGTERM, SIG_DFL);
                return main_(birth);
            });
            children_.push_back({static_cast<pid_t>(report.pid), request.slot, request.serial});
        } catch (const std::system_error& error) {
            report.what = worker_report::kind::fork_failed;
            report.code = error.code().value();
        }
        return send_message(control_, report);
    }

    void report_deaths() {
        signalfd_siginfo information;
        while (::read(deaths_.get(), &information, sizeof information) > 0) {
        }
        for (child& one : children_) {
            if (one.reported) continue;
            siginfo_t end{};
            const int result = retry_on_eintr([&] {
                return ::waitid(P_PID, static_cast<id_t>(one.pid), &end, WEXITED | WNOHANG | WNOWAIT);
            });
            if (result != 0 || end.si_pid == 0) continue;
            if (finishing_) {
                wait_for_exit(std::exchange(one.pid, 0));
                continue;
            }
            one.reported = true;
            send_message(control_, worker_report{worker_report::kind::exited, one.slot, one.serial, one.pid,
                                                 end.si_status, end.si_code != CLD_EXITED});
        }
        std::erase_if(children_, [](const child& one) { return one.pid == 0; });
    }

    /// From now on nobody asks about deaths: they are not kept for the pool.
    void finish() {
        finishing_ = true;
        for (child& one : children_) one.reported = false;
        report_deaths();
    }

    void reap(const zygote_request& request) {
        const auto at = std::find_if(children_.begin(), children_.end(), [&](const child& one) {
            return one.slot == request.slot && one.serial == request.serial;
        });
        if (at == children_.end()) return;
        wait_for_exit(at->pid);
        children_.erase(at);
    }

    fd control_;
    fd memory_;
    fd deaths_;
    const worker_main& main_;
    const signal_settings original_;
    std::vector<child> children_;
    bool finishing_ = false;
};

/// The pool's end of its zygote.
class zygote {
public:
    /// Forks the zygote; `main` is what each worker will run, with the signals of `mask` blocked.
    zygote(const fd& memory, const worker_main& main, const signal_mask& mask) {
        // What is buffered now would be printed once more by each worker that leaves through exit().
        std::fflush(stdout);
        std::fflush(stderr);
        socket_ends ends = make_socket_pair();
        const std::array keep{ends.far.get(), memory.get()};
        pid_ = fork_process(keep, [&] {
            mask.apply();
            return zygote_process(fd(keep[0]), fd(keep[1]), main).run();
        });
        control_ = std::move(ends.near);
    }
    zygote(const zygote&) = delete;
    zygote& operator=(const zygote&) = delete;
    ~zygote() { kill(); }

    /// Readable when next_report() has news.
    const fd& control() const noexcept { return control_; }

    void fork_worker(std::uint32_t slot, std::uint64_t serial, const fd& tasks, const fd& results) {
        const std::array files{tasks.get(), results.get()};
        send({zygote_request::kind::fork, slot, serial}, files);
    }

    /// Lets the process id of a worker whose exit was reported be used again.
    void reap(std::uint32_t slot, std::uint64_t serial) {
        send({zygote_request::kind::reap, slot, serial}, {});
    }

    /// Lets the zygote end after the last worker has ended by itself; deaths are not reported any more.
    void finish() { send({zygote_request::kind::finish}, {}); }

    std::optional<worker_report> next_report() {
        auto incoming = receive_message<worker_report>(control_, false);
        if (!incoming) return std::nullopt;
        if (incoming->closed) {
            gone_ = true;
            return std::nullopt;
        }
        return incoming->message;
    }

    /// True once the zygote was found dead; its workers died with it.
    bool gone() const noexcept { return gone_; }

    /// Kills the zygote's workers and ends it; returns when all are gone.
    void kill() noexcept {
        control_.reset();
        wait();
    }

    /// Waits until the zygote has ended.
    void wait() noexcept {
        if (pid_ > 0) wait_for_exit(pid_);
        pid_ = 0;
    }

private:
    void send(const zygote_request& request, std::span<const int> files) {
        if (!send_message(control_, request, files)) gone_ = true;
    }

    fd control_;
    long pid_ = 0;
    bool gone_ = false;
};

}  // namespace procpool::detail::posix

#endif
