// SPDX-License-Identifier: MIT
// Which faults a call on a descriptor can have.
#ifndef PROCPOOL_TESTS_FAULTS_FILE_KIND_HPP
#define PROCPOOL_TESTS_FAULTS_FILE_KIND_HPP

#include <cstddef>

#include "fault.hpp"

namespace faults {

enum class direction { in, out };

/// Whether a call that moves `size` bytes can fail so. `told_not_to_wait`: by a flag of the call.
bool can_be(when condition, int file, direction where, std::size_t size,
            bool told_not_to_wait = false) noexcept;

/// For a call that has only part of the bytes to move.
inline std::size_t part_of(std::size_t size) noexcept { return (size + 1) / 2; }

}  // namespace faults

#endif
