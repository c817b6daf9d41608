// SPDX-License-Identifier: MIT
// The pages behind mapped memory: which ones it gets, getting them at once, giving them back.
#ifndef PROCPOOL_DETAIL_OS_LINUX_POPULATE_HPP
#define PROCPOOL_DETAIL_OS_LINUX_POPULATE_HPP

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/memfd.hpp"

namespace procpool::inline v0_1::detail::os {

/// A wish: kernels without huge pages refuse it, and those that have none for shared memory ignore it.
inline void prefer_huge_pages(std::byte* memory, std::size_t size) noexcept {
    (void)::madvise(memory, size, MADV_HUGEPAGE);
}

/// Gives whole pages of a mapping their memory now, so that a write to them can't fail later. False, with
/// errno, if there isn't so much, or the kernel (before Linux 5.14) can't.
inline bool take_pages(std::byte* from, std::size_t size) noexcept {
    constexpr int populate_write = 23;  // MADV_POPULATE_WRITE, which older headers lack
    return retry_on_eintr([&] { return ::madvise(from, size, populate_write); }) == 0;
}

/// Gives the memory behind whole pages of a mapped memory file back; they are zeros from then on.
inline void give_back_pages(std::byte* from, std::size_t size) noexcept {
    retry_on_eintr([&] { return ::madvise(from, size, MADV_REMOVE); });
}

/// Whether a page has memory behind it.
inline bool is_resident(std::byte* page) noexcept {
    unsigned char there = 0;
    return ::mincore(page, page_size(), &there) == 0 && (there & 1) != 0;
}

[[noreturn]] inline void refuse_to_populate(int error, std::size_t size) {
    // Each system call has its own word for it.
    if (error == EFAULT || error == ENOSPC) error = ENOMEM;
    throw_system_error(error, "taking shared memory of " + std::to_string(size) + " bytes");
}

/// What populate() does on Linux before 5.14, which has no call for it.
inline void reserve_and_touch(const fd& file, std::byte* memory, std::size_t size, std::size_t offset = 0) {
    // To touch memory that isn't there would be a SIGBUS.
    if (retry_on_eintr([&] {
            return ::fallocate(file.get(), 0, static_cast<off_t>(offset), static_cast<off_t>(size));
        }) != 0)
        refuse_to_populate(errno, size);
    for (std::size_t at = 0; at < size; at += page_size()) {
        volatile std::byte& first = memory[at];
        first = first;
    }
}

/// Gives every page of a mapped piece of a memory file, which lies there at `offset`, its memory.
/// @throws std::system_error with errc::not_enough_memory if there isn't enough
inline void populate(const fd& file, std::byte* memory, std::size_t size, std::size_t offset = 0) {
    // One pass; fallocate would be another one, and give small pages even where huge ones are wanted.
    if (take_pages(memory, size)) return;
    if (errno != EINVAL) refuse_to_populate(errno, size);
    reserve_and_touch(file, memory, size, offset);
}

}  // namespace procpool::inline v0_1::detail::os

#endif
