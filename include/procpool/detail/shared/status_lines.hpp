// SPDX-License-Identifier: MIT
// What a program shows at the bottom of its terminal, for its other processes that print there, too.
//
// Whoever prints erases these lines, prints, and draws them again, in one write. The program erases and draws
// them likewise, so no order of the two can tear either.
#ifndef PROCPOOL_DETAIL_SHARED_STATUS_LINES_HPP
#define PROCPOOL_DETAIL_SHARED_STATUS_LINES_HPP

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/fork_stamp.hpp"
#include "procpool/detail/os/memfd.hpp"

namespace procpool::inline v0_1::detail::shared {

/// The cursor stands in the first of the lines.
inline constexpr std::string_view erase_status_lines = "\r\x1b[J";

/// One memory file a program. Only the program writes, by one thread at a time; its zygotes read.
template <class = only_if_used>
class basic_status_lines {
public:
    /// More than that isn't shown.
    static constexpr std::size_t capacity = 16 * 1024 - 64;

    /// The program's; lives as long as somebody has it. @throws std::system_error
    static std::shared_ptr<basic_status_lines> of_this_program() {
        struct known {
            os::fork_stamp made;
            std::weak_ptr<basic_status_lines> lines;
        };
        static auto* const last = new known;  // leaked: pools of static lifetime end after it would
        const auto no_fork = os::fd_registry::instance().hold_forks();
        if (last->made.is_here())
            if (auto lines = last->lines.lock()) return lines;
        auto lines = std::make_shared<basic_status_lines>(os::make_memfd("procpool-status", sizeof(content)));
        *last = {{}, lines};
        return lines;
    }

    explicit basic_status_lines(os::fd file) : file_(std::move(file)), memory_(file_, 0, sizeof(content)) {}

    const os::fd& file() const noexcept { return file_; }
    /// For who only reads.
    void close_file() noexcept { file_.reset(); }

    // ---- the program's

    /// This stands, or is about to stand, on that terminal; empty if what stands there is about to be erased.
    void show(std::string_view text, std::uint64_t terminal) noexcept {
        text = text.substr(0, capacity);
        content& at = get();
        const std::uint32_t begun = at.version.load(std::memory_order_relaxed) | 1U;
        at.version.exchange(begun, std::memory_order_acquire);  // what follows doesn't come before
        at.size.store(static_cast<std::uint32_t>(text.size()), std::memory_order_relaxed);
        at.terminal.store(terminal, std::memory_order_relaxed);
        std::memcpy(at.text, text.data(), text.size());
        at.version.store(begun + 1, std::memory_order_release);
    }

    /// Nothing stands there any more.
    void hide() noexcept { show({}, 0); }

    // ---- the readers'

    struct shown {
        std::uint32_t version = 0;
        std::string text = {};
    };
    /// What stands on that terminal; nothing if nothing does. The text is empty while the program writes it,
    /// which it may do for any time if it gets no processor: it is about to draw.
    std::optional<shown> on(std::uint64_t terminal) const {
        constexpr int tries = 100;  // of less than a microsecond
        content& at = get();
        for (int i = 0; i < tries; ++i) {
            shown now{at.version.load(std::memory_order_acquire)};
            const std::size_t size = at.size.load(std::memory_order_relaxed);
            const bool here = at.terminal.load(std::memory_order_relaxed) == terminal;
            if (here) now.text.assign(at.text, std::min(size, capacity));
            // What was read before doesn't come after.
            const std::uint32_t then = at.version.fetch_add(0, std::memory_order_release);
            if (now.version % 2 == 1 || then != now.version) continue;
            return here ? std::optional(std::move(now)) : std::nullopt;
        }
        return shown{version()};
    }
    std::uint32_t version() const noexcept { return get().version.load(std::memory_order_acquire); }

private:
    struct content {
        std::atomic<std::uint32_t> version;  // odd while it is written
        std::atomic<std::uint32_t> size;
        std::atomic<std::uint64_t> terminal;
        char text[capacity];
    };
    // Zero-filled memory is one in which nothing is shown.
    content& get() const noexcept { return *reinterpret_cast<content*>(memory_.data()); }

    os::fd file_;
    os::mapping memory_;
};
using status_lines = basic_status_lines<>;

}  // namespace procpool::inline v0_1::detail::shared

#endif
