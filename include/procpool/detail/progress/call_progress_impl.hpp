// SPDX-License-Identifier: MIT
// An observer that counts, for the display to show.
#ifndef PROCPOOL_DETAIL_PROGRESS_CALL_PROGRESS_IMPL_HPP
#define PROCPOOL_DETAIL_PROGRESS_CALL_PROGRESS_IMPL_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/progress/display.hpp"
#include "procpool/detail/progress/text_width.hpp"
#include "procpool/detail/utf8.hpp"
#include "procpool/observer.hpp"
#include "procpool/progress.hpp"

namespace procpool::inline v0_1::detail::progress {

/// What a line shows of a text of the user's; all lines of a terminal must fit into status_lines.
inline std::string shown_text(std::string_view bytes) {
    constexpr std::size_t most = 256;
    std::string text = printable(bytes.substr(0, most));
    cut_off(text, most);
    return text;
}

class call_progress final : public Observer {
public:
    call_progress(const std::string& name, const ProgressOptions& options)
        : name_(shown_text(name)),
          unit_(shown_text(options.unit)),
          elements_(options.total),
          log_interval_(options.log_interval) {
        set_text_from(never);
    }

    void call_begins(const CallInfo& call) override {
        const std::string name = name_.empty() ? shown_text(call.name) : name_;
        auto shown = std::make_shared<shown_call>(name.empty() ? "progress" : name, unit_,
                                                  elements_ ? elements_ : call.elements, log_interval_);
        {
            const mutex_guard guard(mutex_);
            calls_.push_back({call.pool, call.id, shown});
        }
        display::of_this_process().begin(shown);
    }

    void elements_end(const CallInfo& call, std::span<const ElementEnd> some) override {
        std::uint64_t done = 0, failed = 0;
        for (const ElementEnd& one : some) {
            // What is cancelled was wanted by nobody: it is neither.
            if (one.runs_again || one.outcome == element_outcome::cancelled) continue;
            ++done;
            if (one.outcome != element_outcome::returned) ++failed;
        }
        const mutex_guard guard(mutex_);
        for (const known& one : calls_) {
            if (one.call != call.id) continue;
            one.shown->failed.fetch_add(failed, std::memory_order_relaxed);
            one.shown->done.fetch_add(done, std::memory_order_relaxed);
        }
    }

    void worker_ends(const WorkerEnd& end) override {
        if (end.reason != worker_end::died) return;
        const mutex_guard guard(mutex_);
        for (const known& one : calls_)
            if (one.pool == end.pool) one.shown->died.fetch_add(1, std::memory_order_relaxed);
    }

    void call_ends(const CallInfo& call, const CallEnd& end) override {
        std::shared_ptr<shown_call> shown;
        {
            const mutex_guard guard(mutex_);
            const auto at = std::ranges::find(calls_, call.id, &known::call);
            if (at == calls_.end()) return;  // it had no memory to begin
            shown = std::move(at->shown);
            calls_.erase(at);
        }
        const std::uint64_t done = shown->done.load(std::memory_order_relaxed);
        display::of_this_process().end(shown, !end.error && done >= call.elements.value_or(done));
    }

private:
    struct known {
        std::uint64_t pool;
        std::uint64_t call;
        std::shared_ptr<shown_call> shown;
    };

    const std::string name_;
    const std::string unit_;
    const std::optional<std::uint64_t> elements_;
    const std::chrono::nanoseconds log_interval_;
    mutex mutex_;
    std::vector<known> calls_ PROCPOOL_GUARDED_BY(mutex_);
};

}  // namespace procpool::inline v0_1::detail::progress

namespace procpool::inline v0_1 {

PROCPOOL_COMPILED_APART std::shared_ptr<Observer> progress(std::string name, ProgressOptions options) {
    if (options.log_interval < std::chrono::milliseconds(1))
        throw std::invalid_argument("procpool: progress needs a log_interval of a millisecond or more");
    if (options.quiet) return nullptr;
    return std::make_shared<detail::progress::call_progress>(name, options);
}

PROCPOOL_COMPILED_APART void print_above_progress(std::string_view text) noexcept {
    detail::progress::display::of_this_process().print(text);
}

}  // namespace procpool::inline v0_1

#endif
