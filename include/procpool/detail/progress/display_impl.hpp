// SPDX-License-Identifier: MIT
// Draws what is shown, ten times a second at the most.
#ifndef PROCPOOL_DETAIL_PROGRESS_DISPLAY_IMPL_HPP
#define PROCPOOL_DETAIL_PROGRESS_DISPLAY_IMPL_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/signal.hpp"
#include "procpool/detail/os/terminal.hpp"
#include "procpool/detail/os/thread.hpp"
#include "procpool/detail/progress/display.hpp"
#include "procpool/detail/progress/line.hpp"
#include "procpool/detail/progress/screen.hpp"
#include "procpool/detail/progress/text_width.hpp"
#include "procpool/detail/shared/status_lines.hpp"

namespace procpool::inline v0_1::detail::progress {

/// For so long a last line waits for its reader.
inline constexpr std::chrono::milliseconds patience{1000};
inline constexpr std::chrono::milliseconds between_drawings{100};

PROCPOOL_COMPILED_APART call_state shown_call::state(steady_time now) const {
    call_state state{.name = name_, .unit = unit_};
    state.done = done.load(std::memory_order_relaxed);
    if (elements_) state.total = std::max(*elements_, state.done);
    state.failed = failed.load(std::memory_order_relaxed);
    state.died = died.load(std::memory_order_relaxed);
    state.elapsed = std::min(now, ended_) - begun_;
    state.per_second = rate_.per_second();
    if (state.total) state.left = rate_.time_for(*state.total - state.done);
    return state;
}

PROCPOOL_COMPILED_APART display::display() { os::fd_registry::instance(); }  // which counts the forks

PROCPOOL_COMPILED_APART display& display::of_this_process() {
    // Leaked: calls end while the program exits, too. In a forked child a mutex of the parent's may be held.
    static std::atomic<display*> current{nullptr};
    display* known = current.load();
    while (!known || !known->made_.is_here()) {
        auto* const own = new display;
        if (current.compare_exchange_strong(known, own)) return *own;
        delete own;
    }
    return *known;
}

PROCPOOL_COMPILED_APART void display::begin(const std::shared_ptr<shown_call>& call) noexcept {
    const mutex_lock held(mutex_);
    try {
        calls_.push_back(call);
        if (!runs_) start_thread();
        changed_.notify_one();
    } catch (...) {  // for want of memory or threads: end() shows what it can
    }
}

PROCPOOL_COMPILED_APART void display::start_thread() {
    if (thread_.joinable()) {  // it is at its end
        thread_.join();
        os::library_threads.fetch_sub(1, std::memory_order_relaxed);
    }
    environment_ = environment_of_terminal::read();
    const os::signals_blocked no_signals;
    thread_ = os::start_thread([this] { run(); }, "what shows progress");
    os::library_threads.fetch_add(1, std::memory_order_relaxed);
    runs_ = true;
}

PROCPOOL_COMPILED_APART void display::end(const std::shared_ptr<shown_call>& call, bool whole) noexcept {
    mutex_lock held(mutex_);
    call->ended_ = std::chrono::steady_clock::now();
    call->whole_ = whole;
    if (runs_) {
        changed_.notify_one();
        written_.wait_for(held.native(), 2 * patience, [&]() PROCPOOL_REQUIRES(mutex_) {
            return !runs_ || std::ranges::find(calls_, call) == calls_.end();
        });
        wait_for_end_of_thread(held);
        return;
    }
    std::erase(calls_, call);
    try {
        const std::string text = last_line(call->state(call->ended_), whole) + "\n";
        std::fwrite(text.data(), 1, text.size(), stderr);
    } catch (...) {  // no memory
    }
}

PROCPOOL_COMPILED_APART void display::print(std::string_view text) noexcept {
    const mutex_lock held(mutex_);
    try {
        constexpr std::size_t most_unread = 1 << 20;  // bytes
        if (runs_) {
            if (printed_.size() < most_unread) printed_.append(text).append("\n");
            changed_.notify_one();
            return;
        }
        const std::string line = std::string(text) + "\n";
        std::fwrite(line.data(), 1, line.size(), stderr);
    } catch (...) {  // no memory
    }
}

/// Unless it goes on, with other calls.
PROCPOOL_COMPILED_APART void display::wait_for_end_of_thread(mutex_lock& held) {
    written_.wait_for(held.native(), 2 * patience,
                      [this]() PROCPOOL_REQUIRES(mutex_) { return !runs_ || !calls_.empty(); });
    if (runs_ || !thread_.joinable()) return;
    std::thread ended = std::move(thread_);
    mutex_.unlock();
    ended.join();
    os::library_threads.fetch_sub(1, std::memory_order_relaxed);
    mutex_.lock();
}

PROCPOOL_COMPILED_APART void display::run() noexcept {
    os::block_broken_pipes();
    const auto has_ended = [](const auto& call) { return call->has_ended(); };
    mutex_lock held(mutex_);
    try {
        screen shown(environment_);
        while (!calls_.empty() || !printed_.empty()) {
            draw_on(shown);
            if (calls_.empty() && printed_.empty()) break;
            const auto drawn = std::chrono::steady_clock::now();
            wait_for_change(held, next_drawing(shown));
            // What isn't urgent doesn't make it draw more often.
            while (std::ranges::none_of(calls_, has_ended) &&
                   std::chrono::steady_clock::now() < drawn + between_drawings)
                wait_for_change(held, drawn + between_drawings);
        }
    } catch (...) {  // no memory
        calls_.clear();
        printed_.clear();
    }
    runs_ = false;
    written_.notify_all();
}

PROCPOOL_COMPILED_APART void display::draw_on(screen& shown) {
    if (shown.is_blocked()) {
        mutex_.unlock();
        shown.flush();
        mutex_.lock();
        const steady_time too_old = std::chrono::steady_clock::now() - patience;
        const auto waits_too_long = [=](const auto& call) { return call->ended_ < too_old; };
        if (shown.is_blocked() && std::ranges::none_of(calls_, waits_too_long)) return;
        if (shown.is_blocked()) shown.give_up();
        forget_taken();
        if (calls_.empty() && printed_.empty()) return;
    }
    const auto now = std::chrono::steady_clock::now();
    for (const auto& call : calls_)
        if (!call->has_ended()) call->rate_.sample(call->done.load(std::memory_order_relaxed), now);

    std::string text = take_lasting_text(shown.is_terminal() ? "\r\n" : "\n");
    std::string status;
    if (shown.can_redraw()) {
        status = status_text(shown.measure(), now);
        if (!text.empty()) text.insert(0, shared::erase_status_lines);
        text += status;
    } else if (!shown.is_terminal()) {
        text += log_text(now);
    }
    shown.set_status(status);
    mutex_.unlock();
    shown.write(std::move(text));
    if (status.empty() && !shown.is_blocked()) shown.hide_status();  // or else they still stand there
    mutex_.lock();
    if (!shown.is_blocked()) forget_taken();
}

PROCPOOL_COMPILED_APART void display::forget_taken() {
    if (std::erase_if(calls_, [](const auto& call) { return call->taken_; }) > 0) written_.notify_all();
}

PROCPOOL_COMPILED_APART std::string display::take_lasting_text(std::string_view newline) {
    std::string text = std::exchange(printed_, {});
    for (const auto& call : calls_) {
        if (!call->has_ended() || std::exchange(call->taken_, true)) continue;
        text.append(last_line(call->state(call->ended_), call->whole_)).append(newline);
    }
    return text;
}

PROCPOOL_COMPILED_APART std::string display::log_text(steady_time now) {
    std::string text;
    for (const auto& call : calls_) {
        if (call->has_ended() || now < call->next_log_) continue;
        call->next_log_ = deadline_in(call->log_interval_);
        text.append(line_in_log(call->state(now))).append("\n");
    }
    return text;
}

PROCPOOL_COMPILED_APART std::string display::status_text(const screen::size& room, steady_time now) const {
    constexpr std::size_t most_lines = 20;
    line_style style = room.style;
    std::size_t count = 0;
    for (const auto& call : calls_) {
        if (call->has_ended()) continue;
        ++count;
        style.name_columns = std::max(style.name_columns, columns_of(call->name_));
    }
    if (count == 0) return {};
    // All must be on the screen, or else they can't be drawn again.
    const std::size_t fitting = std::clamp<std::size_t>(room.rows - 1, 1, most_lines);
    const std::size_t calls = count <= fitting ? count : fitting - 1;
    std::string text;
    std::size_t lines = 0;
    const auto add = [&](const std::string& line) {
        text += lines++ == 0 ? "\r" : "\x1b[K\r\n";
        text += line;
    };
    for (const auto& call : calls_)
        if (!call->has_ended() && lines < calls) add(line_on_terminal(call->state(now), style));
    if (calls < count)
        add(std::string(cut_to_columns("and " + std::to_string(count - calls) + " more", style.columns - 1)));
    text += "\x1b[J";
    if (lines > 1) text.append("\x1b[").append(std::to_string(lines - 1)).append("A\r");
    return text;
}

PROCPOOL_COMPILED_APART void display::wait_for_change(mutex_lock& held, steady_time until) {
    if (until == steady_time::max())
        changed_.wait(held.native());
    else
        changed_.wait_until(held.native(), until);
}

PROCPOOL_COMPILED_APART steady_time display::next_drawing(const screen& shown) const {
    constexpr std::chrono::milliseconds while_blocked{10};
    const auto has_ended = [](const auto& call) { return call->has_ended(); };
    // It may have ended while this thread wrote, without the lock: nobody wakes it for that again.
    if (std::ranges::any_of(calls_, has_ended))
        return shown.is_blocked() ? deadline_in(while_blocked) : std::chrono::steady_clock::now();
    if (shown.is_blocked() || !printed_.empty()) return deadline_in(between_drawings);
    if (!shown.is_open()) return steady_time::max();
    if (shown.is_terminal())
        return deadline_in(shown.can_redraw() ? between_drawings : 10 * between_drawings);
    steady_time next = steady_time::max();
    for (const auto& call : calls_) next = std::min(next, call->next_log_);
    return next;
}

}  // namespace procpool::inline v0_1::detail::progress

#endif
