// SPDX-License-Identifier: MIT
// What runs in a zygote: it starts workers, reports their deaths, and ends them when its pool is gone.
#ifndef PROCPOOL_DETAIL_ZYGOTE_ZYGOTE_PROCESS_HPP
#define PROCPOOL_DETAIL_ZYGOTE_ZYGOTE_PROCESS_HPP

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/child.hpp"
#include "procpool/detail/os/child_deaths.hpp"
#include "procpool/detail/os/descendants.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/oom.hpp"
#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/process_memory.hpp"
#include "procpool/detail/os/signal.hpp"
#include "procpool/detail/os/socket.hpp"
#include "procpool/detail/os/watch_list.hpp"
#include "procpool/detail/zygote/birth.hpp"
#include "procpool/detail/zygote/exec.hpp"
#include "procpool/detail/zygote/output_relay.hpp"
#include "procpool/detail/zygote/preload.hpp"
#include "procpool/detail/zygote/process_tree.hpp"
#include "procpool/detail/zygote/relayed_output.hpp"
#include "procpool/detail/zygote/start_check.hpp"

namespace procpool::inline v0_1::detail::zygote {

/// Tasks, results, memory, and what to print errors and output to if that isn't the program's own.
using worker_files = std::array<int, os::max_passed_fds>;

/// In a new worker process, whichever way it was started.
template <class = only_if_used>
int run_worker(worker_main main, const worker_settings& settings, std::uint32_t slot, std::uint64_t serial,
               long zygote, std::array<os::fd, os::max_passed_fds> files, os::fd preload = {}) {
    os::die_with_parent(zygote);
    if (settings.offers_memory) os::offer_to_be_killed_for_memory();
    // If that fails the zygote has told it of itself.
    if (settings.tree != 0) os::mark_descent({settings.tree, os::descent::ancestor_of(serial)});
    if (settings.purpose == occupation::tasks) {
        os::leave_interrupts_to_the_program();
        parent_of_worker = settings.parent;
        own_name.rename("PoolWorker-" + std::to_string(settings.first_index + slot + 1), true);
    }
    if (files[3]) os::redirect(std::exchange(files[3], os::fd()), os::standard_error);
    if (files[4]) os::redirect(std::exchange(files[4], os::fd()), os::standard_output);
    worker_birth birth{slot,
                       serial,
                       std::move(files[0]),
                       std::move(files[1]),
                       std::move(files[2]),
                       settings,
                       std::move(preload)};
    return main(birth);
}

template <class = only_if_used>
class basic_zygote_process {
public:
    /// `status` is the file of the program's status_lines; none unless output passes through here in lines.
    /// `preload` is a file_of_preload, or none.
    basic_zygote_process(os::fd control, os::fd memory, os::fd status, os::fd preload, worker_main main,
                         const worker_settings& settings)
        : control_(std::move(control)),
          memory_(std::move(memory)),
          preload_(std::move(preload)),
          main_(main),
          settings_(settings),
          output_(std::move(status), settings_) {}

    int run() {
        const long program = static_cast<long>(settings_.parent.pid);
        const os::fd program_lives = os::open_process(program);
        const auto program_is_gone = [&] { return os::parent_pid() != program; };
        if (program_is_gone()) return 0;  // before it was opened
        os::detach_standard_input();
        tree_.begin();
        // Whoever has forked it knows already.
        if ((settings_.how != start_method::fork || preload_) &&
            !tell({}, {.what = worker_report::kind::zygote_ready}))
            return 0;
        if (preload_ && settings_.how != start_method::spawn && !preload()) return EXIT_FAILURE;
        if (settings_.how == start_method::forkserver || settings_.preloads)
            os::inherited_inner_threads() = os::find_inner_threads();
        os::set_signal(SIGCHLD, SIG_DFL);
        // It ends when its socket closes; a signal to the whole process group is for the user's program.
        for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) os::set_signal(signal, SIG_IGN);
        deaths_.emplace();
        if (settings_.offers_memory) oom_kills_ = os::oom_kills();

