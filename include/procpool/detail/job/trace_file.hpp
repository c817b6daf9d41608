// SPDX-License-Identifier: MIT
// The file of a Trace: events one by one, in the Trace Event Format.
#ifndef PROCPOOL_DETAIL_JOB_TRACE_FILE_HPP
#define PROCPOOL_DETAIL_JOB_TRACE_FILE_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "procpool/detail/job/trace_page.hpp"
#include "procpool/detail/json.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/new_file.hpp"
#include "procpool/detail/os/pipe.hpp"

namespace procpool::inline v0_1::detail::job {

/// One event: fields are appended, then it is added to a file.
class trace_event {
public:
    using time_point = std::chrono::steady_clock::time_point;

    /// `phase` is the format's letter for what it is.
    trace_event(const char* phase, std::string_view name, std::uint64_t pool, std::uint64_t track) {
        text_ = "{\"ph\":\"";
        text_ += phase;
        text_ += "\",\"pid\":" + std::to_string(pool) + ",\"tid\":" + std::to_string(track);
        string("name", name);
    }

    trace_event& string(const char* field, std::string_view value) {
        key(field);
        append_json_string(text_, value);
        return *this;
    }
    trace_event& number(const char* field, std::uint64_t value) {
        key(field);
        text_ += std::to_string(value);
        return *this;
    }
    /// In microseconds, as the format has it.
    trace_event& time(const char* field, std::chrono::nanoseconds value) {
        const auto ns = value.count() > 0 ? static_cast<std::uint64_t>(value.count()) : 0;
        char digits[40];
        std::snprintf(digits, sizeof digits, "%llu.%03u", static_cast<unsigned long long>(ns / 1000),
                      static_cast<unsigned>(ns % 1000));
        key(field);
        text_ += digits;
        return *this;
    }
    /// What follows are arguments, which people see.
    trace_event& arguments() {
        text_ += ",\"args\":{";
        in_arguments_ = true;
        first_ = true;
        return *this;
    }
    std::string finish() && {
        text_ += in_arguments_ ? "}}" : "}";
        return std::move(text_);
    }

private:
    void key(const char* field) {
        if (!first_) text_ += ',';
        first_ = false;
        text_ += '"';
        text_ += field;
        text_ += "\":";
    }
    std::string text_;
    bool first_ = false;
    bool in_arguments_ = false;
};

/// Grows by whole events, so it is good at any time.
class trace_file {
public:
    using clock = std::chrono::steady_clock;

    /// @throws std::system_error
    trace_file(const std::string& path, std::uint64_t most_bytes)
        : path_(path), is_page_(path.ends_with(".html")), most_bytes_(most_bytes), file_(os::new_file(path)) {
        write(is_page_ ? std::string(trace_page) : "[\n");
    }
    trace_file(const trace_file&) = delete;
    trace_file& operator=(const trace_file&) = delete;

    /// Since the file was begun.
    std::chrono::nanoseconds since(clock::time_point when) const noexcept { return when - begun_; }

    /// Nothing once it is full.
    void add(trace_event&& event) {
        if (is_full_) return;
        const std::string text = std::move(event).finish();
        if (written_ + waiting_.size() + text.size() > most_bytes_) {
            is_full_ = true;
            trace_event full("i", "the trace is full: what comes later is left out", 0, 0);
            full.string("cat", "full").string("s", "g").time("ts", since(clock::now()));
            append(std::move(full).finish());
        } else {
            append(text);
        }
    }
    /// Events go out when there are many, after a while, or now. @throws std::system_error
    void flush(bool now) {
        constexpr std::size_t many = 64 * 1024;
        constexpr std::chrono::milliseconds while_{200};
        if (waiting_.empty()) return;
        if (!now && waiting_.size() < many && clock::now() - flushed_ < while_) return;
        flushed_ = clock::now();
        const std::string text = std::exchange(waiting_, {});
        if (is_page_)
            write("<script>T([" + text + "])</script>\n");
        else
            write((any_written_ ? ",\n" : "") + text);
        any_written_ = true;
    }
    /// What makes it a complete array.
    void end() {
        flush(true);
        if (!is_page_) write("\n]\n");
    }

private:
    void append(const std::string& text) {
        if (!waiting_.empty()) waiting_ += ",\n";
        waiting_ += text;
    }
    void write(const std::string& text) {
        written_ += text.size();
        try {
            os::write_all(file_, std::as_bytes(std::span(text)).data(), text.size());
        } catch (const std::system_error& error) {
            throw std::system_error(error.code(), "procpool: the trace " + path_ + " can't be written");
        }
    }

    const std::string path_;
    const bool is_page_;
    const std::uint64_t most_bytes_;
    const clock::time_point begun_ = clock::now();
    os::fd file_;
    std::uint64_t written_ = 0;
    std::string waiting_;
    clock::time_point flushed_ = begun_;
    bool any_written_ = false;
    bool is_full_ = false;
};

}  // namespace procpool::inline v0_1::detail::job

#endif
