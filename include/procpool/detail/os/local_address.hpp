// SPDX-License-Identifier: MIT
// Where a local socket listens.
#ifndef PROCPOOL_DETAIL_OS_LOCAL_ADDRESS_HPP
#define PROCPOOL_DETAIL_OS_LOCAL_ADDRESS_HPP

#include <array>
#include <compare>
#include <cstdint>

namespace procpool::inline v0_1::detail::os {

using random_words = std::array<std::uint64_t, 2>;

/// It ends with the listener.
struct local_address {
    random_words number{};

    friend auto operator<=>(const local_address&, const local_address&) = default;
};

}  // namespace procpool::inline v0_1::detail::os

#endif
