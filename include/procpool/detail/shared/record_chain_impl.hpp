// SPDX-License-Identifier: MIT
// How the memory of a queue comes and goes.
#ifndef PROCPOOL_DETAIL_SHARED_RECORD_CHAIN_IMPL_HPP
#define PROCPOOL_DETAIL_SHARED_RECORD_CHAIN_IMPL_HPP

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <string>

#include "procpool/detail/os/available_memory.hpp"
#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/populate.hpp"
#include "procpool/detail/shared/record_chain.hpp"

namespace procpool::inline v0_1::detail::shared {

template <class>
void record_tail::trim(const record_memory& memory, std::uint32_t count) noexcept {
    constexpr std::uint64_t enough = much / 4;
    const std::uint64_t there = memory.bytes.size(), page = os::page_size();
    const std::uint64_t ready = ready_.exchange(enough, std::memory_order_relaxed);
    // The next record leads on from here.
    const std::uint64_t at = places_[count % 2].at;
    if (ready < enough || ready > there || at > there) return;  // damaged, as who puts next will say
    const std::uint64_t before = std::max(enough, at / page * page), after = (at / page + 2) * page;
    os::give_back_pages(memory.bytes.data() + enough, std::min(before, ready) - enough);
    if (after < ready) os::give_back_pages(memory.bytes.data() + after, ready - after);
}

template <class>
void record_tail::take_memory(const record_memory& memory, std::uint64_t end) {
    const std::uint64_t ready = ready_.load(std::memory_order_relaxed);
    if (ready % os::page_size() != 0) refuse_damaged_queue();
    constexpr std::uint64_t most_ahead = 1 << 20;
    const std::uint64_t there = memory.bytes.size();
    const std::uint64_t wanted = std::max(end, ready + std::min(ready / 4, most_ahead));
    const std::uint64_t rounded = std::min((wanted + step - 1) / step * step, there / step * step);
    if (rounded < end)
        os::throw_system_error(ENOMEM, "a queue can't hold more than " + std::to_string(there) + " bytes");
    const std::uint64_t more = rounded - ready;
    if (!os::has_memory_for(more))
        os::throw_system_error(ENOMEM, "memory for " + std::to_string(more) + " bytes more in a queue");
    os::populate(memory.file, memory.bytes.data() + ready, more, memory.offset + ready);
    ready_.store(rounded, std::memory_order_relaxed);
}

}  // namespace procpool::inline v0_1::detail::shared

#endif
