// SPDX-License-Identifier: MIT
// A fresh run of the test program that calls one function, in place of a fork.
#ifndef PROCPOOL_TESTS_WINDOWS_CHILD_HPP
#define PROCPOOL_TESTS_WINDOWS_CHILD_HPP

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace test::windows {

/// Returns the exit code.
using child_main = int(std::span<const std::byte> sent);

/// Whether this process is one.
bool is_child();
/// To be called in main: if this process is one it does what it is for, and ends.
void run_as_child();

class child {
public:
    /// It calls `main` with a copy of `sent`. @throws std::runtime_error
    child(child_main* main, std::span<const std::byte> sent);
    child(const child&) = delete;
    child& operator=(const child&) = delete;
    ~child();

    long pid() const noexcept { return pid_; }
    /// What it and those that it has started wrote to standard error; waits until none of them is left.
    std::string errors() const;
    /// Waits for its end, and says how that was, as the system says it.
    unsigned long exit_code() const;

private:
    void* section_ = nullptr;
    void* process_ = nullptr;
    void* errors_ = nullptr;
    long pid_ = 0;
};

/// Whether a child has got to its function; true of other processes.
bool has_begun(long pid);

/// Ends of a pipe, by numbers that other processes know.
struct pipe_end {
    long process;
    int file;
    int no_padding = 0;
};
void make_pipe(int (&ends)[2]);
void close_end(int end);
/// False if it was broken.
bool write_to(pipe_end to, int bytes);
bool read_from(pipe_end from, int bytes);
/// What comes in so many milliseconds at most; `ended` if nobody can write any more.
std::string read_some(int end, int most, bool& ended);

}  // namespace test::windows

#endif
