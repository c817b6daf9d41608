// SPDX-License-Identifier: MIT
#include "sweep.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>

#include "diagnosis.hpp"

namespace faults {
namespace {

sigset_t child_signal() {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGCHLD);
    return one;
}

std::string text_of(int status) {
    if (WIFSIGNALED(status)) return std::string("killed by signal ") + ::strsignal(WTERMSIG(status));
    return "exit code " + std::to_string(WEXITSTATUS(status));
}

std::string content_of(int file) {
    std::string text(20'000, '\0');
    const ssize_t size = ::pread(file, text.data(), text.size(), 0);
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
}

}  // namespace

sweep::sweep(std::size_t at_once, std::chrono::seconds deadline)
    : deadline_(deadline), plans_(at_once), places_(at_once) {
    const sigset_t signal = child_signal();
    ::sigprocmask(SIG_BLOCK, &signal, nullptr);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);  // what a trial leaves behind ends here
    for (place& one : places_) {
        one.output = ::open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
        if (one.output < 0) {
            std::perror("fault_sweep: a file for output");
            std::exit(EXIT_FAILURE);
        }
    }
}

void sweep::run(const std::vector<trial>& trials, const std::function<void(const trial_end&)>& tell) {
    std::size_t next = 0;
    std::size_t running = 0;
    while (next < trials.size() || running > 0) {
        for (std::size_t i = 0; i < places_.size() && next < trials.size(); ++i) {
            if (places_[i].pid != 0) continue;
            start(i, trials[next++]);
            ++running;
        }
        const sigset_t signal = child_signal();
        const timespec a_while{.tv_sec = 0, .tv_nsec = 100'000'000};
        ::sigtimedwait(&signal, nullptr, &a_while);
        reap();
        for (std::size_t i = 0; i < places_.size(); ++i) {
            place& here = places_[i];
            if (here.pid == 0) continue;
            std::string stacks;
            bool hung = false;
            if (!ended_.contains(here.pid) && clock::now() > here.until) {
                hung = true;
                stacks = stacks_of_group(here.pid);
            } else if (!ended_.contains(here.pid)) {
                continue;
            }
            clear_group(here.pid);
            const trial_end end = finish(i, ended_[here.pid], hung, std::move(stacks));
            ended_.erase(here.pid);
            here.pid = 0;
            --running;
            tell(end);
        }
    }
}

void sweep::start(std::size_t at, const trial& one) {
    place& here = places_[at];
    here.what = one;
    new (&plans_[at]) plan;
    if (::ftruncate(here.output, 0) != 0 || ::lseek(here.output, 0, SEEK_SET) != 0) std::abort();
    std::fflush(nullptr);
    here.until = clock::now() + deadline_;
    here.pid = ::fork();
    if (here.pid == 0) live(at);
    if (here.pid < 0) {
        std::perror("fault_sweep: fork");
        std::exit(EXIT_FAILURE);
    }
    ::setpgid(here.pid, here.pid);
}

void sweep::live(std::size_t at) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(null, STDIN_FILENO);
    ::close(null);
    ::dup2(places_[at].output, STDOUT_FILENO);
    ::dup2(places_[at].output, STDERR_FILENO);
    const sigset_t signal = child_signal();
    ::sigprocmask(SIG_UNBLOCK, &signal, nullptr);
    plans_.adopt(at);
    run_trial(places_[at].what, plans_[at]);
    std::fflush(nullptr);
    ::_exit(EXIT_SUCCESS);
}

trial_end sweep::finish(std::size_t at, int status, bool hung, std::string stacks) {
    const plan& told = plans_[at];
    trial_end end;
    end.what = places_[at].what;
    end.reached = told.hits > 0;
    end.how = told.end;
    end.text = told.text.data();
    for (std::size_t i = 0; i < end.counts.size(); ++i)
        for (std::size_t j = 0; j < table.size(); ++j) end.counts[i][j] = told.counts[i][j];
    if (hung || end.how == verdict::none) {
        end.how = verdict::bad;
        end.text = hung ? "hangs" : "the program ends with " + text_of(status);
    }
    if (end.how == verdict::bad)
        end.details = trace_of(told) + stacks + "printed:\n" + content_of(places_[at].output);
    return end;
}

/// Ends what is left of a trial's processes.
void sweep::clear_group(pid_t group) {
    while (::kill(-group, SIGKILL) == 0) {
        reap();
        ::usleep(1000);
    }
    while (!ended_.contains(group)) reap();
}

void sweep::reap() {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;)
        for (const place& here : places_)
            if (here.pid == pid) ended_[pid] = status;
}

}  // namespace faults
