// SPDX-License-Identifier: MIT
// The door to memory that has a name.
#ifndef PROCPOOL_DETAIL_SHARED_NAMED_BLOCK_HPP
#define PROCPOOL_DETAIL_SHARED_NAMED_BLOCK_HPP

#include <cstddef>
#include <string>
#include <string_view>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd.hpp"

namespace procpool::inline v0_1::detail::shared {

struct named_block {
    std::string name;  // without the system's leading slash
    os::fd file;
    std::size_t size = 0;
};

/// Zeros, under a name of its own if `name` is empty.
/// @throws std::invalid_argument if `name` can't be one
/// @throws std::system_error if it is taken, or there is no room
template <class = only_if_used>
named_block create_block(std::size_t size, std::string_view name);

/// @throws std::invalid_argument, std::system_error
template <class = only_if_used>
named_block open_block(std::string_view name);

/// Takes its name from it. @return the error, or 0
template <class = only_if_used>
int remove_block(const std::string& name) noexcept;

}  // namespace procpool::inline v0_1::detail::shared

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/shared/named_block_impl.hpp"
#endif

#endif
