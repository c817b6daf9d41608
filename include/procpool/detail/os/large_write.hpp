// SPDX-License-Identifier: MIT
// The door to the pages of private memory that is about to be written.
#ifndef PROCPOOL_DETAIL_OS_LARGE_WRITE_HPP
#define PROCPOOL_DETAIL_OS_LARGE_WRITE_HPP

#include <cstddef>

namespace procpool::inline v0_1::detail::os {

void populate_private(void* from, std::size_t size) noexcept;

/// Makes the first write to private memory that may be fresh quicker: one call for all pages costs two
/// thirds of a fault for each, and where the system has huge pages to give, these cost a third.
inline void expect_large_write(void* from, std::size_t size) noexcept {
    constexpr std::size_t worth_a_call = std::size_t{64} << 10;
    if (size >= worth_a_call) populate_private(from, size);
}

}  // namespace procpool::inline v0_1::detail::os

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/os/large_write_impl.hpp"
#endif

#endif
