// SPDX-License-Identifier: MIT
// What a pool shares with its workers, in one file: a slot for each worker, then the arenas.
#ifndef PROCPOOL_DETAIL_PROCESS_POOL_MEMORY_HPP
#define PROCPOOL_DETAIL_PROCESS_POOL_MEMORY_HPP

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <system_error>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/limits.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/process/lent_results.hpp"
#include "procpool/detail/wire/arena.hpp"
#include "procpool/detail/wire/arena_window.hpp"
#include "procpool/detail/worker/black_box.hpp"
#include "procpool/detail/zygote/birth.hpp"

namespace procpool::inline v0_1::detail::process {

template <class = only_if_used>
class basic_pool_memory {
public:
    /// Each arena has `limit` bytes at the most; there are none if that is 0 or so much can't be addressed.
    basic_pool_memory(std::uint32_t workers, std::size_t limit) {
        const std::size_t slots = workers * worker::slot_memory;
        layout_ = layout_for(workers, slots, limit);
        file_ = os::make_memfd("procpool", slots + (1 + std::uint64_t{workers}) * layout_.size, slots);
        slots_ = os::mapping(file_, 0, slots);
        if (layout_.size == 0) return;
        try {
            const auto window = std::make_shared<wire::arena_window>(
                layout_.pool, 0,
                os::mapping(file_, layout_.begin, (1 + std::uint64_t{workers}) * layout_.size));
            arguments_ = std::make_shared<wire::arena>(window, layout_.size, layout_.limit);
            std::vector<std::atomic<std::uint64_t>*> lists(workers);
            for (std::size_t n = 0; n < workers; ++n)
                lists[n] = &std::launder(reinterpret_cast<worker::black_box*>(slot(n)))->returned;
            lent_ = std::make_shared<lent_results>(window, layout_.size, std::move(lists));
            window->lend_by(lent_);
        } catch (const std::system_error&) {  // addresses are limited, too
            layout_ = {};
        }
    }

    basic_pool_memory(const basic_pool_memory&) = delete;
    basic_pool_memory& operator=(const basic_pool_memory&) = delete;
    ~basic_pool_memory() {
        if (lent_) lent_->end();
    }

    const os::fd& file() const noexcept { return file_; }
    std::byte* slot(std::size_t n) const noexcept { return slots_.data() + n * worker::slot_memory; }
    const zygote::arena_layout& layout() const noexcept { return layout_; }
    /// For large arguments; null if there are no arenas.
    const std::shared_ptr<wire::arena>& arguments() const noexcept { return arguments_; }

    // ---- what is kept for the next large arguments and results

    /// To be called with whether a worker's results take some, when they have come.
    void notice_results(bool take_memory) noexcept {
        if (!take_memory || std::exchange(results_take_some_, true)) return;
        if (lent_) lent_->set_idle(false);
    }
    bool is_kept() const noexcept { return results_take_some_ || (arguments_ && arguments_->reserved() > 0); }
    /// Gives that of arguments back; the workers are to be told to give back theirs.
    void trim_arguments() {
        results_take_some_ = false;
        if (lent_) lent_->set_idle(true);
        if (arguments_) arguments_->trim();
    }

    /// Where the next worker of this slot puts its results. The one before, if there was one, is dead, and
    /// its results are read; `has_memory` if they take some.
    worker::arena_room next_room(std::size_t slot, bool has_memory) noexcept {
        if (!lent_) return {};
        return lent_->next_room(slot, layout_.limit, has_memory);
    }

private:
    static zygote::arena_layout layout_for(std::uint32_t workers, std::size_t begin, std::size_t limit) {
        // Twice as many addresses make up for gaps.
        constexpr std::uint64_t most = os::most_spacious_memory;
        constexpr std::uint64_t piece = std::uint64_t{1} << 20;
        const std::uint64_t twice = std::min<std::uint64_t>(limit, most) * 2;
        const std::uint64_t range = std::min(twice, most / (workers + 1)) / piece * piece;
        if (range == 0 || os::largest_file() < begin + (1 + std::uint64_t{workers}) * range) return {};
        static std::atomic<std::uint64_t> pools{0};
        const std::uint64_t number = pools.fetch_add(1, std::memory_order_relaxed);
        const auto pool = static_cast<std::uint64_t>(steady_ns()) * 0x9E3779B97F4A7C15u ^
                          static_cast<std::uint64_t>(os::current_pid()) << 32 ^ number;
        return {.pool = pool, .begin = begin, .size = range, .limit = std::min<std::uint64_t>(limit, range)};
    }

    zygote::arena_layout layout_;
    os::fd file_;
    os::mapping slots_;
    std::shared_ptr<wire::arena> arguments_;
    std::shared_ptr<lent_results> lent_;  // null if there are no arenas
    bool results_take_some_ = false;      // of some worker, as far as noticed
};
using pool_memory = basic_pool_memory<>;

}  // namespace procpool::inline v0_1::detail::process

#endif
