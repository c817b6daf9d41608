// SPDX-License-Identifier: MIT
// Parts of results that the program keeps where they lie, in the arenas of workers.
#ifndef PROCPOOL_DETAIL_PROCESS_LENT_RESULTS_HPP
#define PROCPOOL_DETAIL_PROCESS_LENT_RESULTS_HPP

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fork_stamp.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/populate.hpp"
#include "procpool/detail/wire/arena_part_header.hpp"
#include "procpool/detail/wire/arena_window.hpp"
#include "procpool/detail/worker/black_box.hpp"

namespace procpool::inline v0_1::detail::process {

/// What is kept outlives its worker and the pool: it keeps the window, and this. Thread-safe.
template <class = only_if_used>
class basic_lent_results final : public wire::part_lender,
                                 public std::enable_shared_from_this<basic_lent_results<>> {
public:
    /// The window has ranges of `range` bytes: that of arguments, then one for each worker. To its worker a
    /// part goes back by `lists`.
    basic_lent_results(std::shared_ptr<const wire::arena_window> window, std::size_t range,
                       std::vector<std::atomic<std::uint64_t>*> lists)
        : window_(std::move(window)), range_(range), lists_(std::move(lists)) {}

    std::shared_ptr<std::byte> lend(std::uint64_t at, std::size_t size) override {
        if (at < range_) return nullptr;  // an argument's
        std::byte* const part = window_->data() + at;
        {
            const mutex_guard lock(mutex_);
            const auto [kept, is_new] = kept_.try_emplace(at, kept_part{in_pages(size), 0, lists_.empty()});
            ++kept->second.times;
            if (is_new) wire::header_of_part(part).lent.store(lending::kept, std::memory_order_release);
        }
        return std::shared_ptr<std::byte>(
            part, [self = this->shared_from_this(), at](std::byte*) { self->give_back(at); });
    }

    /// The worker of this slot is dead, and another one will start there. What is kept of its results stays,
    /// its other memory is given back, if it `has_memory`.
    /// @return the largest room between what stays; its limit is `limit` without that
    worker::arena_room next_room(std::size_t slot, std::size_t limit, bool has_memory) noexcept {
        const std::uint64_t begin = (1 + slot) * range_;
        const mutex_guard lock(mutex_);
        worker::arena_room largest;
        for_each_gap(begin, begin + range_, [&](std::uint64_t from, std::uint64_t to) {
            if (has_memory) give_back_pages(from, to);
            if (to - from > largest.size) largest = {.first = from - begin, .size = to - from, .limit = 0};
        });
        std::size_t bytes = 0;
        for (auto one = kept_.lower_bound(begin); one != kept_.end() && one->first < begin + range_; ++one) {
            one->second.is_orphan = true;
            bytes += one->second.bytes;
        }
        largest.limit = std::min<std::uint64_t>(limit - std::min(limit, bytes), largest.size);
        return largest;
    }

    /// Whether what comes back is not wanted soon.
    void set_idle(bool idle) noexcept {
        const mutex_guard lock(mutex_);
        idle_ = idle;
    }

    /// The pool is gone with all workers: only what is kept stays.
    void end() noexcept {
        const mutex_guard lock(mutex_);
        lists_.clear();
        if (kept_.empty()) return;  // all of it goes with the window
        for_each_gap(0, window_->size(),
                     [&](std::uint64_t from, std::uint64_t to) { give_back_pages(from, to); });
        for (auto& [at, one] : kept_) one.is_orphan = true;
    }

private:
    using lending = wire::arena_part_header::lending;

    struct kept_part {
        std::size_t bytes;  // in whole pages, with the header
        unsigned times;     // a corrupt worker may send it twice
        bool is_orphan;     // its worker is dead
    };

    static std::size_t in_pages(std::size_t size) noexcept {
        const std::size_t page = os::page_size();
        return (wire::arena_alignment + size + page - 1) / page * page;
    }
    static std::uint64_t begin_of(std::uint64_t part) noexcept { return part - wire::arena_alignment; }

    /// Calls gap(from, to) for what lies between kept parts.
    template <class Gap>
    void for_each_gap(std::uint64_t begin, std::uint64_t end, Gap gap) noexcept PROCPOOL_REQUIRES(mutex_) {
        for (auto one = kept_.lower_bound(begin); one != kept_.end() && one->first < end; ++one) {
            if (begin_of(one->first) > begin) gap(begin, begin_of(one->first));
            begin = std::max(begin, begin_of(one->first) + one->second.bytes);
        }
        if (end > begin) gap(begin, end);
    }
    void give_back_pages(std::uint64_t from, std::uint64_t to) noexcept {
        os::give_back_pages(window_->data() + from, to - from);
    }

    void give_back(std::uint64_t at) noexcept {
        // A forked child has a copy of the books, and none of the memory.
        if (!made_.is_here()) return;
        const mutex_guard lock(mutex_);
        const auto found = kept_.find(at);
        if (--found->second.times > 0) return;
        const kept_part one = found->second;
        kept_.erase(found);
        const std::uint64_t begin = begin_of(at);
        if (one.is_orphan) return give_back_pages(begin, begin + one.bytes);
        std::byte* const part = window_->data() + at;
        if (idle_ && one.bytes > os::page_size()) {
            // Its worker sleeps. The header's page stays, for the list.
            give_back_pages(begin + os::page_size(), begin + one.bytes);
            wire::header_of_part(part).lent.store(lending::emptied, std::memory_order_relaxed);
        }
        wire::returned_parts(*lists_[at / range_ - 1]).give_back(part, window_->first() + at);
    }

    const std::shared_ptr<const wire::arena_window> window_;
    const std::size_t range_;
    const os::fork_stamp made_;
    mutex mutex_;
    std::vector<std::atomic<std::uint64_t>*> lists_ PROCPOOL_GUARDED_BY(mutex_);
    std::map<std::uint64_t, kept_part> kept_ PROCPOOL_GUARDED_BY(mutex_);  // by place in the window
    bool idle_ PROCPOOL_GUARDED_BY(mutex_) = false;
};
using lent_results = basic_lent_results<>;

}  // namespace procpool::inline v0_1::detail::process

#endif