        // Files are read to count the kernel's kills: not while workers start and somebody waits for them.
        constexpr std::chrono::milliseconds quiet{10};
        // For kernels without descriptors of processes.
        const auto next_program_check = [&] {
            return program_lives ? steady_time::max() : deadline_in(std::chrono::seconds(1));
        };
        os::watch_list watched;
        using interest = os::watch_list::interest;
        constexpr std::size_t requests = 0, deaths = 1, program_end = 2;
        while (!(finishing_ && children_.empty() && !output_.pending())) {
            watched.clear();
            watched.add(control_.get(), unsent_.empty() ? interest::read : interest::both);
            watched.add(deaths_->file().get(), interest::read);
            watched.add(program_lives.get(), interest::read);
            output_.watch(watched);
            const bool timed_out =
                watched.wait_until(
                    std::min(tree_.due(), oom_kills_ ? next_program_check() : deadline_in(quiet))) ==
                os::wait_end::timed_out;
            if (timed_out && !oom_kills_) oom_kills_ = os::oom_kills();
            // Its end of the socket may live on in a child that nobody told to close it.
            if ((watched.is_ready(program_end) || timed_out) && program_is_gone()) break;
            if (watched.is_ready(deaths)) report_deaths();
            if (std::chrono::steady_clock::now() >= tree_.due()) end_orphans();
            if (watched.writable(requests) && !tell_the_rest()) break;
            if (watched.readable(requests) && !serve_request()) break;
            output_.relay();  // what the dead have left, too, before this may be over
        }
        for (worker& one : children_)
            if (!os::send_signal(one.pid, SIGKILL)) one.pid = 0;  // a task has made it another user's
        for (const worker& one : children_)
            if (one.pid != 0) os::wait_for_exit(one.pid);
        tree_.end();
        output_.finish();
        return 0;
    }

private:
    struct worker {
        long pid;
        std::uint32_t slot;
        std::uint64_t serial;
        os::fd news;  // where its reports go if that isn't the pool's socket
        std::optional<os::child_death> death = {};
        bool reported = false;
        std::shared_ptr<output_relay> errors = nullptr;  // its standard error, if that passes through here
    };

    struct unsent_report {
        worker_report report;
        std::string output;
    };

    /// What workers are to find. @return whether they will
    bool preload() {
        os::leave_interrupts_to_the_program();
        // It looks at nothing meanwhile. The thread that has forked it is in the pool's constructor.
        if (settings_.is_first) os::die_with_parent(static_cast<long>(settings_.parent.pid));
        auto wrong = run_preload(preload_);
        if (const int threads = wrong ? 0 : foreign_threads(); threads > 0)
            wrong = "has left " + std::to_string(threads) +
                    " thread(s), which no worker would have: end them in it, or start them in an initializer";
        if (settings_.is_first) os::die_with_parent_no_more();
        preload_.reset();
        if (wrong) {
            tell({}, {.what = worker_report::kind::preload_failed}, *wrong);
            return false;
        }
        return tell({}, {.what = worker_report::kind::preloaded});
    }

    /// False when the pool is gone.
    bool tell(const os::fd& news, const worker_report& report, std::string_view output = {}) {
        if (news) {
            os::send_message(news, report, {}, output);  // who wanted to know may be gone, others are not
            return true;
        }
        os::sending end =
            unsent_.empty() ? os::try_send_message(control_, report, {}, output) : os::sending::full;
        // It doesn't wait: the pool may be waiting for this process to read requests.
        if (end == os::sending::full) unsent_.push_back({report, std::string(output)});
        return end != os::sending::closed;
    }
    bool tell_the_rest() {
        os::sending end = os::sending::done;
        while (!unsent_.empty() && end == os::sending::done) {
            end = os::try_send_message(control_, unsent_.front().report, {}, unsent_.front().output);
            if (end == os::sending::done) unsent_.pop_front();
        }
        return end != os::sending::closed;
    }

    /// False when the pool is gone.
    bool serve_request() {
        auto incoming = os::receive_message<zygote_request>(control_, true);
        if (incoming->closed) return false;
        const zygote_request& request = incoming->message;
        switch (request.what) {
            case zygote_request::kind::fork:
                if (incoming->files_lost) return tell(incoming->files[2], failed_birth(request, EMFILE));
                return start_worker(request, std::move(incoming->files[0]), std::move(incoming->files[1]),
                                    std::move(incoming->files[2]));
            case zygote_request::kind::reap: reap(request); return true;
            case zygote_request::kind::signal: signal(request); return true;
            case zygote_request::kind::finish: finish(); return true;
        }
        return true;
    }

    static worker_report failed_birth(const zygote_request& request, int error) noexcept {
        return {.what = worker_report::kind::fork_failed,
                .slot = request.slot,
                .serial = request.serial,
                .code = error};
    }

    bool start_worker(const zygote_request& request, os::fd tasks, os::fd results, os::fd news) {
        worker_report report{
            .what = worker_report::kind::started, .slot = request.slot, .serial = request.serial};
        const os::fd* listener = &news;
        try {
            os::pipe_ends output, errors;  // to print to, if that passes through here
            const bool by_lines = settings_.output != worker_output::direct;
            if (by_lines) output = os::make_pipe();
            if (by_lines || settings_.stderr_tail > 0) errors = os::make_pipe();
            const std::array files{tasks.get(), results.get(), memory_.get(), errors.write.get(),
                                   output.write.get()};
            const long pid = settings_.how == start_method::spawn ? execute_worker(request, files)
                                                                  : fork_worker(request, files);
            report.pid = pid;
            children_.push_back({pid, request.slot, request.serial, std::move(news)});
            listener = &children_.back().news;
            if (output.read) output_.add_output(std::move(output.read), request.slot);
            if (errors.read)
                children_.back().errors = output_.add_errors(std::move(errors.read), request.slot);
        } catch (const std::system_error& error) {
            report = failed_birth(request, error.code().value());
        }
        // First, so that the worker's end is theirs whoever stops this process now.
        tasks.reset();
        results.reset();
        if (!*listener) return tell(*listener, report);
        if (os::send_message(*listener, report) || report.what != worker_report::kind::started) return true;
        // Nobody knows of it.
        if (os::send_signal(report.pid, SIGKILL)) os::wait_for_exit(report.pid);
        children_.pop_back();
        return true;
    }

