// SPDX-License-Identifier: MIT
// A single process of the program, as its parent sees it: birth, signals, death.
#ifndef PROCPOOL_DETAIL_FAMILY_CHILD_PROCESS_HPP
#define PROCPOOL_DETAIL_FAMILY_CHILD_PROCESS_HPP

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/family/child.hpp"
#include "procpool/detail/family/child_list.hpp"
#include "procpool/detail/family/process_definition.hpp"
#include "procpool/detail/family/zygote_for.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/fork_stamp.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/os/readable.hpp"
#include "procpool/detail/os/signal.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/detail/worker/process_identity.hpp"
#include "procpool/detail/worker/process_main.hpp"
#include "procpool/detail/zygote/starter.hpp"
#include "procpool/error.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1::detail::family {

template <class = only_if_used>
class basic_child_process final : public child {
public:
    /// `call` is a body_maker's address, and what that needs.
    basic_child_process(ProcessOptions options, wire::buffer call, wire::pins pins)
        : options_(std::move(options)), call_(std::move(call)), pins_(std::move(pins)) {
        if (options_.name.empty()) options_.name = "Process-" + place_;
    }

    /// Waits for its end, as Python does when the program ends, or terminates it if it is a daemon.
    ~basic_child_process() override {
        if (!is_of_this_process()) return;
        try {
            finish();
        } catch (...) {  // then it ends with its zygote
        }
    }

    const std::string& name() const noexcept override { return options_.name; }
    bool is_daemon() const noexcept override { return options_.daemon; }

    void start(const std::shared_ptr<child>& self) override {
        const auto lock = use();
        if (now_ != state::initial) throw ProcessError("procpool: " + name() + " was started before");
        const start_method how = zygote::checked_start_method(options_.start_method);
        wire::exception_registry::instance();  // see basic_worker_processes
        worker::flush_streams();               // or else a copy would print it once more
        const os::fd definition = write_definition();
        for (int tries = 1; !try_start(how, definition); ++tries)
            if (tries == most_tries)
                throw BootstrapError("procpool: " + name() +
                                     " could not be started: what should have forked it was killed, " +
                                     std::to_string(tries) + " times");
        now_ = state::started;
        if (how == start_method::fork) own_zygote_ = true;
        call_ = {};
        pins_.clear();
        child_list::add(self);
    }

    long pid() const override {
        const auto lock = use();
        return pid_;
    }

    bool wait(steady_time until) override {
        std::shared_ptr<const os::fd> news;
        os::fd process;
        for (;;) {
            {
                const auto lock = use();
                require_started("joined");
                if (has_ended()) return true;
                if (!news) process = os::open_process(pid_);
                news = news_;
            }
            if (process) {
                const auto ready = os::wait_readable(std::array{news->get(), process.get()}, until);
                if (!ready[0] && !ready[1]) return false;
                if (ready[1]) process.reset();
                if (ready[0]) continue;
            }
            // It may have ended, and its zygote be unable to say so.
            if (os::wait_readable(news->get(), std::min(until, deadline_in(zygote::zygote::answer_timeout))))
                continue;
            if (std::chrono::steady_clock::now() >= until) return false;
            const auto lock = use();
            rouse_zygote();
        }
    }

    bool is_alive() override {
        const auto lock = use();
        return runs();
    }

    std::optional<int> exit_code() override {
        const auto lock = use();
        if (now_ != state::started || !has_ended()) return std::nullopt;
        // Who dies with its zygote is killed.
        return exit_->code ? *exit_->code : -(exit_->signal != 0 ? exit_->signal : SIGKILL);
    }

    void send(signal what) override {
        const auto lock = use();
        require_started("sent a signal");
        if (has_ended()) return;
        const auto no_fork = os::fd_registry::instance().hold_forks();
        const int number = what == signal::kill ? SIGKILL : what == signal::interrupt ? SIGINT : SIGTERM;
        zygote_->signal(0, serial_, pid_, number);
    }

    std::shared_ptr<const os::fd> sentinel() const override {
        const auto lock = use();
        require_started("waited for");
        return news_;
    }

