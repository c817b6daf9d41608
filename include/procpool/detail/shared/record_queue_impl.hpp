// SPDX-License-Identifier: MIT
// How a queue comes to be.
#ifndef PROCPOOL_DETAIL_SHARED_RECORD_QUEUE_IMPL_HPP
#define PROCPOOL_DETAIL_SHARED_RECORD_QUEUE_IMPL_HPP

#include <algorithm>
#include <cstdint>
#include <system_error>

#include "procpool/detail/os/available_memory.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/shared_segment.hpp"
#include "procpool/detail/shared/object.hpp"
#include "procpool/detail/shared/record_queue.hpp"

namespace procpool::inline v0_1::detail::shared {

template <class>
object<record_queue> record_queue::make(std::uint32_t capacity) {
    // A process may be allowed less.
    constexpr std::uint64_t least = std::uint64_t{64} << 20, most = os::most_addresses_at_once;
    constexpr std::uint64_t most_of_all = std::uint64_t{8} << 40;
    const std::uint64_t share = most_of_all / (os::shared_segment::number_of_spacious() + 1);
    std::uint64_t room = std::max(least, std::min({2 * os::physical_memory(), most, share}));
    for (room = std::max(least_room, std::min(room, os::largest_file()));; room /= 2) {
        try {
            return object<record_queue>::make_in(room, os::extent::addresses, capacity);
        } catch (const std::system_error& error) {
            if (error.code() != std::errc::not_enough_memory || room / 2 < least) throw;
        }
    }
}

}  // namespace procpool::inline v0_1::detail::shared

#endif