    long fork_worker(const zygote_request& request, const worker_files& files) {
        const long zygote = os::current_pid();
        return os::fork_process(files, [&] {
            record_of(request.slot, files).write();
            original_.restore();
            // The numbers live on in this process; the parent's owners of them don't.
            std::array<os::fd, os::max_passed_fds> own;
            for (std::size_t i = 0; i < files.size(); ++i) own[i] = os::fd(files[i]);
            return run_worker(main_, settings_, request.slot, request.serial, zygote, std::move(own));
        });
    }

    /// It gets what it needs in a message that waits for it.
    long execute_worker(const zygote_request& request, const worker_files& files) {
        os::socket_ends ends = os::make_socket_pair();
        process_birth birth{.what = process_birth::kind::worker,
                            .slot = request.slot,
                            .serial = request.serial,
                            .parent = os::current_pid(),
                            .settings = settings_,
                            .mask = {},
                            .signals = original_,
                            .locale = os::locale_names::of_this_process()};
        os::send_message(ends.near, birth, files);
        send_preload(ends.near, preload_);
        return start_anew(ends.far, record_of(request.slot, files));
    }

    birth_record record_of(std::uint32_t slot, const worker_files& files) const noexcept {
        if (settings_.purpose == occupation::process) return {files[0]};
        if (settings_.slot_bytes == 0) return {};
        return {memory_.get(), slot * settings_.slot_bytes};
    }

    void report_deaths() {
        deaths_->forget();
        bool any_violent = false;
        for (worker& one : children_) {
            if (one.death) continue;
            one.death = os::death_of(one.pid);
            any_violent = any_violent || (one.death && one.death->how.code != 0);
        }
        tree_.note_end();
        if (any_violent) end_orphans();  // before anybody is told
        for (worker& one : children_) {
            if (!one.death || one.reported) continue;
            if (finishing_) {
                os::wait_for_exit(std::exchange(one.pid, 0));
                continue;
            }
            one.reported = true;
            report_death(one, *one.death);
        }
        std::erase_if(children_, [](const worker& one) { return one.pid == 0; });
    }

    /// Kills what dead workers have left.
    void end_orphans() {
        tree_.sweep(
            [&](long pid) {
                return std::ranges::any_of(children_, [=](const worker& one) { return one.pid == pid; });
            },
            [&](std::uint64_t ancestor) {
                return std::ranges::any_of(children_, [=](const worker& one) {
                    return !one.death && os::descent::ancestor_of(one.serial) == ancestor;
                });
            });
    }

    void report_death(worker& one, const os::child_death& death) {
        worker_report report{.what = worker_report::kind::exited,
                             .slot = one.slot,
                             .serial = one.serial,
                             .pid = one.pid,
                             .code = death.how.code.value_or(death.how.signal),
                             .signalled = !death.how.code,
                             .peak_memory = death.peak_memory};
        if (report.signalled && report.code == SIGKILL) {
            // One of several deaths, perhaps: each has its own.
            const std::uint64_t kills = os::oom_kills();
            report.out_of_memory = oom_kills_ && kills > *oom_kills_;
            oom_kills_ = report.out_of_memory ? *oom_kills_ + 1 : kills;
        }
        std::string_view output;
        if (one.errors) {
            one.errors->relay_remains();
            output = one.errors->tail();
            output.remove_prefix(output.size() - std::min(output.size(), worker_report::most_output));
        }
        tell(one.news, report, output);
        one.news.reset();
    }

    /// From now on nobody asks about deaths: they are not kept for the pool.
    void finish() {
        finishing_ = true;
        for (worker& one : children_) one.reported = false;
        report_deaths();
    }

    auto find(const zygote_request& request) {
        return std::find_if(children_.begin(), children_.end(), [&](const worker& one) {
            return one.slot == request.slot && one.serial == request.serial;
        });
    }

    void reap(const zygote_request& request) {
        const auto at = find(request);
        if (at == children_.end()) return;
        os::wait_for_exit(at->pid);
        children_.erase(at);
    }

    void signal(const zygote_request& request) {
        const auto at = find(request);
        // A task that has made its worker another user's is out of reach.
        if (at != children_.end()) static_cast<void>(os::send_signal(at->pid, request.signal));
    }

    os::fd control_;
    os::fd memory_;
    os::fd preload_;
    std::optional<os::child_deaths> deaths_;
    const worker_main main_;
    const worker_settings settings_;
    const os::signal_settings original_;
    process_tree tree_{settings_.tree};
    std::vector<worker> children_;
    std::deque<unsent_report> unsent_;  // while the socket is full
    relayed_output output_;
    std::optional<std::uint64_t> oom_kills_;  // counted last
    bool finishing_ = false;
};
using zygote_process = basic_zygote_process<>;

}  // namespace procpool::inline v0_1::detail::zygote

#endif