    void close() override {
        const auto lock = use(true);
        if (now_ == state::started && !has_ended())
            throw ProcessError("procpool: " + name() +
                               " can't be closed while it runs; join() or terminate() it first");
        now_ = state::closed;
        zygote_.reset();
        news_.reset();
        call_ = {};
        pins_.clear();
    }

    void finish() override {
        if (!is_alive()) return;
        if (is_daemon()) {
            send(signal::terminate);
            if (wait(deadline_in(std::chrono::seconds(1)))) return;
            send(signal::kill);
        }
        wait(steady_time::max());
    }

    bool still_runs() override {
        const auto lock = use(true);
        return runs();
    }
    bool is_of_this_process() const noexcept override { return made_.is_here(); }

private:
    enum class state { initial, started, closed };

    bool runs() PROCPOOL_REQUIRES(mutex_) { return now_ == state::started && !has_ended(); }
    static constexpr int most_tries = 10;

    /// The analysis doesn't see that the lock is handed on.
    mutex_lock use(bool closed_too = false) const
        PROCPOOL_ACQUIRE(mutex_) PROCPOOL_NO_THREAD_SAFETY_ANALYSIS {
        if (!is_of_this_process())
            throw ProcessError("procpool: " + name() +
                               " can only be used in the process that has made its Process object");
        mutex_lock lock(mutex_);
        if (now_ == state::closed && !closed_too) throw ProcessError("procpool: " + name() + " is closed");
        return lock;
    }
    void require_started(const char* what) const PROCPOOL_REQUIRES(mutex_) {
        if (now_ == state::initial)
            throw ProcessError("procpool: " + name() + " can't be " + what + ": it is not started");
    }

    static std::atomic<std::uint64_t>& last_serial() noexcept {
        static std::atomic<std::uint64_t> serial{0};
        return serial;
    }

    os::fd write_definition() const PROCPOOL_REQUIRES(mutex_) {
        const wire::buffer head = head_of_definition(name(), place_, is_daemon());
        os::fd file = os::make_memfd("procpool-process", head.size() + call_.size());
        os::write_all(file, head.data(), head.size());
        os::write_all(file, call_.data(), call_.size());
        return file;
    }

    /// False if its zygote was killed before it has begun: another one may be luckier.
    bool try_start(start_method how, const os::fd& definition) PROCPOOL_REQUIRES(mutex_) {
        zygote::birth_record{definition.get()}.take();  // the number of an earlier try
        os::pipe_ends answer = os::make_pipe();
        os::socket_ends news = os::make_socket_pair();
        zygote_ = zygote_for(how);
        {
            const auto no_fork = os::fd_registry::instance().hold_forks();
            zygote_->fork_worker(0, serial_ = ++last_serial(), definition, answer.write, news.far);
        }
        answer.write.reset();
        news.far.reset();
        news_ = std::make_shared<const os::fd>(std::move(news.near));
        try {
            if (await_birth(how, definition, answer.read) && await_begin(answer.read)) return true;
        } catch (...) {
            let_go();
            throw;
        }
        let_go();
        return false;
    }

    bool await_birth(start_method method, const os::fd& definition, const os::fd& answer)
        PROCPOOL_REQUIRES(mutex_) {
        await_news();
        const auto report = os::receive_message<zygote::worker_report>(*news_, true);
        if (report->closed) {
            const auto lock = os::fd_registry::instance().hold_forks();
            known_ = os::known_now(0);
            // If it has not got the descriptors it can't tell but by its own.
            while (const auto other = zygote_->next_report())
                if (other->serial == serial_ && other->what == zygote::worker_report::kind::fork_failed)
                    throw_not_forked(other->code);
            if (!zygote_->gone())
                throw BootstrapError("procpool: " + name() +
                                     " could not be started: its zygote did not say whether it was");
            const auto how = zygote_->failed_start();
            if (how && how->code)
                throw BootstrapError("procpool: " + name() +
                                     " could not be started: " + zygote::end_of_zygote(method, *how));
            // Nothing is to run twice.
            const bool has_begun = !os::read_to_end(answer).empty();
            known_.pid = zygote::birth_record{definition.get()}.take();
            reap();
            if (has_begun)
                throw BootstrapError("procpool: " + name() + " was killed with its zygote when it had begun");
            return false;
        }
        if (report->message.what == zygote::worker_report::kind::fork_failed)
            throw_not_forked(report->message.code);
        pid_ = static_cast<long>(report->message.pid);
        known_ = os::known_now(pid_);
        return true;
    }

