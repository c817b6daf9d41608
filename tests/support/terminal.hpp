// SPDX-License-Identifier: MIT
// A terminal as tests see it: a pseudo-terminal with a program on it, and what its screen shows.
#ifndef PROCPOOL_TESTS_SUPPORT_TERMINAL_HPP
#define PROCPOOL_TESTS_SUPPORT_TERMINAL_HPP

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "support/wait.hpp"

namespace test {

/// What a screen shows that has got these bytes. It is as high as need be, and knows as many control
/// sequences as progress lines need; any other one is a failure. A character is one cell.
class screen_model {
public:
    void feed(std::string_view bytes) {
        rest_ += bytes;
        std::size_t at = 0;
        while (at < rest_.size()) {
            const std::size_t size = take(std::string_view(rest_).substr(at));
            if (size == 0) break;  // the rest of it is still to come
            at += size;
        }
        rest_.erase(0, at);
    }

    /// Without blanks at the end.
    std::vector<std::string> lines() const {
        std::vector<std::string> all;
        for (const auto& cells : rows_) {
            std::string line;
            for (const std::string& cell : cells) line += cell;
            line.erase(line.find_last_not_of(' ') + 1);
            all.push_back(line);
        }
        while (!all.empty() && all.back().empty()) all.pop_back();
        return all;
    }
    std::string text() const {
        std::string text;
        for (const std::string& line : lines()) text += line + "\n";
        return text;
    }
    /// The longest line that ever was.
    std::size_t most_columns() const noexcept { return most_columns_; }

private:
    std::size_t take(std::string_view bytes) {
        const auto first = static_cast<unsigned char>(bytes.front());
        if (first == '\x1b') return take_sequence(bytes);
        if (first == '\r') return column_ = 0, 1;
        if (first == '\n') return ++row_, 1;
        const std::size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        if (bytes.size() < size) return 0;
        put(std::string(bytes.substr(0, size)));
        return size;
    }

    std::size_t take_sequence(std::string_view bytes) {
        const std::size_t end = bytes.find_first_not_of("\x1b[0123456789;");
        if (end == bytes.npos) return 0;
        const std::string number(bytes.substr(2, end - 2));
        switch (bytes[end]) {
            case 'J': rows_.resize(std::min(rows_.size(), row_ + 1)); [[fallthrough]];
            case 'K':
                if (row_ < rows_.size()) rows_[row_].resize(std::min(rows_[row_].size(), column_));
                break;
            case 'A': row_ -= std::min(row_, number.empty() ? 1 : std::stoul(number)); break;
            case 'm': break;
            default: ADD_FAILURE() << "a control sequence: " << bytes.substr(1, end);
        }
        return end + 1;
    }

    void put(std::string character) {
        if (rows_.size() <= row_) rows_.resize(row_ + 1);
        auto& cells = rows_[row_];
        if (cells.size() <= column_) cells.resize(column_ + 1, " ");
        cells[column_++] = std::move(character);
        most_columns_ = std::max(most_columns_, column_);
    }

    std::vector<std::vector<std::string>> rows_;
    std::size_t row_ = 0;
    std::size_t column_ = 0;
    std::size_t most_columns_ = 0;
    std::string rest_;
};

/// A program in a child process, whose standard output and error are a terminal.
class terminal_program {
public:
    struct options {
        unsigned short columns = 80;
        unsigned short rows = 24;
        bool controls = false;  // the terminal is that of a session of its own, whose leader runs the program
        const char* type = "xterm";
    };

    /// The child ends with what `program` returns (or 99 if it throws).
    template <class Program>
    explicit terminal_program(Program program, options how) {
        terminal_ = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (terminal_ < 0 || ::grantpt(terminal_) != 0 || ::unlockpt(terminal_) != 0) throw std::bad_alloc();
        resize(how.columns, how.rows);
        const std::string name = ::ptsname(terminal_);
        std::fflush(nullptr);  // or it would be printed there, too
        pid_ = ::fork();
        if (pid_ < 0) throw std::bad_alloc();
        if (pid_ > 0) return;
        if (how.controls) ::setsid();
        const int own = ::open(name.c_str(), O_RDWR | (how.controls ? 0 : O_NOCTTY));
        ::close(terminal_);
        ::dup2(own, STDOUT_FILENO);
        ::dup2(own, STDERR_FILENO);
        ::close(own);
        ::setenv("TERM", how.type, 1);
        ::setenv("LC_ALL", "C.UTF-8", 1);
        ::unsetenv("NO_COLOR");
        int code = 99;
        try {
            code = program();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "child program: %s\n", error.what());
        }
        std::fflush(nullptr);
        ::_exit(code);
    }
    template <class Program>
    explicit terminal_program(Program program) : terminal_program(program, options{}) {}
    terminal_program(const terminal_program&) = delete;
    terminal_program& operator=(const terminal_program&) = delete;
    ~terminal_program() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        ::close(terminal_);
    }

    long pid() const noexcept { return pid_; }
    void resize(unsigned short columns, unsigned short rows) const {
        const winsize size{rows, columns, 0, 0};
        ::ioctl(terminal_, TIOCSWINSZ, &size);
    }

    /// The terminal is gone, as when its window is closed.
    void hang_up() {
        ::close(terminal_);
        terminal_ = -1;
    }

    /// Reads until the screen is like this; false if that takes longer than `patience`.
    bool shows(const std::function<bool(const screen_model&)>& expected) {
        return eventually([&] {
            read_what_is_there(0);
            return expected(screen);
        });
    }
    bool shows(const char* text) {
        return shows([text](const screen_model& now) { return now.text().find(text) != std::string::npos; });
    }

    /// Reads until it has ended. @return its exit code
    int wait() {
        int status = 0;
        while (::waitpid(pid_, &status, WNOHANG) != pid_) read_what_is_there(5);
        pid_ = 0;
        read_what_is_there(0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

    screen_model screen;
    std::string bytes;  // all that it has written

private:
    void read_what_is_there(int milliseconds) {
        char piece[4096];
        for (pollfd watched{terminal_, POLLIN, 0}; ::poll(&watched, 1, milliseconds) > 0; milliseconds = 0) {
            const auto n = ::read(terminal_, piece, sizeof piece);
            if (n <= 0) return;  // nobody has it open now
            bytes.append(piece, static_cast<std::size_t>(n));
            screen.feed({piece, static_cast<std::size_t>(n)});
        }
    }

    int terminal_ = -1;
    pid_t pid_ = 0;
};

}  // namespace test

#endif
