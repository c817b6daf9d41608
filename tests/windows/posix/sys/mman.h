// SPDX-License-Identifier: MIT
// Calls that tests make of a POSIX system which belong into left_out.txt.
#ifndef PROCPOOL_TESTS_WINDOWS_POSIX_SYS_MMAN_H
#define PROCPOOL_TESTS_WINDOWS_POSIX_SYS_MMAN_H

#include <cstddef>

#include "windows/calls.hpp"

#define PROT_NONE 0
#define PROT_READ 1
#define PROT_WRITE 2
#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_ANONYMOUS 0x20
#define MAP_NORESERVE 0x4000
#define MAP_FIXED_NOREPLACE 0x100000
#define MAP_FAILED (reinterpret_cast<void*>(-1))
inline void* mmap(void*, std::size_t, int, int, int, long) {
    test::windows::not_there("mmap");
    return MAP_FAILED;
}
inline int munmap(void*, std::size_t) { return -1; }

#endif
