// SPDX-License-Identifier: MIT
// As ../support/processes.hpp, which includes this one on Windows.
//
// A child program is a fresh run that gets a closure: what was passed to it, or captured as plain bytes. One
// that refers to its test's variables finds nothing there; such tests are in left_out.txt.
#ifndef PROCPOOL_TESTS_WINDOWS_PROCESSES_HPP
#define PROCPOOL_TESTS_WINDOWS_PROCESSES_HPP

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/detail/os/process.hpp"
#include "support/wait.hpp"
#include "windows/calls.hpp"
#include "windows/child.hpp"

namespace test {

struct process_state {
    char state = 'X';
    long parent = 0;
};
inline process_state look_at(long pid) {
    const char state = windows::state_of(pid);
    return {state == 'S' && !windows::has_begun(pid) ? 'R' : state, windows::parent_of(pid)};
}
inline std::vector<long> children_of(long parent) { return windows::children_of(parent); }
/// Workers of the pools that this process has.
inline std::vector<long> workers() { return children_of(::getpid()); }
inline std::map<int, std::string> descriptors_of(long) { return {}; }  // no names lead to them

/// A pipe: bytes are signals that processes wait for.
class signal_pipe {
public:
    signal_pipe() { windows::make_pipe(ends_); }
    signal_pipe(const signal_pipe&) = delete;
    signal_pipe& operator=(const signal_pipe&) = delete;
    ~signal_pipe() {
        windows::close_end(ends_[0]);
        close_writer();
    }

    using end = windows::pipe_end;
    end sending_end() const noexcept { return {owner_, ends_[1]}; }
    end receiving_end() const noexcept { return {owner_, ends_[0]}; }

    void send(int count = 1) const { EXPECT_TRUE(send_to(sending_end(), count)); }
    bool receive(int count = 1) const { return receive_from(receiving_end(), count); }
    std::string read_what_is_there(int most) const {
        bool ended = false;
        return windows::read_some(ends_[0], most, ended);
    }
    std::string read_to_end() {
        close_writer();
        std::string text;
        for (bool ended = false; !ended;) {
            const std::string some = windows::read_some(
                ends_[0], static_cast<int>(std::chrono::milliseconds(patience).count()), ended);
            if (some.empty() && !ended) {
                ADD_FAILURE() << "somebody still holds the pipe open";
                return text;
            }
            text += some;
        }
        return text;
    }

    static bool send_to(end writer, int count = 1) { return windows::write_to(writer, count); }
    static bool receive_from(end reader, int count = 1) { return windows::read_from(reader, count); }

private:
    void close_writer() noexcept {
        if (ends_[1] >= 0) windows::close_end(ends_[1]);
        ends_[1] = -1;
    }
    const long owner_ = ::getpid();
    int ends_[2] = {-1, -1};
};

struct child_end {
    int exit_code = -1;
    int signal = 0;
    std::string errors;
};

class child_program {
public:
    enum class group { same, own };

    template <class Program>
    explicit child_program(Program program, group = group::same) {
        if constexpr (requires { program.bytes(); })
            child_ = std::make_unique<windows::child>(&Program::call, program.bytes());
        else
            child_ =
                std::make_unique<windows::child>(&call_copy<Program>, std::as_bytes(std::span(&program, 1)));
    }

    long pid() const noexcept { return child_->pid(); }
    void send(int signal) const { ::kill(pid(), signal); }

    child_end wait() {
        child_end end;
        end.errors = child_->errors();
        const auto status = procpool::detail::os::status_of(child_->exit_code());
        if (status.signal != 0)
            end.signal = status.signal;
        else
            end.exit_code = status.code.value_or(-1);
        return end;
    }

private:
    template <class Program>
    static int call_copy(std::span<const std::byte> sent) {
        static_assert(std::is_trivially_copyable_v<Program>,
                      "a fresh run gets this closure as bytes: use test::passed()");
        alignas(Program) std::byte copy[sizeof(Program)];
        std::memcpy(copy, sent.data(), sizeof copy);
        return (*reinterpret_cast<Program*>(copy))();
    }

    std::unique_ptr<windows::child> child_;
};

}  // namespace test

#endif