    [[noreturn]] void throw_not_forked(int error) const {
        os::throw_system_error(error, "fork (" + name() + ")");
    }

    /// Until it has rebuilt its function and arguments.
    bool await_begin(const os::fd& answer) PROCPOOL_REQUIRES(mutex_) {
        const std::string text = os::read_to_end(answer);
        if (!text.empty() && static_cast<std::byte>(text.front()) == worker::process_begins) return true;
        while (!has_ended()) await_news();
        if (text.size() > 1)
            throw SerializationError("procpool: " + name() + " could not begin: " + text.substr(1));
        if (!exit_->code && exit_->signal == 0) return false;  // with its zygote
        throw BootstrapError("procpool: " + name() + " ended with " + os::describe(*exit_) +
                             " before it could begin");
    }

    /// Its zygote owes them.
    void await_news() PROCPOOL_REQUIRES(mutex_) {
        while (!os::wait_readable(news_->get(), deadline_in(zygote::zygote::answer_timeout))) rouse_zygote();
    }
    void rouse_zygote() PROCPOOL_REQUIRES(mutex_) {
        const auto no_fork = os::fd_registry::instance().hold_forks();
        if (zygote_) zygote_->rouse();
    }

    /// Whether it has ended. With the news its process id is given back to the system.
    bool has_ended() PROCPOOL_REQUIRES(mutex_) {
        while (!exit_) {
            const auto report = os::receive_message<zygote::worker_report>(*news_, false);
            if (!report) return false;
            if (report->closed) {
                exit_.emplace();  // with its zygote
                reap();
            } else {
                const auto& end = report->message;
                exit_ = end.signalled ? os::exit_status{{}, end.code} : os::exit_status{end.code, 0};
                const auto no_fork = os::fd_registry::instance().hold_forks();
                zygote_->reap(0, serial_);
            }
            if (own_zygote_) zygote_.reset();
        }
        return true;
    }

    /// For a program that inherits it from its zygote, which was killed.
    void reap() noexcept PROCPOOL_REQUIRES(mutex_) {
        {
            const auto no_fork = os::fd_registry::instance().hold_forks();
            if (!zygote_->has_ended()) return;
            zygote_->wait();
        }
        os::reap_orphans({&known_, 1});
    }

    void let_go() noexcept PROCPOOL_REQUIRES(mutex_) {
        pid_ = 0;
        zygote_.reset();
        news_.reset();
        exit_.reset();
    }

    const os::fork_stamp made_;
    ProcessOptions options_;
    const std::string place_ = worker::process_identity::instance().place_of_next_child();
    mutable mutex mutex_;
    state now_ PROCPOOL_GUARDED_BY(mutex_) = state::initial;
    wire::buffer call_ PROCPOOL_GUARDED_BY(mutex_);
    wire::pins pins_ PROCPOOL_GUARDED_BY(mutex_);
    std::shared_ptr<zygote::zygote> zygote_ PROCPOOL_GUARDED_BY(mutex_);
    bool own_zygote_ PROCPOOL_GUARDED_BY(mutex_) = false;
    std::uint64_t serial_ PROCPOOL_GUARDED_BY(mutex_) = 0;
    std::shared_ptr<const os::fd> news_ PROCPOOL_GUARDED_BY(mutex_);
    long pid_ PROCPOOL_GUARDED_BY(mutex_) = 0;
    os::known_process known_ PROCPOOL_GUARDED_BY(mutex_);
    std::optional<os::exit_status> exit_ PROCPOOL_GUARDED_BY(mutex_);
};
using child_process = basic_child_process<>;

}  // namespace procpool::inline v0_1::detail::family

#endif
