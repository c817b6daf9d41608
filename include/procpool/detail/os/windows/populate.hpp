// SPDX-License-Identifier: MIT
// The pages behind mapped memory: getting them, giving them back.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_POPULATE_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_POPULATE_HPP

#include <cstddef>
#include <string>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/windows/api.hpp"

namespace procpool::inline v0_1::detail::os {

/// Large pages need a privilege that programs don't have.
inline void prefer_huge_pages(std::byte* /*memory*/, std::size_t /*size*/) noexcept {}

/// Gives whole pages of a mapping their memory now, so that a write to them can't fail later. False if there
/// isn't so much.
inline bool take_pages(std::byte* from, std::size_t size) noexcept {
    return ::VirtualAlloc(from, size, api::mem_commit, api::page_read_write) != nullptr;
}

/// A section keeps what it has got.
inline void give_back_pages(std::byte* /*from*/, std::size_t /*size*/) noexcept {}

/// For those who would populate private memory, which has no use here.
inline bool is_resident(std::byte* /*page*/) noexcept { return true; }

/// Gives every page of a mapped piece of a section its memory.
/// @throws std::system_error with errc::not_enough_memory if there isn't enough
inline void populate(const fd& /*file*/, std::byte* memory, std::size_t size, std::size_t /*offset*/ = 0) {
    if (take_pages(memory, size)) return;
    const unsigned long error = ::GetLastError();
    throw_error(error, "taking shared memory of " + std::to_string(size) + " bytes");
}

}  // namespace procpool::inline v0_1::detail::os

#endif
