// SPDX-License-Identifier: MIT
#include "script.hpp"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "board.hpp"

namespace chaos {

namespace {

struct odd_error : std::exception {
    explicit odd_error(std::string what) : text(std::move(what)) {}
    const char* what() const noexcept override { return text.c_str(); }
    std::string text;
};

void take_time(std::uint64_t microseconds) {
    if (microseconds == 0) return;
    if (microseconds % 2 == 0) {  // some wait, others work
        ::usleep(static_cast<useconds_t>(microseconds));
        return;
    }
    const auto until = now_ns() + static_cast<std::int64_t>(1000 * microseconds);
    while (now_ns() < until) {
    }
}

constexpr const char* text_format = "script %llu/%llu throws";

}  // namespace

void play(const script& element) {
    the_board->executions.count(element.job, element.index);
    if (initialized_with != element.pool_tag)
        throw std::logic_error("the worker's initializer set " + std::to_string(initialized_with) +
                               " instead of " + std::to_string(element.pool_tag));
    take_time(element.microseconds);
    if (element.dies()) the_board->put_down_strike(::getpid(), board::by_own_script);
    switch (element.what) {
        case act::answer: return;
        case act::throw_known: throw std::out_of_range(text_of(element));
        case act::throw_unknown: throw odd_error(text_of(element));
        case act::throw_number: throw static_cast<int>(element.index);
        case act::kill_self: ::raise(SIGKILL); return;
        case act::abort: std::abort();
        case act::exit_3: ::_exit(3);
        case act::exit_0: ::_exit(0);
        case act::hang:
            for (;;) ::pause();
    }
}

std::uint64_t answer_of(const script& element) noexcept {
    return mix(element.job * 1'000'003 + element.index) & 0x7FFF'FFFF;
}

std::string text_of(const script& element) {
    char text[80];
    std::snprintf(text, sizeof text, text_format, static_cast<unsigned long long>(element.job),
                  static_cast<unsigned long long>(element.index));
    return text;
}

std::optional<std::uint64_t> index_in(const std::string& text) {
    const auto at = text.find("script ");
    unsigned long long job = 0;
    unsigned long long index = 0;
    if (at == std::string::npos || std::sscanf(text.c_str() + at, text_format, &job, &index) != 2)
        return std::nullopt;
    return index;
}

death death_of(const script& element) noexcept {
    switch (element.what) {
        case act::kill_self: return {SIGKILL, {}};
        case act::abort: return {SIGABRT, {}};
        case act::exit_3: return {0, 3};
        default: return {0, 0};
    }
}

std::string filler(const script& element, std::uint64_t direction, std::size_t size) {
    std::string bytes(size, '\0');
    std::uint64_t word = mix(answer_of(element) ^ direction << 32);
    for (std::size_t at = 0; at < size; at += sizeof word) {
        std::memcpy(bytes.data() + at, &word, std::min(sizeof word, size - at));
        ++word;
    }
    return bytes;
}

temper draw_temper(dice& random) {
    temper how;
    if (random.chance(30)) how.throwing = random.pick({1u, 10u, 50u});
    if (random.chance(25)) how.deadly = random.pick({1u, 3u});
    how.most_microseconds = random.pick<std::uint64_t>({0, 0, 50, 1000, 5000});
    how.most_bytes = random.pick<std::size_t>({100, 5000, 200'000, 4 << 20});
    return how;
}

std::vector<script> draw_scripts(dice& random, std::uint64_t job, std::uint64_t pool_tag, std::size_t count,
                                 const temper& how) {
    // However many there are: a job takes about a tenth of a second, and a few megabytes each way.
    const std::uint64_t time = std::min<std::uint64_t>(how.most_microseconds, 200'000 / (count + 1));
    const std::size_t bytes = std::min<std::size_t>(how.most_bytes, (12u << 20) / (count + 1));
    std::size_t deaths = 20;
    std::vector<script> scripts(count);
    for (std::size_t i = 0; i < count; ++i) {
        script& one = scripts[i];
        one.job = job;
        one.index = i;
        one.pool_tag = pool_tag;
        if (random.chance(how.throwing)) {
            one.what =
                random.pick({act::throw_known, act::throw_known, act::throw_unknown, act::throw_number});
        } else if (deaths > 0 && random.chance(how.deadly)) {
            one.what = random.pick({act::kill_self, act::abort, act::exit_3, act::exit_0});
            --deaths;
        }
        if (time > 0) one.microseconds = random.size(time);
        one.argument_bytes = random.size(bytes);
        one.result_bytes = random.size(bytes);
    }
    return scripts;
}

}  // namespace chaos
