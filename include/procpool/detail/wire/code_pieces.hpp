// SPDX-License-Identifier: MIT
// What encoded bytes name of a program's code, apart from the rest: the rest means the same in other builds.
#ifndef PROCPOOL_DETAIL_WIRE_CODE_PIECES_HPP
#define PROCPOOL_DETAIL_WIRE_CODE_PIECES_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "procpool/detail/os/module.hpp"
#include "procpool/detail/wire/buffer.hpp"

namespace procpool::inline v0_1::detail::wire {

struct code_and_rest {
    buffer code;  // what encode_code() has appended, one after the other
    buffer rest;
};

/// Finds code by the ids of this process's modules, which are nothing that another value has by chance.
inline code_and_rest split_code(std::span<const std::byte> bytes) {
    std::vector<os::module_id> modules;
    os::find_module([&](const os::loaded_module& module) {
        modules.push_back(module.id());
        return false;
    });
    constexpr std::size_t fixed = sizeof(os::code_location) + sizeof(std::uint64_t);
    const auto size_of_code = [&](std::span<const std::byte> at) -> std::size_t {
        if (at.size() < fixed) return 0;
        const bool is_code = std::any_of(modules.begin(), modules.end(), [&](const os::module_id& id) {
            return std::memcmp(at.data(), &id, sizeof id) == 0;
        });
        if (!is_code) return 0;
        std::uint64_t path = 0;
        std::memcpy(&path, at.data() + sizeof(os::code_location), sizeof path);
        return path <= at.size() - fixed ? fixed + path : 0;
    };
    code_and_rest parts;
    while (!bytes.empty()) {
        const std::size_t size = size_of_code(bytes);
        (size > 0 ? parts.code : parts.rest).append(bytes.data(), std::max<std::size_t>(size, 1));
        bytes = bytes.subspan(std::max<std::size_t>(size, 1));
    }
    return parts;
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
