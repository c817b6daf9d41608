// SPDX-License-Identifier: MIT
// How the memory of a shared array is made.
#ifndef PROCPOOL_ARRAY_OPTIONS_HPP
#define PROCPOOL_ARRAY_OPTIONS_HPP

namespace procpool::inline v0_1 {

/// `SharedArray<float, 2> matrix({rows, cols}, {.prefault = true});`
struct ArrayOptions {
    /// Asks for pages of 2 MiB instead of 4 KiB, which spares page faults and TLB misses in large arrays. It
    /// is a wish: where the machine has none for shared memory (on Linux, unless
    /// /sys/kernel/mm/transparent_hugepage/shmem_enabled says `advise`, `within_size` or `always`), the array
    /// has normal pages and nobody is told.
    bool huge_pages = false;
    /// Takes all memory when the array is made, in the calling thread, at about 0.9 s a GiB, instead of page
    /// by page when it is first touched. Then it is there for certain, and workers that fill the array need a
    /// third less time; but in all it takes longer, since otherwise they share that work.
    bool prefault = false;
};

}  // namespace procpool::inline v0_1

#endif
