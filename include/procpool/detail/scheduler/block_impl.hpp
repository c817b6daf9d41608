// SPDX-License-Identifier: MIT
// How blocks of elements are cut and joined.
#ifndef PROCPOOL_DETAIL_SCHEDULER_BLOCK_IMPL_HPP
#define PROCPOOL_DETAIL_SCHEDULER_BLOCK_IMPL_HPP

#include <cstdint>
#include <utility>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/wire/frame.hpp"

namespace procpool::inline v0_1::detail::scheduler {

PROCPOOL_COMPILED_APART block block::take_front(std::uint64_t n) {
    block front = copy(0, n);
    first += n;
    count -= n;
    begin += front.bytes.size();
    large.bytes -= front.large.bytes;
    return front;
}

PROCPOOL_COMPILED_APART block block::copy(std::uint64_t from, std::uint64_t n) const {
    wire::element_reader reader(payload(), stride);
    std::uint64_t passed = 0;
    reader.next_run(from, passed);
    const auto wanted = reader.next_run(n, passed);
    block some{.first = first + from,
               .count = n,
               .stride = stride,
               .bytes = {},
               .attempts = attempts,
               .pins = pins,
               .large = share_of_large(n),
               .alone = alone,
               .losses = losses};
    some.bytes.append(wanted.data(), wanted.size());
    return some;
}

PROCPOOL_COMPILED_APART void block::append(block next) {
    if (count == 0) {
        *this = std::move(next);
        return;
    }
    bytes.drop_front(std::exchange(begin, 0));
    const auto more = next.payload();
    bytes.append(more.data(), more.size());
    count += next.count;
    pins.insert(pins.end(), next.pins.begin(), next.pins.end());
    large.parts.insert(large.parts.end(), next.large.parts.begin(), next.large.parts.end());
    large.bytes += next.large.bytes;
}

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
