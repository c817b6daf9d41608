// SPDX-License-Identifier: MIT
// Gets the pages of private memory at once.
#ifndef PROCPOOL_DETAIL_OS_LARGE_WRITE_IMPL_HPP
#define PROCPOOL_DETAIL_OS_LARGE_WRITE_IMPL_HPP

#include <cstddef>
#include <cstdint>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/os/large_write.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/populate.hpp"

namespace procpool::inline v0_1::detail::os {

[[gnu::noinline]] PROCPOOL_COMPILED_APART void populate_private(void* from, std::size_t size) noexcept {
    constexpr std::size_t worth_huge_pages = std::size_t{3} << 20;   // one fits in
    constexpr std::size_t too_much_at_once = std::size_t{16} << 20;  // to stay in the cache until it is used
    const std::size_t page = page_size();
    const auto begin = reinterpret_cast<std::uintptr_t>(from);
    const std::size_t gap = (page - begin % page) % page;
    std::byte* const first = static_cast<std::byte*>(from) + gap;
    const std::size_t whole = (size - gap) / page * page;
    if (whole >= worth_huge_pages) prefer_huge_pages(first, whole);
    // A heap grows upwards, so the end of a block is fresh if any of it is. To populate what isn't would cost
    // as much as the write.
    if (whole < too_much_at_once && !is_resident(first + whole - page)) (void)take_pages(first, whole);
}

}  // namespace procpool::inline v0_1::detail::os

#endif
