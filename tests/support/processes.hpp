// SPDX-License-Identifier: MIT
// Processes as tests see them: what runs below a process, whole programs in a child, pipes to wait for them.
#ifndef PROCPOOL_TESTS_SUPPORT_PROCESSES_HPP
#define PROCPOOL_TESTS_SUPPORT_PROCESSES_HPP

#ifdef _WIN32
#include "windows/processes.hpp"
#else

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <new>
#include <string>
#include <vector>

#include "support/wait.hpp"

namespace test {

struct process_state {
    char state = 'X';  // as in /proc: R, S, D, T (stopped), Z (zombie); X if there is no such process
    long parent = 0;
};

inline process_state look_at(long pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(file, line);
    process_state found;
    const auto after_name = line.rfind(')');
    if (after_name == std::string::npos ||
        std::sscanf(line.c_str() + after_name + 1, " %c %ld", &found.state, &found.parent) != 2)
        return {};
    return found;
}

/// Living children of a process, in ascending order.
inline std::vector<long> children_of(long parent) {
    std::vector<long> found;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        const process_state one = look_at(std::stol(name));
        if (one.parent == parent && one.state != 'Z' && one.state != 'X') found.push_back(std::stol(name));
    }
    std::ranges::sort(found);
    return found;
}

/// Workers of the pools that this process has: their zygotes' children.
inline std::vector<long> workers() {
    std::vector<long> found;
    for (const long zygote : children_of(::getpid()))
        for (const long worker : children_of(zygote)) found.push_back(worker);
    return found;
}

/// Open descriptors of a process, and what they are ("pipe:[123]").
inline std::map<int, std::string> descriptors_of(long pid) {
    std::map<int, std::string> found;
    std::vector<std::filesystem::path> entries;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd"))
        entries.push_back(entry.path());
    for (const auto& entry : entries) {
        std::error_code gone;  // the listing's own descriptor
        const auto target = std::filesystem::read_symlink(entry, gone);
        if (!gone) found.emplace(std::stoi(entry.filename().string()), target.string());
    }
    return found;
}

/// A pipe: bytes are signals that processes wait for.
class signal_pipe {
public:
    signal_pipe() {
        if (::pipe(ends_) != 0) throw std::bad_alloc();
    }
    signal_pipe(const signal_pipe&) = delete;
    signal_pipe& operator=(const signal_pipe&) = delete;
    ~signal_pipe() {
        ::close(ends_[0]);
        close_writer();
    }

    /// What reaches it from any process, fresh runs of the program included.
    struct end {
        long process;
        int file;
        int no_padding = 0;  // where clang, which can't clear it, would find the rest of a pointer
    };
    end sending_end() const noexcept { return {owner_, ends_[1]}; }
    end receiving_end() const noexcept { return {owner_, ends_[0]}; }

    void send(int count = 1) const { EXPECT_TRUE(send_to(sending_end(), count)); }
    /// Blocks until `count` bytes came; false at the end of the pipe.
    bool receive(int count = 1) const { return receive_from(receiving_end(), count); }
    /// Waits up to `most` milliseconds for something to come.
    std::string read_what_is_there(int most) const {
        char piece[4096];
        pollfd watched{ends_[0], POLLIN, 0};
        const auto n = ::poll(&watched, 1, most) > 0 ? ::read(ends_[0], piece, sizeof piece) : 0;
        return {piece, n > 0 ? static_cast<std::size_t>(n) : 0};
    }
    /// Everything up to the pipe's end, which comes when nobody holds a writing end any more.
    std::string read_to_end() {
        close_writer();
        std::string text;
        char piece[4096];
        for (;;) {
            pollfd watched{ends_[0], POLLIN, 0};
            if (::poll(&watched, 1, static_cast<int>(std::chrono::milliseconds(patience).count())) == 0) {
                ADD_FAILURE() << "somebody still holds the pipe open";
                return text;
            }
            const auto n = ::read(ends_[0], piece, sizeof piece);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return text;
            text.append(piece, static_cast<std::size_t>(n));
        }
    }

    // For tasks, which know an end by its number.
    static bool send_to(end writer, int count = 1) {
        const opened to(writer, O_WRONLY);
        const std::string bytes(static_cast<std::size_t>(count), '.');
        return ::write(to.file, bytes.data(), bytes.size()) == count;
    }
    static bool receive_from(end reader, int count = 1) {
        const opened from(reader, O_RDONLY);
        for (char byte = 0; count > 0;) {
            const auto n = ::read(from.file, &byte, 1);
            if (n == 0 || (n < 0 && errno != EINTR)) return false;
            if (n > 0) --count;
        }
        return true;
    }

private:
    struct opened {
        opened(end which, int how)
            : file(::open(
                  ("/proc/" + std::to_string(which.process) + "/fd/" + std::to_string(which.file)).c_str(),
                  how | O_CLOEXEC)) {}
        opened(const opened&) = delete;
        opened& operator=(const opened&) = delete;
        ~opened() { ::close(file); }
        const int file;
    };

    void close_writer() noexcept {
        if (ends_[1] >= 0) ::close(ends_[1]);
        ends_[1] = -1;
    }
    const long owner_ = ::getpid();
    int ends_[2] = {-1, -1};
};

/// How a child ended.
struct child_end {
    int exit_code = -1;
    int signal = 0;
    std::string errors;  // what it and all that descended from it wrote to standard error
};

/// A program in a child process; its descendants are in its process group.
class child_program {
public:
    enum class group { same, own };

    /// The child ends with what `program` returns (or 99 if it throws).
    template <class Program>
    explicit child_program(Program program, group in = group::same) : own_group_(in == group::own) {
        pid_ = ::fork();
        if (pid_ < 0) throw std::bad_alloc();
        if (pid_ > 0) {
            if (own_group_) ::setpgid(pid_, pid_);  // both sides do it: whoever comes first
            return;
        }
        if (own_group_) ::setpgid(0, 0);
        ::dup2(errors_.sending_end().file, STDERR_FILENO);
        ::close(errors_.sending_end().file);
        ::close(errors_.receiving_end().file);
        int code = 99;
        try {
            code = program();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "child program: %s\n", error.what());
        }
        std::fflush(nullptr);
        ::_exit(code);
    }
    child_program(const child_program&) = delete;
    child_program& operator=(const child_program&) = delete;
    ~child_program() {
        if (pid_ > 0) send(SIGKILL), wait();
    }

    long pid() const noexcept { return pid_; }
    void send(int signal) const { ::kill(own_group_ ? -pid_ : pid_, signal); }

    /// Waits until it and all that descend from it have ended.
    child_end wait() {
        int status = 0;
        child_end end;
        // Who prints more than a pipe holds must not wait for this, which waits for its end.
        while (::waitpid(pid_, &status, WNOHANG) != pid_) end.errors += errors_.read_what_is_there(5);
        pid_ = 0;
        end.errors += errors_.read_to_end();
        if (WIFSIGNALED(status))
            end.signal = WTERMSIG(status);
        else
            end.exit_code = WEXITSTATUS(status);
        return end;
    }

private:
    bool own_group_;
    pid_t pid_ = 0;
    signal_pipe errors_;
};

}  // namespace test

#endif
#endif
