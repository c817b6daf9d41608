// SPDX-License-Identifier: MIT
// What is behind the door to memory that has a name.
#ifndef PROCPOOL_DETAIL_SHARED_NAMED_BLOCK_IMPL_HPP
#define PROCPOOL_DETAIL_SHARED_NAMED_BLOCK_IMPL_HPP

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/named_memory.hpp"
#include "procpool/detail/shared/named_block.hpp"

namespace procpool::inline v0_1::detail::shared {

inline std::string checked_name(std::string_view name) {
    std::string plain(name.substr(name.starts_with('/') ? 1 : 0));
    if (plain.empty() || plain.size() > 255 || plain == "." || plain == ".." ||
        plain.find_first_of(std::string_view("/\0", 2)) != std::string::npos)
        throw std::invalid_argument("procpool: \"" + std::string(name) +
                                    "\" can't be the name of shared memory: that is 1 to 255 bytes "
                                    "without a slash");
    return plain;
}

/// As Python makes them.
inline std::string random_name() {
    std::random_device dice;
    char name[16];
    std::snprintf(name, sizeof name, "psm_%08x", dice());
    return name;
}

template <class>
named_block create_block(std::size_t size, std::string_view name) {
    named_block made{name.empty() ? std::string() : checked_name(name), {}, size};
    do {
        if (name.empty()) made.name = random_name();
        made.file = os::create_named_memory("/" + made.name, size);
    } while (!made.file && name.empty());
    if (!made.file) os::throw_system_error(EEXIST, "shared memory " + made.name);
    return made;
}

template <class>
named_block open_block(std::string_view name) {
    std::string plain = checked_name(name);
    auto [file, size] = os::open_named_memory("/" + plain);
    return {std::move(plain), std::move(file), size};
}

template <class>
int remove_block(const std::string& name) noexcept {
    return os::remove_named_memory("/" + name);
}

}  // namespace procpool::inline v0_1::detail::shared

#endif
