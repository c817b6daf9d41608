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
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "procpool/detail/posix/fd.hpp"
#include "procpool/detail/posix/oom.hpp"
#include "procpool/detail/posix/output_relay.hpp"
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
    bool out_of_memory = false;     // the kernel has killed processes for want of memory
    std::uint64_t peak_memory = 0;  // in bytes
    static constexpr std::size_t most_output = 4096;
    std::uint32_t output_size = 0;
    std::array<char, most_output>
        output;  // the last that it printed to standard error, if that was asked for
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
    zygote_process(fd control, fd memory, const worker_main& main, std::size_t stderr_tail)
        : control_(std::move(control)), memory_(std::move(memory)), main_(main), stderr_tail_(stderr_tail) {}

    int run() {
        detach_standard_input();
        set_signal(SIGCHLD, SIG_DFL);
        // It ends when its socket closes; a signal to the whole process group is for the user's program.
        for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) set_signal(signal, SIG_IGN);
        sigset_t deaths;
        ::sigemptyset(&deaths);
        ::sigaddset(&deaths, SIGCHLD);
        checked(::sigprocmask(SIG_BLOCK, &deaths, nullptr), "sigprocmask");
        deaths_ = fd(checked(::signalfd(-1, &deaths, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));

        // Not before the workers are started, which somebody waits for.
        bool kills_counted = false;
        std::vector<pollfd> watched;
        while (!(finishing_ && children_.empty())) {
            watched = {{control_.get(), POLLIN, 0}, {deaths_.get(), POLLIN, 0}};
            for (const auto& relay : relays_) watched.push_back({relay->pipe().get(), POLLIN, 0});
            const int ready = retry_on_eintr(
                [&] { return ::poll(watched.data(), watched.size(), kills_counted ? -1 : 0); });
            if (ready == 0) {
                oom_kills_ = oom_kills();
                kills_counted = true;
            }
            relay_output();
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
        std::shared_ptr<output_relay> relay = nullptr;  // of its standard error, if that is to be remembered
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
        const long zygote = current_pid();
        worker_report report{.what = worker_report::kind::started,
                             .slot = request.slot,
                             .serial = request.serial,
                             .output = {}};
        try {
            pipe_ends errors;
            if (stderr_tail_ > 0) errors = make_pipe();
            const std::array keep{tasks.get(), results.get(), memory_.get(), errors.write.get()};
            report.pid = fork_process(keep, [&] {
                // The numbers live on in this process; the parent's owners of them don't.
                worker_birth birth{request.slot, request.serial, fd(keep[0]), fd(keep[1]), fd(keep[2])};
                die_with_parent(zygote);
                original_.restore();
                set_signal(SIGINT, SIG_IGN);
                set_signal(SIGTERM, SIG_DFL);
                unblock_signal(SIGTERM);
                if (keep[3] >= 0) redirect_standard_error(fd(keep[3]));
                return main_(birth);
            });
            children_.push_back({static_cast<pid_t>(report.pid), request.slot, request.serial});
            if (stderr_tail_ > 0) {
                relays_.push_back(std::make_shared<output_relay>(std::move(errors.read), stderr_tail_));
                children_.back().relay = relays_.back();
            }
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
            rusage usage{};
            // The system call itself, since the library's function doesn't give the usage.
            const auto result = retry_on_eintr([&] {
                return ::syscall(SYS_waitid, P_PID, one.pid, &end, WEXITED | WNOHANG | WNOWAIT, &usage);
            });
            if (result != 0 || end.si_pid == 0) continue;
            if (finishing_) {
                wait_for_exit(std::exchange(one.pid, 0));
                continue;
            }
            one.reported = true;
            report_death(one, end, usage);
        }
        std::erase_if(children_, [](const child& one) { return one.pid == 0; });
    }

    void report_death(const child& one, const siginfo_t& end, const rusage& usage) {
        worker_report report{.what = worker_report::kind::exited,
                             .slot = one.slot,
                             .serial = one.serial,
                             .pid = one.pid,
                             .code = end.si_status,
                             .signalled = end.si_code != CLD_EXITED,
                             .peak_memory = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024,
                             .output = {}};
        if (report.signalled && report.code == SIGKILL) {
            const std::uint64_t kills = oom_kills();
            report.out_of_memory = kills > std::exchange(oom_kills_, kills);
        }
        if (one.relay) {
            one.relay->relay();
            const std::string& tail = one.relay->tail();
            report.output_size = static_cast<std::uint32_t>(std::min(tail.size(), report.output.size()));
            std::memcpy(report.output.data(), tail.data() + tail.size() - report.output_size,
                        report.output_size);
        }
        send_message(control_, report);
    }

    /// A process that a task has started may go on printing when its worker is dead.
    void relay_output() {
        std::erase_if(relays_, [](const std::shared_ptr<output_relay>& relay) { return !relay->relay(); });
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
    const std::size_t stderr_tail_;
    const signal_settings original_;
    std::vector<child> children_;
    std::vector<std::shared_ptr<output_relay>> relays_;
    std::uint64_t oom_kills_ = 0;
    bool finishing_ = false;
};

/// The pool's end of its zygote.
class zygote {
public:
    /// Forks the zygote; `main` is what each worker will run, with the signals of `mask` blocked. Of what a
    /// worker prints to standard error, the last `stderr_tail` bytes are told when it dies.
    zygote(const fd& memory, const worker_main& main, const signal_mask& mask, std::size_t stderr_tail = 0) {
        // What is buffered now would be printed once more by each worker that leaves through exit().
        std::fflush(stdout);
        std::fflush(stderr);
        socket_ends ends = make_socket_pair();
        const std::array keep{ends.far.get(), memory.get()};
        pid_ = fork_process(keep, [&] {
            mask.apply();
            return zygote_process(fd(keep[0]), fd(keep[1]), main, stderr_tail).run();
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
