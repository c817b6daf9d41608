// SPDX-License-Identifier: MIT
// How a manager's process is found, and who may enter.
#ifndef PROCPOOL_DETAIL_FAMILY_SERVER_KEY_HPP
#define PROCPOOL_DETAIL_FAMILY_SERVER_KEY_HPP

#include <compare>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/local_address.hpp"

namespace procpool::inline v0_1::detail::family {

/// What leads to a server, and gets in: only the server's family may ever know it.
struct server_key {
    os::local_address address;
    os::random_words secret{};

    /// See mutual_proof.hpp.
    template <class = only_if_used>
    static server_key random();
    friend auto operator<=>(const server_key&, const server_key&) = default;
};

}  // namespace procpool::inline v0_1::detail::family

#endif
