// SPDX-License-Identifier: MIT
// A single process of the program, as its parent sees it: a fresh run of the program, without a zygote.
#ifndef PROCPOOL_DETAIL_FAMILY_WINDOWS_CHILD_PROCESS_HPP
#define PROCPOOL_DETAIL_FAMILY_WINDOWS_CHILD_PROCESS_HPP

#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/family/child.hpp"
#include "procpool/detail/family/child_list.hpp"
#include "procpool/detail/family/process_definition.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/event.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/new_process.hpp"
#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/readable.hpp"
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
        try {
            finish();
        } catch (...) {  // then it ends with its job
        }
    }

    const std::string& name() const noexcept override { return options_.name; }
    bool is_daemon() const noexcept override { return options_.daemon; }

    void start(const std::shared_ptr<child>& self) override {
        const auto lock = use();
        if (now_ != state::initial) throw ProcessError("procpool: " + name() + " was started before");
        (void)zygote::checked_start_method(options_.start_method);
        wire::exception_registry::instance();  // see basic_worker_processes
        worker::flush_streams();
        try {
            start_fresh_run();
        } catch (...) {
            run_.reset();
            throw;
        }
        now_ = state::started;
        call_ = {};
        pins_.clear();
        child_list::add(self);
    }

    long pid() const override {
        const auto lock = use();
        return run_ ? run_->pid : 0;
    }

    bool wait(steady_time until) override {
        const auto end = sentinel("joined");
        // The event may ring a moment later than the process is seen to have ended.
        return !still_runs() || os::wait_readable(*end, until) || !still_runs();
    }

    bool is_alive() override {
        const auto lock = use();
        return runs();
    }

    std::optional<int> exit_code() override {
        const auto lock = use();
        if (now_ != state::started || !os::has_ended(run_->process)) return std::nullopt;
        const os::exit_status how = os::end_status_of(run_->process);
        return how.code ? *how.code : -(how.signal != 0 ? how.signal : os::kill_signal);
    }

    void send(signal what) override {
        const auto lock = use();
        require_started("sent a signal");
        const int number = what == signal::kill        ? os::kill_signal
                           : what == signal::interrupt ? os::interrupt_signal
                                                       : os::terminate_signal;
        // It is our own: the system refuses only while it ends already.
        (void)os::send_signal(run_->process, number);
    }

    std::shared_ptr<const os::fd> sentinel() const override { return sentinel("waited for"); }

    void close() override {
        const auto lock = use(true);
        if (runs())
            throw ProcessError("procpool: " + name() +
                               " can't be closed while it runs; join() or terminate() it first");
        now_ = state::closed;
        run_.reset();
        call_ = {};
        pins_.clear();
    }

    void finish() override {
        if (!still_runs()) return;
        if (is_daemon()) send(signal::terminate);
        wait(steady_time::max());
    }

    bool still_runs() override {
        const auto lock = use(true);
        return runs();
    }
    bool is_of_this_process() const noexcept override { return true; }

private:
    enum class state { initial, started, closed };

    /// A process that is there, or was. With the job it ends.
    struct fresh_run {
        os::job job = {};
        zygote::birth_section birth = {};
        long pid = 0;
        os::fd process = {};
        std::shared_ptr<os::event> end = std::make_shared<os::event>();  // rings, and is never silenced
        os::end_watch watch = {};

        /// Who waits for the end is not left waiting for a watch that is gone.
        ~fresh_run() {
            watch = {};
            end->ring();
        }
    };

    std::unique_lock<std::mutex> use(bool closed_too = false) const {
        std::unique_lock lock(mutex_);
        if (now_ == state::closed && !closed_too) throw ProcessError("procpool: " + name() + " is closed");
        return lock;
    }
    void require_started(const char* what) const {
        if (now_ == state::initial)
            throw ProcessError("procpool: " + name() + " can't be " + what + ": it is not started");
    }
    bool runs() const noexcept { return now_ == state::started && !os::has_ended(run_->process); }

    std::shared_ptr<const os::fd> sentinel(const char* what) const {
        const auto lock = use();
        require_started(what);
        return {run_->end, &run_->end->file()};
    }

    /// Returns when it has rebuilt its function and arguments.
    void start_fresh_run() {
        os::pipe_ends answer = os::make_pipe();
        run_ = std::make_unique<fresh_run>();
        run_->job.end_with_this_process();
        {
            const os::fd definition = write_definition();
            os::new_process made(run_->job, std::wstring(zygote::birth_argument) + run_->birth.name(), {},
                                 {});
            zygote::worker_settings settings{
                .how = start_method::spawn, .limits = {}, .purpose = zygote::occupation::process};
            zygote::describe_birth(run_->birth, made, settings, 0, 0,
                                   {&definition, &answer.write, nullptr, nullptr, nullptr});
            run_->pid = made.pid();
            run_->watch = os::end_watch(
                made.process(), [](void* end, unsigned char) { static_cast<os::event*>(end)->ring(); },
                run_->end.get());
            run_->process = made.let_go();
        }
        answer.write.reset();
        const std::string text = os::read_to_end(answer.read);
        if (text.empty() || static_cast<std::byte>(text.front()) != worker::process_begins)
            throw_not_begun(text);
    }

    os::fd write_definition() const {
        const wire::buffer head = head_of_definition(name(), place_, is_daemon());
        os::fd file = os::make_memfd("procpool-process", head.size() + call_.size());
        const os::mapping all(file, 0, head.size() + call_.size());
        std::memcpy(all.data(), head.data(), head.size());
        std::memcpy(all.data() + head.size(), call_.data(), call_.size());
        return file;
    }

    [[noreturn]] void throw_not_begun(const std::string& text) const {
        os::wait_for_end(run_->process);
        if (text.size() > 1)
            throw SerializationError("procpool: " + name() + " could not begin: " + text.substr(1));
        const os::exit_status how = os::end_status_of(run_->process);
        if (run_->birth->was_read.load() == 0 && how.code)
            throw BootstrapError("procpool: " + name() +
                                 " could not be started: " + zygote::end_of_zygote(start_method::spawn, how));
        throw BootstrapError("procpool: " + name() + " ended with " + os::describe(how) +
                             " before it could begin");
    }

    ProcessOptions options_;
    const std::string place_ = worker::process_identity::instance().place_of_next_child();
    mutable std::mutex mutex_;  // for all below
    state now_ = state::initial;
    wire::buffer call_;
    wire::pins pins_;
    std::unique_ptr<fresh_run> run_;
};
using child_process = basic_child_process<>;

}  // namespace procpool::inline v0_1::detail::family

#endif
